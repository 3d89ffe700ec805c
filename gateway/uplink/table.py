"""Every uplink: one file and one row each. Modules are imported only when chosen."""

from __future__ import annotations

from importlib import import_module

from gateway.config import UplinkConfig
from gateway.uplink.base import Uplink

# api: (module, factory, keys of [uplink] it takes)
UPLINKS = {
    "v1": ("gateway.uplink.influx_v1", "InfluxV1", ("url", "database", "user", "password")),
    "v2": ("gateway.uplink.influx_v2", "InfluxV2", ("url", "org", "bucket", "token")),
    "file": ("gateway.uplink.file", "FileUplink", ("folder",)),
}
SECRETS = {"password": UplinkConfig.read_password, "token": UplinkConfig.read_token}


def open_uplink(config: UplinkConfig, to_read: bool = False) -> Uplink:
    """The uplink that `[uplink] api` names, with the token `to_read` back if that is what it is for. ConfigError where a secret
    cannot be read."""
    module, factory, keys = UPLINKS[config.api]
    secrets = SECRETS | {"token": UplinkConfig.read_read_token} if to_read else SECRETS
    values = {key: secrets[key](config) if key in secrets else getattr(config, key) for key in keys}
    return getattr(import_module(module), factory)(**values)
