"""Every check and verdict that a node can tell has its words, and what is wrong has something to do."""

from __future__ import annotations

import pytest

import streetwire
from gateway.results import NOTHING_WRONG, failed, understand
from gateway.words import LANGUAGES, catalogue
from tools.pole import checks

TOLD = {  # what the firmware's self-test and its technician say
    "counter": ("good", "silent", "garbled", "blocked"),
    "climate": ("good", "absent", "waiting", "silent", "implausible"),
    "log": ("good", "failed"),
    "clock": ("good", "unheard"),
    "link": ("good", "unheard"),
    "supply": ("good", "absent", "low"),
    "probe": ("good", "absent", "waiting", "silent", "implausible"),
    "radio": ("good", "absent", "failed"),
    "line": ("good", "waiting", "missed"),
    "button": ("good", "waiting", "missed"),
    "lamp": ("good", "waiting", "missed"),
}
PAIRS = [(check, verdict) for check, verdicts in TOLD.items() for verdict in verdicts]


@pytest.mark.parametrize(("check", "verdict"), PAIRS)
def test_each_is_told_and_what_is_wrong_has_something_to_do(check, verdict):
    told = {"verdict": verdict, "value": 2150}
    assert checks.found(check, told).key == f"selftest.found-{check}-{verdict}"
    to_do = checks.to_do(check, told)
    assert (to_do is None) == (verdict in NOTHING_WRONG)
    for language in LANGUAGES:
        assert f"selftest.check-{check}" in catalogue(language)
        assert checks.found(check, told).line(language)
        assert to_do is None or len(to_do.line(language)) > 60


def test_the_table_knows_every_check_of_the_wire():
    assert set(TOLD) == set(streetwire.TEST_CHECKS) - {"aim_ab", "aim_ba"}


def test_a_verdict_that_is_new_is_told_all_the_same():
    told = {"verdict": "garbled", "value": 7}
    assert checks.found("log", told).line("en") == "garbled (7)"
    assert checks.to_do("log", told).key == "selftest.do-other"


def test_results_of_the_wire_are_of_two_kinds():
    kind, told = understand([(0, 3, 0), (1, 0, 2150)])
    assert (kind, told["ok"], failed(told["checks"])) == ("tests", False, ["counter"])
    assert understand([(11, 0, 5), (12, 0, 4)]) == ("aims", {"counted": {"ab": 5, "ba": 4}})
    assert understand([]) == ("tests", {"ok": True, "checks": {}})
