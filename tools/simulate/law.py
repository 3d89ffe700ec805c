"""The law: for every node and span of time, server <= truth <= server + sum of flagged bounds; and nothing flagged in vain.

Theory of operation
    Held against each other: what detectors reported (the node's book), what nodes wrote down, and the server's rows. A flag is a
    row of `losses`, a row of `gaps` where a flash was lost or has overflowed or a node never came back, and a dead letter. Spans
    have some seconds of slack for clocks; where a minute was placed late or by guess (q bits) only sums are compared. Of boots
    that ended before the gateway had heard anything of the node, nobody can know. What a store that is then destroyed had only
    been told (a boot that left no record) is pardoned, too: nobody else knew of it.
    A ceiling keeps flags honest: beyond what was really lost, a power cut may flag 62 s of people at most.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.model import PERIOD_S, Q_TIME_HELD, Q_TIME_UNKNOWN, node_name
from gateway.uplink.base import Row
from tools.simulate.link import LATE_MS

if TYPE_CHECKING:
    from tools.simulate.books import NodeBook
    from tools.simulate.server import Server
    from tools.simulate.world import World

CUT_HIDES_S = 62  # a minute, a beat, and the second that an uptime leaves out
SLACK_S = 6
TOLD_S = 18  # who is known from live totals alone was told of by the next tick
GAP_SLACK_S = 120
UNKNOWN_ALLOWED = {"power_cut", "wiped"}  # reasons whose people cannot be known; their bound can
STORE_FALLS = {"store_deleted", "store_restored", "store_corrupted"}
GIVEN_UP = "given_up"  # exact from totals: no guess, however many
_GUESSED = Q_TIME_HELD | Q_TIME_UNKNOWN
_LINE = re.compile(r"passages,site=[^,]+,node=([^,]+),sensor=\S+ count=(\d+)i.* (\d+)")
_FOR_EVER = 1 << 60


@dataclass(frozen=True)
class Violation:
    """`law` names the message `simulate.law-<law>`, `node` is empty where it is about no node."""

    law: str
    node: str
    numbers: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Case:
    """All that is known of one node number, in UTC seconds."""

    name: str
    book: NodeBook
    bins: list[Row]
    losses: list[Row]
    gaps: list[Row]
    buried: dict[int, int]  # minute -> people of a refused line that the server does not have
    truth: list[int]  # moments of passages, sorted
    unknowable_until: int  # who passed before that, in a boot of which nobody heard, may be missing
    cuts: list[int]
    wipes: list[int]
    slack_s: int
    clock_moves: bool
    forgets: bool
    is_store_lost: bool

    @property
    def pardoned(self) -> int:
        """People of whom only a store knew that was destroyed: what it was told of boots that left no record behind."""
        return (len(self.cuts) + len(self.wipes)) * cut_ceiling(self.book.rate) if self.is_store_lost else 0

    @property
    def is_undecidable(self) -> bool:
        """A bin names its newest record only. Where two logs were at work under one number, or the clock was set while records had
        no time of their own, only the store that is gone knew whose were in it."""
        return self.is_store_lost and (self.book.has_twin or (self.clock_moves and self.is_guessed))

    @property
    def stored(self) -> int:
        return sum(_count(row) for row in self.bins)

    @property
    def lost(self) -> int:
        return len(self.truth) - self.stored

    @property
    def is_guessed(self) -> bool:
        """Some minute was placed by guess."""
        return any(_q(row) & _GUESSED for row in self.bins)

    def is_cut_near(self, minute: int) -> bool:
        return any(minute - PERIOD_S - self.slack_s <= cut < minute + 2 * PERIOD_S + self.slack_s for cut in self.cuts)


def judge(world: World) -> list[Violation]:
    """Everything that was broken in a schedule that has healed."""
    found = [Violation("run", "", {"what": what}) for what in world.gateway.broken_laws[:5]]
    if not world.forgets:
        for head, time, before, after in world.server.falls[:5]:
            found.append(Violation("fell", head.decode(), {"minute": time, "before": before, "after": after}))
    found += _dead_letters(world)
    for case in _cases(world):
        for rule in RULES:
            found += rule(case)
    return found


def cut_ceiling(rate: int) -> int:
    """People that a power cut may flag beyond those that are really lost."""
    return -(-rate * CUT_HIDES_S // 60)


def flagged_for_cuts(server: Server) -> int:
    return sum(_bound(row) for row in server.table("losses") if row.tags["reason"] != GIVEN_UP and _bound(row) > 0)


# -- rules


def _sums(case: Case) -> Iterator[Violation]:
    about = {"truth": len(case.truth), "stored": case.stored}
    if case.is_undecidable:
        return
    for direction, moments in (("count_ab", case.book.ab), ("count_ba", case.book.ba)):
        if sum(_int(row, direction) for row in case.bins) > len(moments):
            yield Violation("twice", case.name, about)
            return
    flagged = _flagged(case, 0, _FOR_EVER)
    if case.lost > flagged + case.pardoned and not case.book.is_cloned:
        yield Violation("lost", case.name, {**about, "flagged": flagged})


def _never_too_many(case: Case) -> Iterator[Violation]:
    """In no span of whole minutes more than passed in it."""
    if case.clock_moves or case.is_undecidable:
        return
    slack_s = case.slack_s + (TOLD_S if case.cuts else 0)
    before = 0
    most = -_FOR_EVER  # of truth until a begin minus what is stored until there
    begin = 0
    for row in case.bins:
        if _q(row) & _GUESSED:
            continue
        head = bisect_left(case.truth, row.time_s - slack_s) - before
        if head > most:
            most, begin = head, row.time_s
        before += _count(row)
        end = row.time_s + PERIOD_S
        excess = most + before - bisect_left(case.truth, end + slack_s)
        if excess > 0:
            yield Violation("span-twice", case.name, {"begin": begin, "end": end, "people": excess})
            return


def _never_too_few(case: Case) -> Iterator[Violation]:
    """In no span of whole hours less than passed in it, but for what is flagged there."""
    if case.clock_moves or case.is_guessed or case.book.is_cloned or not case.truth:
        return
    first, last = case.truth[0] // 3600 * 3600, case.truth[-1] // 3600 * 3600
    hours = sorted({second // 3600 * 3600 for second in case.truth} | {first, last})
    for i, begin in enumerate(hours):
        for end in [hour + 3600 for hour in hours[i:]]:
            passed = bisect_left(case.truth, end - case.slack_s) - bisect_left(case.truth, begin + case.slack_s)
            stored = sum(_count(row) for row in case.bins if begin <= row.time_s < end)
            flagged = _flagged(case, begin, end)
            if passed > stored + flagged + case.pardoned:
                about = {"begin": begin, "end": end, "truth": passed, "stored": stored, "flagged": flagged}
                yield Violation("span-lost", case.name, about)
                return


def _ceiling(case: Case) -> Iterator[Violation]:
    if case.forgets or case.book.has_twin:
        return
    flagged = sum(max(0, _bound(row)) for row in case.losses)
    strikes = len(case.cuts) + case.book.torn + len(case.book.flips) + len(case.book.wipes)
    # A cut in the middle of a write costs a boot number, and that may have been a boot.
    most = max(0, case.lost) + (strikes + bool(strikes)) * cut_ceiling(case.book.rate)
    if flagged > most:
        yield Violation("ceiling", case.name, {"flagged": flagged, "most": most, "lost": case.lost, "cuts": strikes})


def _careless(case: Case) -> Iterator[Violation]:
    """Flagged or not, nothing may be lost that no fault has taken."""
    book = case.book
    if case.forgets or book.flips or book.wipes or book.has_twin:
        return
    most = book.given_up + sum(case.buried.values()) + len(case.cuts) * cut_ceiling(book.rate)
    if case.lost > most:
        yield Violation("careless", case.name, {"lost": case.lost, "most": most})


def _gaps(case: Case) -> Iterator[Violation]:
    """A gap stays open only for a node that is gone, and lies only where nothing was counted."""
    minutes = {row.time_s for row in case.bins if not _q(row) & _GUESSED}
    for row in case.gaps:
        until = _int(row, "until")
        if _bound(row) < 0:
            if not (case.book.is_gone or case.book.is_cloned):
                yield Violation("gap-open", case.name, {"begin": row.time_s})
            continue
        if _bound(row) == 0:  # it has been silent, and nobody is missing
            continue
        inside = sum(row.time_s <= minute < until for minute in minutes) * PERIOD_S
        if inside > GAP_SLACK_S and not (case.clock_moves or case.book.has_twin or case.forgets):
            yield Violation("gap-vain", case.name, {"begin": row.time_s, "until": until, "seconds": inside})


def _sources(case: Case) -> Iterator[Violation]:
    """A bin is the sum of the records that named its minute."""
    named: Counter[int] = Counter()
    for _, _, record in case.book.records:
        named[record.bin_start] += record.d_ab + record.d_ba
    has_all = case.lost == 0 and not case.buried
    for row in case.bins:
        if _q(row) & _GUESSED or case.is_cut_near(row.time_s) or (case.clock_moves and case.cuts):
            continue
        count, minute = _count(row), row.time_s
        if minute not in named:
            yield Violation("no-source", case.name, {"minute": minute, "stored": count})
        elif count > named[minute] or (has_all and count < named[minute]):
            yield Violation("bin", case.name, {"minute": minute, "stored": count, "written": named[minute]})


def _unknowns(case: Case) -> Iterator[Violation]:
    for row in case.losses:
        if _bound(row) < 0 or (_int(row, "people") < 0 and row.tags["reason"] not in UNKNOWN_ALLOWED):
            yield Violation("unknown", case.name, {"reason": row.tags["reason"], "hour": row.time_s})


RULES = (_sums, _never_too_many, _never_too_few, _ceiling, _careless, _gaps, _sources, _unknowns)


def _dead_letters(world: World) -> Iterator[Violation]:
    refused = {line.decode() for line in world.server.refused}
    for line, reason in world.gateway.dead_letters():
        if not reason or line not in refused:
            yield Violation("buried", "", {"line": line[:80], "reason": reason})


# -- what stands where


def _flagged(case: Case, begin: int, end: int) -> int:
    """People at most that are flagged for a span, or of whom nobody can know; _FOR_EVER where that has no bound."""
    total = sum(people for minute, people in case.buried.items() if begin <= minute < end)
    total += sum(begin <= moment < end for moment in case.truth if moment < case.unknowable_until)
    for row in case.losses:
        if _reach_back(case, row.time_s) < end and _reach(case, row.time_s) > begin:
            total += _FOR_EVER if _bound(row) < 0 else _bound(row)
    for row in case.gaps:
        until = max(_int(row, "until"), row.time_s + PERIOD_S)
        if not (row.time_s < end and until > begin):
            continue
        if _bound(row) < 0:
            total += _FOR_EVER
        elif row.tags["reason"] == GIVEN_UP or case.book.given_up or _is_near(case.wipes, row.time_s, until):
            total += _bound(row)
    return total


def _is_near(moments: list[int], begin: int, end: int) -> bool:
    return any(begin - GAP_SLACK_S <= moment <= end + GAP_SLACK_S for moment in moments)


def _reach(case: Case, hour: int) -> int:
    """What is flagged in an hour may have been lost until the next minute that is there."""
    times = [row.time_s for row in case.bins]
    after = bisect_left(times, hour + 3600)
    return max(hour + 3600, times[after] if after < len(times) else _FOR_EVER)


def _reach_back(case: Case, hour: int) -> int:
    """What was lost before or between stretches of darkness is flagged behind them: nothing of it was heard before."""
    begin = hour + 3600
    for row in reversed(case.gaps):
        if row.time_s < begin <= _int(row, "until") + 3600 + GAP_SLACK_S:
            begin = row.time_s - PERIOD_S
    return min(hour, begin) if any(row.time_s < min(hour, begin) for row in case.bins) else 0


def _cases(world: World) -> Iterator[Case]:
    tables: dict[str, dict[str, list[Row]]] = {}
    for measurement in ("passages", "losses", "gaps"):
        by_node = tables[measurement] = {}
        for row in sorted(world.server.table(measurement), key=lambda row: row.time_s):
            by_node.setdefault(row.tags["node"], []).append(row)
    buried = _buried(world, tables["passages"])
    late = any(stroke.fault in ("frame_late", "frame_reordered") for stroke in world.plan.strokes)
    for number, book in sorted(world.books.items()):
        name = node_name(number)
        moments = sorted([*book.ab, *book.ba])
        yield Case(
            name, book,
            bins=tables["passages"].get(name, []), losses=tables["losses"].get(name, []), gaps=tables["gaps"].get(name, []),
            buried=buried.get(name, {}),
            truth=[world.second(ms) for ms in moments],
            unknowable_until=world.second(book.unknowable_until_ms),
            cuts=[world.second(ms) for ms in book.cuts],
            wipes=[world.second(ms) for ms in book.wipes],
            slack_s=SLACK_S + (LATE_MS // 1000 if late else 0),
            clock_moves=world.clock_moves,
            forgets=world.forgets,
            is_store_lost=any(stroke.fault in STORE_FALLS for stroke in world.plan.strokes),
        )  # fmt: skip


def _buried(world: World, bins: dict[str, list[Row]]) -> dict[str, dict[int, int]]:
    stored = {(name, row.time_s): _count(row) for name, rows in bins.items() for row in rows}
    found: dict[str, dict[int, int]] = {}
    for line, _ in world.gateway.dead_letters():
        match = _LINE.fullmatch(line)
        if match:
            name, count, minute = match[1], int(match[2]), int(match[3])
            short = count - stored.get((name, minute), 0)
            if short > found.get(name, {}).get(minute, 0):
                found.setdefault(name, {})[minute] = short
    return found


def _int(row: Row, name: str) -> int:
    value = row.fields[name]
    assert isinstance(value, int)
    return value


def _count(row: Row) -> int:
    return _int(row, "count")


def _bound(row: Row) -> int:
    return _int(row, "bound")


def _q(row: Row) -> int:
    return _int(row, "q")
