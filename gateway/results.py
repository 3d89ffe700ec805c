"""What a node's self-test and its aiming say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streetwire

TESTS, AIMS = "tests", "aims"  # the two kinds of results
NOTHING_WRONG = ("good", "absent", "waiting")


def understand(results: Iterable[tuple[int, int, int]]) -> tuple[str, dict[str, Any]]:
    """As in streetwire.TestResult -> of which kind they are, and what they say."""
    named = {streetwire.TEST_CHECKS[check]: (streetwire.TEST_VERDICTS[verdict], value) for check, verdict, value in results}
    if "aim_ab" in named:
        return AIMS, {"counted": {"ab": named["aim_ab"][1], "ba": named.get("aim_ba", ("", 0))[1]}}
    checks = {check: {"verdict": verdict, "value": value} for check, (verdict, value) in named.items()}
    return TESTS, {"ok": not failed(checks), "checks": checks}


def failed(checks: Mapping[str, Any]) -> list[str]:
    """Names of those that found something wrong."""
    return [check for check, found in checks.items() if isinstance(found, dict) and found.get("verdict") not in NOTHING_WRONG]
