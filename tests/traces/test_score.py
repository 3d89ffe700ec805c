"""The score: the largest matching there is, by brute force; the ratios, and where there are none."""

from __future__ import annotations

from itertools import combinations, permutations

from hypothesis import given
from hypothesis import strategies as st

from tools.traces.score import Score, score

passages = st.lists(st.tuples(st.integers(0, 40).map(lambda t: t * 250), st.sampled_from(["ab", "ba"])), max_size=5)


def largest_matching(true, counted, tolerance_ms: int) -> int:
    """Tries every way to pair them."""
    few, many = sorted((true, counted), key=len)
    for size in range(len(few), 0, -1):
        for some in combinations(few, size):
            for others in permutations(many, size):
                if all(a[1] == b[1] and abs(a[0] - b[0]) <= tolerance_ms for a, b in zip(some, others, strict=True)):
                    return size
    return 0


@given(passages, passages)
def test_no_matching_is_larger(true, counted):
    found = score(true, counted)
    assert found == Score(len(true), len(counted), largest_matching(true, counted, 1000))


def test_who_is_nearest_is_not_always_whose_pair_it_is():
    # 1.9 s is nearer to 2.0 s, but then 1.0 s has nobody.
    assert score([(1000, "ab"), (2000, "ab")], [(1900, "ab"), (2900, "ab")]).matched == 2


def test_a_second_is_within_a_second_and_more_is_not():
    assert score([(5000, "ab")], [(6000, "ab")]).matched == 1
    assert score([(5000, "ab")], [(6001, "ab")]).matched == 0
    assert score([(5000, "ab")], [(4000, "ab")]).matched == 1
    assert score([(5000, "ab")], [(3999, "ab")]).matched == 0


def test_the_other_direction_is_no_match():
    assert score([(5000, "ab")], [(5000, "ba")]).matched == 0


def test_one_passage_serves_once():
    assert score([(5000, "ab")], [(4900, "ab"), (5100, "ab")]).matched == 1


def test_ratios():
    found = Score(true=10, counted=8, matched=6)
    assert (found.precision, found.recall, found.f1, found.signed_error) == (0.75, 0.6, 12 / 18, -0.2)
    assert Score(true=4, counted=5, matched=4).signed_error == 0.25


def test_nothing_is_divided_by_nothing():
    nobody = Score(0, 0, 0)
    assert (nobody.precision, nobody.recall, nobody.f1, nobody.signed_error) == (None, None, None, None)
    ghost = Score(true=0, counted=1, matched=0)
    assert (ghost.precision, ghost.recall, ghost.f1, ghost.signed_error) == (0.0, None, 0.0, None)
