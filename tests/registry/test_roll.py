"""tools.registry.roll: a configuration changed in its own text, and nothing else in it."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.registry import roll
from tools.registry.roll import NotEditable

T = 1_800_000_000
TEXT = """\
# the street
[gateway]
id = "gw"  # ours

[sites.a]
name = 'A'   # where it all began
# and a remark

[nodes.tr-0000b2]  # the first
site = "a"   # at the lamp

[uplink]
enabled = false
# the end
"""
MOVED = """\
[nodes.tr-0000b2]
placements = [
  { site = "a", valid_until = 2026-05-01T00:00:00+02:00 },  # the first street
  { site = "b", valid_from = 2026-05-01T00:00:00+02:00 },
]
"""


def moment(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def kept(before: str, after: str) -> bool:
    """Whether every line that was there is there still, in its order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


def test_a_new_node_stands_at_the_end_and_every_other_line_as_it_was():
    after = roll.add_node(TEXT, "tr-0000c3", "a", 'Nord "1"', T)
    assert after.startswith(TEXT + "\n")
    assert tomllib.loads(after)["nodes"]["tr-0000c3"] == {"name": 'Nord "1"', "site": "a", "valid_from": moment(T)}


def test_a_new_node_since_ever_has_a_site_and_no_more():
    assert tomllib.loads(roll.add_node("", "tr-0000c3", "a")) == {"nodes": {"tr-0000c3": {"site": "a"}}}


def test_a_new_site_has_its_name():
    assert tomllib.loads(roll.add_site(TEXT, "b", "B"))["sites"]["b"] == {"name": "B"}


def test_an_end_is_one_line_more():
    after = roll.end_stay(TEXT, "tr-0000b2", T)
    assert kept(TEXT, after)
    assert after.splitlines()[10] == "valid_until = 2027-01-15T08:00:00Z"
    assert len(after.splitlines()) == len(TEXT.splitlines()) + 1


def test_the_placement_that_has_begun_last_ends():
    after = roll.end_stay(MOVED, "tr-0000b2", T)
    first, second = tomllib.loads(after)["nodes"]["tr-0000b2"]["placements"]
    assert second == {"site": "b", "valid_from": first["valid_until"], "valid_until": moment(T)}
    assert "# the first street" in after


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        MOVED,
        "[nodes]\ntr-0000b2 = { site = 'a', valid_until = 2020-01-01T00:00:00Z }\n[serial]\n",
        "[[nodes.tr-0000b2.placements]]\nsite = 'a'\nvalid_until = 2020-01-01T00:00:00Z\n[serial]\nports = []\n",
        "[nodes.tr-0000b2]\nsite='a'\n[serial]\n[nodes.tr-0000c3]\nsite='a'\n[uplink]\n",  # nodes are not together
        "nodes.tr-0000b2.site = 'a'\n[serial]\n",
        TEXT.replace("\n", "\r\n"),
    ],
)
def test_one_more_stay_keeps_those_before(text):
    before, after = tomllib.loads(text), tomllib.loads(roll.begin_stay(text, "tr-0000b2", "b", T))
    was = before["nodes"].pop("tr-0000b2")
    *stays, last = after["nodes"].pop("tr-0000b2").pop("placements")
    assert stays == was.get("placements", [{key: was[key] for key in ("site", "valid_until") if key in was}])
    assert last == {"site": "b", "valid_from": moment(T)}
    assert after == before


def test_the_remark_behind_a_site_stays_when_it_becomes_several():
    after = roll.begin_stay(TEXT, "tr-0000b2", "b", T)
    assert "# at the lamp" in after
    assert "# the first" in after


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        (TEXT, ["/dev/x"]),
        ("[serial]\n", ["/dev/x"]),
        ("[serial]\nports = [  # all\n  '/dev/a',  # the left one\n]\n", ["/dev/a", "/dev/x"]),
    ],
)
def test_a_port_is_added_to_those_that_are_listed(text, ports):
    after = roll.list_port(text, "/dev/x")
    assert tomllib.loads(after)["serial"]["ports"] == ports
    assert "#" not in text or text.count("#") == after.count("#")


def test_line_ends_stay_those_of_the_file():
    text = TEXT.replace("\n", "\r\n")
    for after in (roll.add_node(text, "tr-0000c3", "a"), roll.add_site(text, "b", "B")):
        assert "\n" not in after.replace("\r\n", "")


NAMES = st.text(st.characters(blacklist_categories=("Cs",)), max_size=60)


@given(NAMES)
def test_any_name_is_read_as_it_was_given(name):
    renamed = tomllib.loads(roll.set_name(TEXT, "tr-0000b2", name))
    assert renamed["nodes"]["tr-0000b2"] == {"site": "a", "name": name}
    assert tomllib.loads(roll.add_site("", "a", name))["sites"]["a"]["name"] == name


@pytest.mark.parametrize("text", ["serial = 3", "[serial", ""])
def test_what_cannot_be_changed_is_said(text):
    with pytest.raises(NotEditable):
        roll.set_name(text, "tr-0000b2", "x")
    if text:
        with pytest.raises(NotEditable):
            roll.list_port(text, "x")
