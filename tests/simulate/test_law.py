"""The law sees one person too many, one too few, and one flagged in vain."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.model import Q_TIME_HELD
from gateway.uplink.base import Row
from streetwire import Record
from tools.simulate import law
from tools.simulate.books import NodeBook
from tools.simulate.case import Case

HOUR = 1_800_000_000
TAGS = {"site": "s", "node": "tr-a00001", "sensor": "radar"}


def a_bin(minute: int, count: int, q: int = 0) -> Row:
    return Row(TAGS, HOUR + 60 * minute, {"count": count, "count_ab": count, "count_ba": 0, "q": q})


def a_loss(bound: int, reason: str = "power_cut", people: int = -1, hour: int = 0) -> Row:
    return Row({"reason": reason}, HOUR + 3600 * hour, {"people": people, "bound": bound})


def a_gap(first: int, until: int, bound: int) -> Row:
    return Row({"reason": "dark"}, HOUR + 60 * first, {"until": HOUR + 60 * until, "bound": bound, "resolved": 0})


def a_case(counts: dict[int, int], bins, passed: dict[int, int] | None = None, **more) -> Case:
    """`counts` are what the node wrote down for each minute, `passed` what its detector saw there, the same by default."""
    moments = [HOUR + 60 * minute + 30 for minute, n in (passed or counts).items() for _ in range(n)]
    book = NodeBook(0xA00001, "s", 60, ab=[0] * len(moments))
    total = 0
    for seq, (minute, n) in enumerate(sorted(counts.items()), 1):
        total += n
        book.records.append((0, 1, Record(seq, 1, HOUR + 60 * minute, 60 * seq, 60, n, 0, total, 0)))
    case = Case("tr-a00001", book, list(bins), [], [], {}, sorted(moments), 0, [], [], 6, False, False, False)
    return dataclasses.replace(case, **more)


def broken(case: Case) -> set[str]:
    return {violation.law for rule in law.RULES for violation in rule(case)}


def test_closed_books_break_nothing():
    assert not broken(a_case({0: 5, 1: 7}, [a_bin(0, 5), a_bin(1, 7)]))


def test_one_person_lost_without_a_word():
    assert "lost" in broken(a_case({0: 5, 1: 7}, [a_bin(0, 5), a_bin(1, 6)]))


def test_one_person_counted_twice():
    assert "twice" in broken(a_case({0: 5, 1: 7}, [a_bin(0, 5), a_bin(1, 8)]))


def test_one_person_counted_in_the_wrong_direction():
    wrong = Row(TAGS, HOUR, {"count": 5, "count_ab": 4, "count_ba": 1, "q": 0})
    assert "twice" in broken(a_case({0: 5}, [wrong]))


def test_people_in_another_minute_are_seen_although_the_sum_is_right():
    assert {"span-twice", "bin"} <= broken(a_case({0: 5, 1: 7}, [a_bin(0, 7), a_bin(1, 5)]))


def test_a_minute_placed_by_guess_is_held_against_the_sum_only():
    assert not broken(a_case({0: 5, 1: 7}, [a_bin(0, 7, Q_TIME_HELD), a_bin(1, 5, Q_TIME_HELD)]))


def test_people_flagged_in_another_hour_do_not_excuse_this_one():
    passed = {0: 5, 70: 5}
    lost = a_case(passed, [a_bin(0, 4), a_bin(1, 0), a_bin(60, 0), a_bin(70, 5)], cuts=[HOUR + 30])
    assert "span-lost" in broken(dataclasses.replace(lost, losses=[a_loss(1, hour=1)]))
    assert "span-lost" not in broken(dataclasses.replace(lost, losses=[a_loss(1, hour=0)]))


def test_what_a_cut_may_flag_has_a_ceiling():
    cut = a_case({0: 5, 1: 7}, [a_bin(0, 5), a_bin(1, 7)], cuts=[HOUR + 90])
    assert not broken(dataclasses.replace(cut, losses=[a_loss(124)]))
    assert broken(dataclasses.replace(cut, losses=[a_loss(125)])) == {"ceiling"}


def test_without_a_fault_that_loses_nothing_may_be_flagged():
    assert broken(a_case({0: 5}, [a_bin(0, 5)], losses=[a_loss(1)])) == {"ceiling"}


def test_people_are_not_lost_only_because_it_is_said():
    said = a_case({0: 5, 1: 7}, [a_bin(0, 5)], losses=[a_loss(7, "given_up", 7)])
    assert broken(said) == {"careless"}
    said.book.given_up = 7
    assert not broken(said)


def test_a_gap_over_minutes_that_were_counted():
    bins = [a_bin(minute, 1) for minute in range(10)]
    assert broken(a_case(dict.fromkeys(range(10), 1), bins, gaps=[a_gap(2, 8, 60)])) == {"gap-vain"}
    assert not broken(a_case(dict.fromkeys(range(10), 1), bins, gaps=[a_gap(2, 4, 60)]))


def test_a_gap_of_a_node_that_is_back_is_closed():
    assert broken(a_case({0: 1}, [a_bin(0, 1)], gaps=[a_gap(2, 20, -1)])) == {"gap-open"}


def test_a_bin_without_a_record():
    assert "no-source" in broken(a_case({0: 5}, [a_bin(0, 5), a_bin(1, 0)]))


def test_people_whose_number_nobody_knows_need_a_reason_for_it():
    assert "unknown" in broken(a_case({0: 5}, [a_bin(0, 5)], losses=[a_loss(3, "given_up")]))


def test_people_of_a_boot_that_nobody_ever_heard_cannot_be_known():
    passed = a_case({0: 5, 3: 7}, [a_bin(3, 7)], cuts=[HOUR + 60])
    assert "lost" in broken(passed)
    assert not broken(dataclasses.replace(passed, unknowable_until=HOUR + 60))


def test_a_refused_line_is_a_flag():
    assert not broken(a_case({0: 5, 1: 7}, [a_bin(0, 5)], buried={HOUR + 60: 7}))


@pytest.mark.parametrize("rate", [1, 60, 240])
def test_the_ceiling_is_a_minute_and_two_seconds_of_the_greatest_rate(rate):
    assert law.cut_ceiling(rate) == -(-rate * 62 // 60)
