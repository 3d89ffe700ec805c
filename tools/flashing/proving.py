"""The self-test of a node that has just started, over its cable."""

from __future__ import annotations

import streetwire
from gateway.errors import DeviceError
from tools.wired import MEET_S, Wired

SETTLED_S = 5  # of uptime: three seconds in a row tell a silent part
_ASK_S = 4.0
# At a bench there is no gateway that would tell the time; what a kit lacks is no fault, and nobody is asked to walk or press.
NOTHING_WRONG = ("good", "absent", "waiting", "unheard")


def test(port: str, meet_s: float = MEET_S) -> tuple[streetwire.Hello, list[tuple[str, str, int]]]:
    """Who is there, and (check, verdict, value) by name. DeviceError where nobody says hello, or no answer comes."""
    with Wired(port) as node:
        hello = node.meet(meet_s)
        for _ in node.listen(max(SETTLED_S - hello.uptime_s, 0)):
            pass
        for _ in range(2):
            node.command(streetwire.TEST)
            for message in node.listen(_ASK_S):
                if isinstance(message, streetwire.TestResult):
                    return hello, in_words(message)
    raise DeviceError("node-silent", port=port, seconds=round(2 * _ASK_S))


def in_words(message: streetwire.TestResult) -> list[tuple[str, str, int]]:
    return [
        (streetwire.TEST_CHECKS[check], streetwire.TEST_VERDICTS[verdict], value)
        for check, verdict, value in message.results
        if check < len(streetwire.TEST_CHECKS) and verdict < len(streetwire.TEST_VERDICTS)
    ]


def faults(results: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Those that somebody has to look at."""
    return [result for result in results if result[1] not in NOTHING_WRONG]
