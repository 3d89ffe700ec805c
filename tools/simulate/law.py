"""The law: for every node and span of time, server <= truth <= server + sum of flagged bounds; and nothing flagged in vain.

Theory of operation
    Held against each other: what detectors reported (the node's book), what nodes wrote down, and the server's rows. A flag is a
    row of `losses`, a row of `gaps` where a flash was lost or has overflowed or a node never came back, and a dead letter. Spans
    have some seconds of slack for clocks; where a minute was placed late or by guess (q bits) only sums are compared. Of boots
    that ended before the gateway had heard anything of the node, nobody can know, nor of a node of which only a store knew that was
    then destroyed. What such a store had only been told (a boot that left no record) is pardoned, too: nobody else knew of it.
    A ceiling keeps flags honest: beyond what was really lost, a power cut may flag 62 s of people at most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.model import PERIOD_S, node_name
from gateway.radio.rounds import PERIOD_MS
from tools.simulate.case import FOR_EVER, GAP_SLACK_S, GIVEN_UP, GUESSED, Case, bound_of, cases_of, count_of, int_of, q_of
from tools.simulate.rolling_law import wrong_results

if TYPE_CHECKING:
    from tools.simulate.server import Server
    from tools.simulate.world import World

CUT_HIDES_S = 62  # a minute, a beat, and the second that an uptime leaves out
TOLD_S = 18  # who is known from live totals alone was told of by the next tick
UNKNOWN_ALLOWED = {"power_cut", "wiped"}  # reasons whose people cannot be known; their bound can


@dataclass(frozen=True)
class Violation:
    """`law` names the message `simulate.law-<law>`, `node` is empty where it is about no node."""

    law: str
    node: str
    numbers: Mapping[str, object] = field(default_factory=dict)


def judge(world: World) -> list[Violation]:
    """Everything that was broken in a schedule that has healed."""
    found = [Violation("run", "", {"what": what}) for what in world.gateway.broken_laws[:5]]
    if not world.forgets:
        for head, time, before, after in world.server.falls[:5]:
            found.append(Violation("fell", head.decode(), {"minute": time, "before": before, "after": after}))
    found += _dead_letters(world)
    found += _adverts(world)
    found += [Violation("rolling", node, numbers) for node, numbers in wrong_results(world)]
    for case in cases_of(world):
        for rule in RULES:
            found += rule(case)
    return found


def cut_ceiling(rate: int) -> int:
    """People that a power cut may flag beyond those that are really lost."""
    return -(-rate * CUT_HIDES_S // 60)


def flagged_for_cuts(server: Server) -> int:
    return sum(bound_of(row) for row in server.table("losses") if row.tags["reason"] != GIVEN_UP and bound_of(row) > 0)


# -- rules


def _sums(case: Case) -> Iterator[Violation]:
    about = {"truth": len(case.truth), "stored": case.stored}
    for direction, moments in (("count_ab", case.book.ab), ("count_ba", case.book.ba)):
        if sum(int_of(row, direction) for row in case.bins) > len(moments):
            yield Violation("twice", case.name, about)
            return
    flagged = case.flagged(0, FOR_EVER)
    if case.lost > flagged + _pardoned(case) and not case.book.is_cloned:
        yield Violation("lost", case.name, {**about, "flagged": flagged})


def _never_too_many(case: Case) -> Iterator[Violation]:
    """In no span of whole minutes more than passed in it."""
    if case.clock_moves:
        return
    slack_s = case.slack_s + (TOLD_S if case.cuts else 0)
    before = 0
    most = -FOR_EVER  # of truth until a begin minus what is stored until there
    begin = 0
    for row in case.bins:
        if q_of(row) & GUESSED:
            continue
        head = bisect_left(case.truth, row.time_s - slack_s) - before
        if head > most:
            most, begin = head, row.time_s
        before += count_of(row)
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
            stored = sum(count_of(row) for row in case.bins if begin <= row.time_s < end)
            flagged = case.flagged(begin, end)
            if passed > stored + flagged + _pardoned(case):
                about = {"begin": begin, "end": end, "truth": passed, "stored": stored, "flagged": flagged}
                yield Violation("span-lost", case.name, about)
                return


def _ceiling(case: Case) -> Iterator[Violation]:
    if case.forgets or case.book.has_twin:
        return
    flagged = sum(max(0, bound_of(row)) for row in case.losses)
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
    minutes = {row.time_s for row in case.bins if not q_of(row) & GUESSED}
    for row in case.gaps:
        until = int_of(row, "until")
        if bound_of(row) < 0:
            if not (case.book.is_gone or case.book.is_cloned):
                yield Violation("gap-open", case.name, {"begin": row.time_s})
            continue
        if bound_of(row) == 0:  # it has been silent, and nobody is missing
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
        if q_of(row) & GUESSED or case.is_cut_near(row.time_s) or (case.clock_moves and case.cuts):
            continue
        count, minute = count_of(row), row.time_s
        if minute not in named:
            yield Violation("no-source", case.name, {"minute": minute, "stored": count})
        elif count > named[minute] or (has_all and count < named[minute]):
            yield Violation("bin", case.name, {"minute": minute, "stored": count, "written": named[minute]})


def _unknowns(case: Case) -> Iterator[Violation]:
    for row in case.losses:
        allowed = UNKNOWN_ALLOWED | ({GIVEN_UP} if case.is_store_lost else set())
        if bound_of(row) < 0 or (int_of(row, "people") < 0 and row.tags["reason"] not in allowed):
            yield Violation("unknown", case.name, {"reason": row.tags["reason"], "hour": row.time_s})


def _pardoned(case: Case) -> int:
    """People of whom only a store knew that was destroyed: what it was told of boots that left no record behind."""
    return (len(case.cuts) + len(case.wipes)) * cut_ceiling(case.book.rate) if case.is_store_lost else 0


RULES = (_sums, _never_too_many, _never_too_few, _ceiling, _careless, _gaps, _sources, _unknowns)


def _adverts(world: World) -> Iterator[Violation]:
    """No number twice under a key; and where no fault strikes nobody is spoken to more often than once an hour."""
    names = {node.radio.key.address: node_name(node.number) for node in world.nodes if node.radio is not None}
    for address, counter in world.air.counted_twice:
        yield Violation("counter-twice", names[address], {"counter": counter})
    before: dict[str, int] = {}
    for at_ms, address in world.air.begun if not world.plan.strokes else ():
        if at_ms < world.heals_from_ms and at_ms - before.get(address, at_ms - PERIOD_MS) < PERIOD_MS:
            yield Violation("spoken-to-often", names[address], {"seconds": (at_ms - before[address]) // 1000})
        before[address] = at_ms


def _dead_letters(world: World) -> Iterator[Violation]:
    refused = {line.decode() for line in world.server.refused}
    for line, reason in world.gateway.dead_letters():
        if not reason or line not in refused:
            yield Violation("buried", "", {"line": line[:80], "reason": reason})
