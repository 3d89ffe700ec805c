"""Every driver: one file and one row each. Modules are imported only when chosen."""

from __future__ import annotations

from importlib import import_module

from gateway.drivers.base import Clock, Driver
from gateway.errors import ConfigError
from gateway.words import Say

# scheme: (module, class)
DRIVERS = {
    "serial": ("gateway.drivers.serial", "SerialDriver"),
    "ble": ("gateway.drivers.ble", "BleDriver"),
}


def open_driver(spec: str, clock: Clock, steady: Clock | None = None, **more: object) -> Driver:
    """`scheme:rest` -> a driver that is not running yet; its clocks as in Received, `more` is what this kind needs besides.
    ConfigError for an unknown scheme."""
    scheme, colon, rest = spec.partition(":")
    if not colon or scheme not in DRIVERS:
        raise ConfigError([Say("config.no-link", {"found": spec, "expected": ", ".join(f"{name}:" for name in DRIVERS)})])
    module, name = DRIVERS[scheme]
    return getattr(import_module(module), name)(rest, clock, steady, **more)
