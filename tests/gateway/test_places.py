"""gateway.places: where a node stood, when it stands elsewhere, and when it is retired."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.places import NodeConfig

HOUR = 3600


def at(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR, UTC)


def moved(*stays: tuple[str, int | None, int | None]) -> NodeConfig:
    """(site, first hour, hour after the last)."""
    placements = [
        {"site": site, **({} if a is None else {"valid_from": at(a)}), **({} if b is None else {"valid_until": at(b)})}
        for site, a, b in stays
    ]
    return NodeConfig.model_validate({"placements": placements})


def where(node: NodeConfig, hours: int = 8) -> list[str | None]:
    return [node.site_at(hour * HOUR) for hour in range(hours)]


def test_a_site_alone_is_for_ever():
    node = NodeConfig(site="a")
    assert where(node, 3) == ["a", "a", "a"]
    assert node.next_change(0) is None
    assert not node.is_retired(10**12)


def test_a_node_that_was_put_up_later_and_retired_stands_nowhere_before_and_after():
    node = NodeConfig(site="a", valid_from=at(2), valid_until=at(5))
    assert where(node) == [None, None, "a", "a", "a", None, None, None]
    assert [node.next_change(hour * HOUR) for hour in (0, 2, 5)] == [2 * HOUR, 5 * HOUR, None]
    assert [node.is_retired(hour * HOUR) for hour in (0, 4, 5)] == [False, False, True]


def test_the_second_before_a_change_is_still_of_the_old_site():
    node = moved(("a", None, 2), ("b", 2, None))
    assert (node.site_at(2 * HOUR - 1), node.site_at(2 * HOUR)) == ("a", "b")


def test_the_later_placement_that_has_begun_decides():
    assert where(moved(("b", 3, None), ("a", 1, 6))) == [None, "a", "a", "b", "b", "b", "b", "b"]


def test_a_node_may_be_nowhere_between_two_sites():
    node = moved(("a", None, 2), ("b", 4, None))
    assert where(node, 6) == ["a", "a", None, None, "b", "b"]
    assert not node.is_retired(3 * HOUR)


def test_two_stays_at_one_site_are_no_change():
    assert moved(("a", 1, 3), ("a", 3, None)).next_change(HOUR) is None


HOURS = st.integers(0, 12)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), HOURS, st.none() | HOURS), min_size=1, max_size=4, unique_by=lambda stay: stay[1]),
    HOURS,
)
def test_between_two_changes_a_node_stands_at_one_place(stays, begin):
    node = moved(*[(site, a, b) for site, a, b in stays if b is None or b > a] or [("a", 0, None)])
    change = node.next_change(begin * HOUR)
    until = 20 if change is None else change // HOUR
    assert {node.site_at(hour * HOUR) for hour in range(begin, until)} == {node.site_at(begin * HOUR)}
    if change is not None:
        assert node.site_at(change) != node.site_at(begin * HOUR)


@pytest.mark.parametrize("key", ["valid_from", "valid_until"])
def test_bounds_are_beside_a_site_only(key):
    with pytest.raises(ValueError, match="valid_with_site"):
        NodeConfig.model_validate({"placements": [{"site": "a", "valid_from": at(1)}], key: at(2)})
