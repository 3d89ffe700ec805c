"""A self-test's results in words that a person can act on: what was found, why it matters, what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.results import NOTHING_WRONG
from gateway.words import Say, catalogue

_HUNDREDTHS = ("climate", "probe")


def level(verdict: str) -> str:
    """good, absent, waiting or bad."""
    return verdict if verdict in NOTHING_WRONG else "bad"


def found(check: str, told: Mapping[str, Any]) -> Say:
    """What was found."""
    verdict, value = told["verdict"], told["value"]
    key = f"selftest.found-{check}-{verdict}"
    degrees = f"{value / 100:.1f}" if check in _HUNDREDTHS else ""
    about = {"value": value, "degrees": degrees, "volts": f"{value / 1000:.2f}", "verdict": verdict}
    return Say(key if key in catalogue("en") else "selftest.other", about)


def to_do(check: str, told: Mapping[str, Any]) -> Say | None:
    """Why it matters, and what to do; None where nothing is wrong."""
    if told["verdict"] in NOTHING_WRONG:
        return None
    key = f"selftest.do-{check}-{told['verdict']}"
    return Say(key if key in catalogue("en") else "selftest.do-other")
