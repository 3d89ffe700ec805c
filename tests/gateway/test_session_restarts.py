"""gateway.session: wherever the gateway is killed and starts again from its store, what becomes of the people is the same."""

from __future__ import annotations

import pytest

from gateway.model import Accept, Gap, Loss, Salvage
from tests.gateway.parts import NEW, NODE, RATE, T0, Desk, acked, hello, live, minute, of_kind

SILENCE = "is anybody silent?"

# (seconds after T0, what is heard or asked). Live totals are told every ten seconds: what one restart forgets, the next tells.
STORY = [
    (0, hello(boot=0xFFFE)),
    (61, minute(1, T0, 3, boot=0xFFFE, total=(3, 0))),
    (61, minute(1, T0, 3, boot=0xFFFE, total=(3, 0))),
    (121, minute(9, T0 + 60, 1, boot=0xFFFE, previous=1, total=(9, 0), uptime_end_s=120)),  # five were given up
    (140, live(0xFFFE, 140, 12, covered_s=20)),
    (140, live(0xFFFE, 140, 12, covered_s=20)),
    (150, hello(boot=0xFFFF, next_seq=256)),  # a power cut, and another before a record
    (155, live(0xFFFF, 5, 2, covered_s=5)),
    (155, live(0xFFFF, 5, 2, covered_s=5)),
    (160, hello(boot=0, next_seq=512)),
    (181, minute(512, T0 + 120, 4, previous=9, boot=0, uptime_end_s=21, covered_s=21)),
    (300, minute(513, 0, 1, boot=0, total=(5, 0), uptime_end_s=81)),  # it does not know the time
    (2000, SILENCE),
    (9000, hello(boot=2, next_seq=768)),
    (9061, minute(768, T0 + 9000, 2, previous=513, boot=2)),  # boot 1 was never heard
    (9100, minute(769, T0 + 86_400, 2, boot=2, total=(4, 0))),  # from the future
    (9130, minute(769, T0 + 9060, 2, boot=2, total=(4, 0), uptime_end_s=120)),
    (9140, live(2, 140, 9, covered_s=20)),
    (9140, live(2, 140, 9, covered_s=20)),
    (9400, hello(boot=1, incarnation=NEW)),  # wiped
    (9461, minute(1, T0 + 9400 // 60 * 60, 6, incarnation=NEW)),
    (9461, minute(1, T0 + 9400 // 60 * 60, 6, incarnation=NEW)),
    (11_000, SILENCE),
    (11_001, minute(2, T0 + 9420, 1, incarnation=NEW, total=(7, 0), uptime_end_s=120)),
]
TOLD_ONLY_TO_US = 8  # the last live message of a boot, and nothing yet that is committed; see the last test but one


def tell(desk: Desk, at_s: int, event) -> list:
    if event is SILENCE:
        return desk.commit(desk.session.check_silence(T0 + at_s))
    return desk.hear(event, T0 + at_s)


def outcome(restart_after: int | None, story=STORY) -> dict:
    desk = Desk()
    effects = []
    for n, (at_s, event) in enumerate(story):
        effects += tell(desk, at_s, event)
        if n == restart_after:
            desk.restart()
    found = {
        "bins": desk.counts(),
        "covered": desk.covered(),
        "losses": of_kind(effects, Loss),
        "gaps": of_kind(effects, Gap),
        "salvaged": [(found.bin_start - T0, found.ab) for found in of_kind(effects, Salvage)],
        "accepted": [accept.record.seq for accept in of_kind(effects, Accept)],
        "silences": desk.store.silences(),
    }
    desk.store.close()
    return found


def test_the_story_has_everything_in_it():
    found = outcome(None)
    assert found["accepted"] == [1, 9, 512, 513, 768, 769, 1, 2]
    assert found["salvaged"] == [(120, 3), (120, 2), (9120, 5)]
    assert [(loss.reason, loss.bound) for loss in found["losses"]] == [
        ("given_up", 5),
        ("power_cut", RATE * 12 // 60),
        ("power_cut", RATE * 7 // 60),
        ("power_cut", RATE * (62 + 62) // 60),
        ("wiped", RATE * 62 // 60),
    ]
    assert [(gap.reason, gap.start_s - T0, gap.until_s - T0, gap.resolved_s > 0) for gap in found["gaps"]] == [
        ("silent", 240, 2000, False),
        ("silent", 240, 9000, True),
        ("dark", 240, 9000, False),
        ("wiped", 9180, 9360, False),
        ("silent", 9420, 11_000, False),
        ("silent", 9420, 9420, True),
    ]
    assert found["silences"] == []


@pytest.mark.parametrize("restart_after", [n for n in range(len(STORY)) if n != TOLD_ONLY_TO_US])
def test_a_restart_at_any_place_changes_nothing(restart_after):
    assert outcome(restart_after) == outcome(None)


def test_what_was_told_only_to_a_session_that_is_gone_is_bounded_instead():
    story = [
        (0, hello()),
        (10, live(1, 10, 1, covered_s=10)),
        (61, minute(1, T0, 3)),
        (90, live(1, 90, 8, covered_s=30)),  # no status is due: only the session knows of five people
        (180, minute(256, T0 + 120, previous=1, boot=2)),
    ]
    assert outcome(None, story)["salvaged"] == [(60, 5)]
    found = outcome(3, story)
    assert found["salvaged"] == []
    assert [(loss.reason, loss.bound) for loss in found["losses"]] == [("power_cut", RATE * 62 // 60)]


def test_a_record_is_acknowledged_again_after_any_number_of_restarts():
    desk = Desk()
    desk.hear(hello(), T0)
    for _ in range(5):
        assert acked(desk.hear(minute(1, T0, 3), T0 + 61)) == 1
        desk.restart()
    assert desk.counts() == {T0: (3, 0)}
    assert [stream.node for stream in desk.store.streams()] == [NODE]
