"""The live rows: a record comes in and all windows of its node are read, record by record; and what one call costs.

Answers come first: on a small street with much late data every contender is held against brute force, and who is wrong there is
timed only on records in order, where it must be right. Then all start with a day of history, and turns alternate; the slow ones get
fewer records of the same street. When all turns are done each walks on a little, and its answers are compared once more.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from statistics import median
from typing import Any

from gateway.words import Say
from tools.bench.goals import Finding, Findings, compare, spread
from tools.bench.live_peers import OURS, PEERS, PURE, BruteForce, Core, Peer, answer, outlet, start
from tools.bench.packages import lack
from tools.bench.traces import DAY_S, LIVE_PANE_S, Street, Tick
from tools.bench.turns import alternate, p99, quiet, rounded, stopwatch

STREET = Street()
CHECKED = Street(nodes=4, per_day=1500, late=0.2)  # the street on which answers are compared
CHECKED_S = 26 * 3600
CHECKS, CHECKS_AGAIN = 300, 30  # answers, before and after the turns
MIN_RECORDS = 10  # a turn
CALL_TURNS = 3  # a call is short, so it is measured as often for each turn of the others


def wrong_answers(peer: Peer, street: Street, checked: int) -> int:
    """How many of the last answers on this street differ from brute force."""
    history, rest = split(street.ticks(CHECKED_S), DAY_S)
    return Runner(peer, street.nodes, history, rest).wrong_answers(checked)


def split(ticks: list[Tick], seconds: int) -> tuple[list[Tick], list[Tick]]:
    """What comes before and after so many seconds of the street."""
    end = ticks[0][0] + seconds
    return [tick for tick in ticks if tick[0] < end], [tick for tick in ticks if tick[0] >= end]


def steps(ticks: list[Tick]) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Record by record, with the newest boundary of that moment."""
    return ((boundary, record) for boundary, records in ticks for record in records)


class Runner:
    """A contender on its way along the street."""

    def __init__(self, peer: Peer, nodes: int, history: list[Tick], ticks: list[Tick]) -> None:
        self.live, self._ticks, self._out = start(peer, nodes, history), iter(ticks), outlet()
        self._nodes, self._told = nodes, peer.kept(history)

    def take(self, records: int) -> list[Tick]:
        """The next ticks, with so many records or a few more."""
        taken: list[Tick] = []
        while records > 0:
            taken.append(next(self._ticks))
            records -= len(taken[-1][1])
        self._told += taken
        return taken

    def wrong_answers(self, checked: int) -> int:
        """How many of the next answers differ from those of brute force, which was told the same until here."""
        truth, out, live = BruteForce(self._nodes), self._out, self.live
        for _, record in steps(self._told):
            truth.add(*record)
        wrong = 0
        for boundary, record in islice(steps(self.take(checked)), checked):
            for each in (truth, live):
                each.advance(boundary)
                each.add(*record)
            wrong += answer(live, record[0], out) != truth.read(record[0], out)
        return wrong

    def turn(self, records: int) -> float:
        """Seconds a record: its part of the move of the watermark, the record itself, all windows of its node."""
        ticks, out = self.take(records), self._out
        advance, add, read = self.live.advance, self.live.add, self.live.read
        begin = time.perf_counter()
        for boundary, found in ticks:
            advance(boundary)
            for node, pane, ab, ba in found:
                add(node, pane, ab, ba)
                read(node, out)
        return (time.perf_counter() - begin) / sum(len(found) for _, found in ticks)

    def single_us(self, records: int) -> tuple[list[float], list[float]]:
        """Of each record add and query, and of each move of the watermark, in microseconds."""
        both: list[float] = []
        moves: list[float] = []
        out, clock = self._out, time.perf_counter_ns
        advance, add, read = self.live.advance, self.live.add, self.live.read
        for boundary, found in self.take(records):
            begin = clock()
            advance(boundary)
            moves.append((clock() - begin) / 1000)
            for node, pane, ab, ba in found:
                begin = clock()
                add(node, pane, ab, ba)
                read(node, out)
                both.append((clock() - begin) / 1000)
        return both, moves


class Empty:
    """Calls that do nothing, with the core's arguments."""

    def add(self, i: int, event_time: int, ab: int, ba: int) -> None:
        pass

    def query_into(self, i: int, out: array[int]) -> None:
        pass


def call_costs(ticks: list[Tick], turns: int) -> Findings:
    """What a call costs beside an empty one; the loop around it is taken off both."""
    records, out = [record for _, found in ticks for record in found], outlet()
    ours = Core(STREET.nodes, "compiled")
    ours.advance(ticks[-1][0])

    def loop() -> None:
        for _node, _pane, _ab, _ba in records:
            pass

    def adds(callee: Any) -> None:
        for node, pane, ab, ba in records:
            callee.add(node, pane, ab, ba)

    def reads(callee: Any) -> None:
        for node, _pane, _ab, _ba in records:
            callee.query_into(node, out)

    def net(calls: Callable[[Any], None], callee: object) -> float:
        bare = stopwatch(loop)
        return max(stopwatch(lambda: calls(callee)) - bare, 1e-9) / len(records)

    found, empty = {}, Empty()
    for goal, calls in (("call-add empty", adds), ("call-query-into empty", reads)):
        times = alternate({"ours": partial(net, calls, ours.counter), "empty": partial(net, calls, empty)}, CALL_TURNS * turns)
        found[goal] = compare(times, "ours", "empty")
    truth = BruteForce(STREET.nodes)
    truth.advance(ticks[-1][0])
    for record in records:
        truth.add(*record)
    for node in range(STREET.nodes):
        once = truth.read(node, out)
        assert answer(ours, node, out) == [CALL_TURNS * turns * count for count in once], "every call has counted"
    return found


class Answers:
    """What the check of the answers has found about the contenders: who may be timed, and what has to be said of whom."""

    def __init__(self, peers: Iterable[Peer], checked: int) -> None:
        self.why: dict[str, Say] = {}
        self.notes: dict[str, Say] = {}
        for peer in peers:
            missing = lack(peer.packages)
            if missing is not None:
                self.why[peer.name] = missing
                continue
            wrong = wrong_answers(peer, replace(CHECKED, late=0) if peer.is_in_order_only else CHECKED, checked)
            if wrong:
                self.why[peer.name] = Say("bench.wrong", {"wrong": wrong, "checked": checked})
            elif peer.is_in_order_only:
                wrong = wrong_answers(peer, CHECKED, checked)
                self.notes[peer.name] = Say("bench.wrong-late", {"wrong": wrong, "checked": checked})


def measure(records: int, turns: int, no_compiler: Say | None) -> Findings:
    """`records` a turn for the fast ones; `no_compiler`: why there is no compiled form, where there is none."""
    ours = [PURE] if no_compiler else [OURS, PURE]
    answers = Answers([*ours, *PEERS], CHECKS)
    assert not {peer.name for peer in ours} & set(answers.why), "the core answers as brute force does"
    timed = [peer for peer in (*ours, *PEERS) if peer.name not in answers.why]
    late, in_order = (_way(street, 2 * turns + 1, records) for street in (STREET, replace(STREET, late=0)))
    runners = {peer.name: Runner(peer, STREET.nodes, *(in_order if peer.is_in_order_only else late)) for peer in timed}
    shares = {peer.name: max(MIN_RECORDS, round(records * peer.share)) for peer in timed}
    times = alternate({name: partial(runner.turn, shares[name]) for name, runner in runners.items()}, turns)
    single = _single_calls(runners["pure"], max(MIN_RECORDS, records // turns), turns)
    _check_again(runners, answers)
    found = {f"live {peer.name}": Finding(why=no_compiler or answers.why.get(peer.name)) for peer in PEERS}
    found |= dict.fromkeys(("call-add empty", "call-query-into empty"), Finding(why=no_compiler))
    if not no_compiler:
        for name in set(times) - {"ours", "pure"} - set(answers.why):
            found[f"live {name}"] = compare(times, name, "ours", answers.notes.get(name))
        found |= call_costs(runners["ours"].take(records), turns)
    deque_is_wrong = answers.why.get("deque")
    found["pure deque"] = Finding(why=deque_is_wrong) if deque_is_wrong else compare(times, "pure", "deque")
    return found | single


def _check_again(runners: dict[str, Runner], answers: Answers) -> None:
    """On the street that was timed."""
    for name, runner in runners.items():
        wrong = runner.wrong_answers(CHECKS_AGAIN)
        assert not wrong or name not in ("ours", "pure"), "the core answers as brute force does, after all turns"
        if wrong:
            answers.why[name] = Say("bench.wrong", {"wrong": wrong, "checked": CHECKS_AGAIN})


def _way(street: Street, turns: int, records: int) -> tuple[list[Tick], list[Tick]]:
    """A day of history, and what is left to walk: so many turns, each of whole ticks."""
    a_second = street.nodes * street.per_day / DAY_S
    seconds = CHECKS_AGAIN / a_second + turns * (max(records, MIN_RECORDS) / a_second + 2 * LIVE_PANE_S + 2 / a_second)
    return split(street.ticks(DAY_S + math.ceil(seconds)), DAY_S)


def _single_calls(pure: Runner, records: int, turns: int) -> Findings:
    """Medians over the turns: a turn in which something else took the processor is one of many."""
    with quiet():
        spans = [pure.single_us(records) for _ in range(turns)]
    said = {"median": rounded(median(median(both) for both, _ in spans)), "move": rounded(median(p99(moves) for _, moves in spans))}
    return {"pure-p99-us": spread([p99(both) for both, _ in spans], Say("bench.single", said))}
