"""Every uplink: one file and one row each. Modules are imported only when chosen."""

from __future__ import annotations

from importlib import import_module

from gateway.config import UplinkConfig
from gateway.uplink.base import Uplink

# api: (module, factory, keys of [uplink] it takes)
UPLINKS = {
    "v1": ("gateway.uplink.influx", "InfluxV1", ("url", "database", "user", "password")),
    "file": ("gateway.uplink.file", "FileUplink", ("folder",)),
}


def open_uplink(config: UplinkConfig) -> Uplink:
    """The uplink that `[uplink] api` names. ConfigError where a secret cannot be read."""
    module, factory, keys = UPLINKS[config.api]
    values = {key: config.read_password() if key == "password" else getattr(config, key) for key in keys}
    return getattr(import_module(module), factory)(**values)
