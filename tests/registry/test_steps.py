"""tools.registry.steps: what may change in a configuration, and what may not."""

from __future__ import annotations

import pytest

from gateway import config
from tools.registry import steps
from tools.registry.steps import Books, RegistryError

OLD, NEW = "tr-0000b2", "tr-0000c3"
T = 1_800_000_000
TEXT = """\
[sites.bahnhof]
[sites.jahnplatz]
[nodes.tr-0000b2]
name = "Nord"
site = "bahnhof"
"""


def books(text: str = TEXT, **newest: int) -> Books:
    return Books(text, config.parse(text, "t", {}), lambda node: newest.get(node.replace("-", "_")))


def after(change: steps.Change) -> config.Config:
    return config.parse(change.text, "t", {})


def key_of(work, *arguments) -> str:
    with pytest.raises(RegistryError) as caught:
        work(*arguments)
    assert "\n" not in caught.value.line("de")
    return caught.value.key


def add(found: Books, node: str = NEW, site: str = "jahnplatz", at_s: int | None = None, is_new: bool = False) -> steps.Change:
    return steps.add(found, node, site, "", at_s, T - 30, is_new)


def test_a_new_node_is_at_its_site_since_ever():
    assert after(add(books())).site_of(NEW, 0) == "jahnplatz"


def test_a_new_node_that_begins_at_a_minute_stood_nowhere_before():
    found = after(add(books(), at_s=T))
    assert (found.site_of(NEW, T - 1), found.site_of(NEW, T)) == (None, "jahnplatz")


def test_a_site_that_is_missing_is_made():
    change = add(books(), site="kesselbrink")
    assert change.new_site
    assert after(change).sites["kesselbrink"].name == "kesselbrink"


def test_a_slip_of_the_finger_makes_no_site_unless_it_is_meant():
    assert key_of(add, books(), NEW, "bahnhoff") == "site-unlisted-meant"
    assert after(add(books(), site="bahnhof-2", is_new=True)).site_of(NEW, T) == "bahnhof-2"


def test_a_node_that_is_at_a_site_is_not_added_again():
    assert key_of(add, books(), OLD) == "node-elsewhere"


def test_a_retired_node_may_come_back_from_the_next_minute_on():
    retired = books(steps.retire(books(), OLD, T - 600).text)
    change = add(retired, OLD)
    assert change.at_s == T
    assert [after(change).site_of(OLD, at_s) for at_s in (T - 601, T - 600, T - 1, T)] == ["bahnhof", None, None, "jahnplatz"]


def test_it_does_not_come_back_before_minutes_that_are_booked():
    retired = books(steps.retire(books(), OLD, T - 600).text, tr_0000b2=T - 660)
    assert key_of(add, retired, OLD, "jahnplatz", T - 660) == "node-elsewhere"
    assert after(add(retired, OLD, at_s=T - 600)).site_of(OLD, T - 600) == "jahnplatz"


def test_renaming_changes_nothing_but_the_name():
    found = after(steps.rename(books(), OLD, "Süd"))
    assert found.nodes[OLD].name == "Süd"
    assert found.site_of(OLD, T) == "bahnhof"


@pytest.mark.parametrize("work", [steps.rename, steps.retire])
def test_who_is_not_listed_is_not_changed(work):
    assert key_of(work, books(), NEW, T if work is steps.retire else "x") == "node-unlisted-meant"
    assert key_of(work, books("[sites.a]\n"), NEW, T if work is steps.retire else "x") == "node-unlisted"


def test_a_retired_node_stands_nowhere_from_that_minute_on():
    found = after(steps.retire(books(), OLD, T))
    assert (found.site_of(OLD, T - 1), found.site_of(OLD, T)) == ("bahnhof", None)
    assert found.nodes[OLD].is_retired(T)


def test_no_stay_ends_before_a_minute_that_is_booked():
    assert key_of(steps.retire, books(tr_0000b2=T), OLD, T) == "node-counted"
    assert after(steps.retire(books(tr_0000b2=T - 60), OLD, T)).site_of(OLD, T) is None


def test_nobody_retires_twice():
    retired = books(steps.retire(books(), OLD, T).text)
    assert key_of(steps.retire, retired, OLD, T + 60) == "node-nowhere"
    assert key_of(steps.retire, retired, OLD, T - 60) == "node-leaves"


@pytest.mark.parametrize(("at_s", "key"), [(T - 60, "node-nowhere"), (T, "node-only-comes"), (T + 600, "node-leaves")])
def test_a_node_that_moves_by_its_placements_is_left_to_them(at_s, key):
    text = TEXT + "[nodes.tr-0000c3]\nplacements = [{site = 'bahnhof', valid_from = 2027-01-15T08:00:00Z},"
    text += "{site = 'jahnplatz', valid_from = 2027-01-15T09:00:00Z}]\n"
    assert key_of(steps.retire, books(text), NEW, at_s) == key
    if key != "node-nowhere":
        assert key_of(steps.retire, books(text), NEW, T + 3600) == "node-only-comes"


def test_the_new_one_begins_in_the_minute_in_which_the_old_one_ends_with_its_name():
    found = after(steps.replace(books(), OLD, NEW, T))
    assert [found.site_of(OLD, at_s) for at_s in (T - 1, T)] == ["bahnhof", None]
    assert [found.site_of(NEW, at_s) for at_s in (T - 1, T)] == [None, "bahnhof"]
    assert found.nodes[NEW].name == "Nord"
    assert found.sites == books().config.sites


def test_a_retired_node_may_take_a_place():
    text = TEXT + "[nodes.tr-0000c3]\nname = 'x'\nsite = 'jahnplatz'\nvalid_until = 2027-01-15T07:00:00Z\n"
    found = after(steps.replace(books(text), OLD, NEW, T))
    assert [found.site_of(NEW, at_s) for at_s in (T - 3601, T - 60, T)] == ["jahnplatz", None, "bahnhof"]
    assert found.nodes[NEW].name == "Nord"


def test_what_cannot_be_replaced_is_said():
    elsewhere = TEXT + "[nodes.tr-0000c3]\nsite = 'jahnplatz'\n"
    assert key_of(steps.replace, books(), OLD, OLD, T) == "node-same"
    assert key_of(steps.replace, books(), NEW, OLD, T) == "node-unlisted-meant"
    assert key_of(steps.replace, books(elsewhere), OLD, NEW, T) == "node-elsewhere"
    assert key_of(steps.replace, books(tr_0000b2=T), OLD, NEW, T) == "node-counted"
    retired = steps.retire(books(), OLD, T - 60).text
    assert key_of(steps.replace, books(retired), OLD, NEW, T) == "node-nowhere"


def test_the_next_minute_is_one_in_which_nobody_has_counted():
    assert steps.next_minute(T - 60) == steps.next_minute(T - 1) == T
