"""Nothing is lost and nothing counted twice, whatever is killed: the real processes, under load, in real time."""

from __future__ import annotations

import json

import pytest

from gateway.uplink.base import Row
from tests.real_parts import needs
from tools import kill_loop
from tools.kill import faults
from tools.kill.books import Balance, compare
from tools.kill_loop import Plan, run, summary, table

NODE = 0x4B1100
T0 = 1_750_000_020


def row(start_s: int, ab: int, ba: int) -> Row:
    return Row({"node": f"tr-{NODE:06x}", "site": "street", "sensor": "radar"}, start_s, {"count_ab": ab, "count_ba": ba})


# -- the real thing


@needs("influxd")
@needs("pty")
def test_kills_of_gateway_and_server_lose_nothing_and_count_nothing_twice():
    result = run(Plan({"gateway": 20, "server": 5, "both": 5}, seed=11))
    assert (result.balance, result.flagged) == (Balance([], []), 0)
    assert result.is_good, f"{result.unknown} flags for {result.restarts} restarts of nodes"
    assert {name: len(recoveries) for name, recoveries in result.recoveries.items()} == {"gateway": 20, "server": 5, "both": 5}
    assert result.records > 400
    assert 0 < result.empty_minutes < result.minutes < result.records


@needs("influxd")
@needs("pty")
def test_a_stop_in_order_and_a_server_that_answers_nothing_lose_nothing_either(monkeypatch):
    monkeypatch.setattr(faults, "FROZEN_S", 4.0)
    result = run(Plan({"terminate": 3, "freeze": 1}, seed=5))
    assert (result.balance, result.flagged) == (Balance([], []), 0)
    assert result.is_good, f"{result.unknown} flags for {result.restarts} restarts of nodes"
    assert [recovery.point_s is not None for recovery in result.recoveries["freeze"]] == [True]


# -- the books


def test_equal_books_are_equal():
    assert compare({(NODE, T0): (3, 1), (NODE, T0 + 60): (0, 0)}, [row(T0, 3, 1), row(T0 + 60, 0, 0)]).is_equal


@pytest.mark.parametrize(
    ("rows", "lost", "twice"),
    [
        ([row(T0, 3, 1)], [(NODE, T0 + 60)], []),  # a minute of nobody is missing
        ([row(T0, 2, 1), row(T0 + 60, 0, 0)], [(NODE, T0)], []),
        ([row(T0, 6, 2), row(T0 + 60, 0, 0)], [], [(NODE, T0)]),
        ([row(T0, 3, 1), row(T0 + 60, 0, 0), row(T0 + 120, 0, 0)], [], [(NODE, T0 + 120)]),  # a minute that nobody wrote
        ([row(T0, 2, 2), row(T0 + 60, 0, 0)], [(NODE, T0)], [(NODE, T0)]),  # in one direction each
    ],
)
def test_what_is_missing_and_what_is_too_much_is_named(rows, lost, twice):
    assert compare({(NODE, T0): (3, 1), (NODE, T0 + 60): (0, 0)}, rows) == Balance(lost, twice)


# -- the command


@pytest.fixture
def result():
    recoveries = {"gateway": [faults.Recovery(0.5), faults.Recovery(0.3, 1.5), faults.Recovery()]}
    return kill_loop.Result(recoveries, records=30, minutes=28, empty_minutes=9, people=700, interpreters_s=[0.02])


def test_recoveries_are_told_beside_the_interpreter_s_start(result):
    found = summary(result)
    assert found["faults"]["gateway"] == {
        "n": 3,
        "ack_s": {"n": 2, "median": 0.4, "worst": 0.5},
        "point_s": {"n": 1, "median": 1.5, "worst": 1.5},
    }
    assert found["beyond_interpreter"] == round(0.38 / kill_loop.GOAL_S, 2)
    assert "median 0.4 s, worst 0.5 s, of 2" in table(found)


@pytest.mark.parametrize(
    ("balance", "flagged", "unknown", "code"),
    [
        (Balance([], []), 0, 2, 0),
        (Balance([(NODE, T0)], []), 0, 0, 1),
        (Balance([], [(NODE, T0)]), 0, 0, 1),
        (Balance([], []), 3, 0, 1),  # nothing was lost, so nothing may be claimed to be
        (Balance([], []), 0, 3, 1),  # only two nodes have started anew
    ],
)
def test_the_exit_code_says_whether_the_books_are_equal(result, balance, flagged, unknown, code, monkeypatch, capsys):
    result.balance, result.flagged, result.unknown, result.restarts = balance, flagged, unknown, 2
    plans: list[Plan] = []
    monkeypatch.setattr(kill_loop, "run", lambda plan: plans.append(plan) or result)
    assert kill_loop.main(["--gateway", "3", "--disk-full", "1", "--seed", "9", "--json"]) == code
    assert (plans[0].faults["gateway"], plans[0].faults["disk-full"], plans[0].faults["server"], plans[0].seed) == (3, 1, 0, 9)
    done = capsys.readouterr()
    found = json.loads(done.out)
    assert (found["lost"], found["twice"], found["flagged"], found["ok"]) == (
        len(balance.lost), len(balance.twice), flagged, code == 0,
    )  # fmt: skip
    assert ("tr-4b1100" in done.err) == (not balance.is_equal)
