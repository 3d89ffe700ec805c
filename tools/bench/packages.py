"""Packages that only contenders need: here, or what to say instead."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

from gateway.words import Say

INSTALL = "python3 tools/go.py bench {bench}"


def load(name: str) -> Any:
    """The package; ImportError where it is not installed."""
    return import_module(name)


def lack(names: tuple[str, ...], bench: str = "core") -> Say | None:
    """What to do about the packages that are missing, if any are: the bench gets them."""
    for name in names:
        try:
            load(name)
        except ImportError:
            return Say("bench.not-installed", {"package": name, "command": INSTALL.format(bench=bench)})
    return None


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Of those that are here."""
    return {name: version(name) for name in names if lack((name,)) is None}
