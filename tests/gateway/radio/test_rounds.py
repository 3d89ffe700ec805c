"""gateway.radio.rounds: every node has its turn once an hour, sooner where that helps, and never two at once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.radio.rounds import APART_MS, FIRST_FAILURE_MS, FIRST_WANT_MS, HEARD_MS, MAX_PAUSE_MS, PERIOD_MS, Rounds

START_MS = 7_000_000
TALK_MS = 2_000
BEAT_MS = 1_000
NODE, OTHER = 11, 12


def rounds(jitter: float = 1.0) -> Rounds:
    return Rounds(lambda: jitter)


def spoken_to(at_ms: int = START_MS) -> Rounds:
    """One node, whose first conversation ended at `at_ms`."""
    made = rounds()
    made.heard(NODE, at_ms)
    assert made.next(at_ms) == NODE
    made.ended(NODE, at_ms, is_done=True)
    return made


def play(made: Rounds, nodes: range, since_ms: int, until_ms: int, wanted: frozenset[int] = frozenset()) -> list[tuple[int, int]]:
    """(when, whom) of every conversation; all are done after TALK_MS. Everybody is heard all the time, `wanted` always wanted."""
    begun: list[tuple[int, int]] = []
    now_ms = since_ms
    while now_ms < until_ms:
        for node in nodes:
            made.heard(node, now_ms)
            if node in wanted:
                made.want(node, now_ms)
        node = made.next(now_ms)
        if node is None:
            now_ms += BEAT_MS
            continue
        begun.append((now_ms, node))
        now_ms += TALK_MS
        made.ended(node, now_ms, is_done=True)
    return begun


def test_a_node_that_was_never_spoken_to_is_due_as_soon_as_it_is_heard():
    made = rounds()
    assert (made.due_ms(START_MS), made.next(START_MS)) == (None, None)
    made.heard(NODE, START_MS)
    assert made.due_ms(START_MS) == START_MS
    assert made.next(START_MS) == NODE


def test_one_at_a_time():
    made = rounds()
    made.heard(NODE, START_MS)
    made.heard(OTHER, START_MS)
    assert made.next(START_MS) == NODE
    assert made.speaking_to == NODE
    assert (made.due_ms(START_MS), made.next(START_MS)) == (None, None)
    made.ended(NODE, START_MS, is_done=True)
    assert made.next(START_MS) == OTHER


def test_then_once_an_hour():
    begun = play(rounds(), range(1), START_MS, START_MS + 3 * PERIOD_MS)
    assert [at - START_MS for at, _ in begun] == [0, PERIOD_MS, 2 * PERIOD_MS]


def test_fifty_that_were_heard_at_once_do_not_meet_an_hour_later():
    begun = play(rounds(), range(50), START_MS, START_MS + 4 * PERIOD_MS)
    assert {node for _, node in begun[:50]} == set(range(50))
    later = [at for at, _ in begun[50:]]
    assert min(b - a for a, b in pairwise(later)) > 30_000
    for node in range(50):
        times = [at for at, each in begun if each == node]
        assert PERIOD_MS <= times[1] - times[0] < 2 * PERIOD_MS
        assert all(PERIOD_MS <= b - a < PERIOD_MS + 60_000 for a, b in pairwise(times[1:]))


def test_two_that_were_heard_at_once_are_a_minute_apart_an_hour_later():
    begun = play(rounds(), range(2), START_MS, START_MS + 2 * PERIOD_MS)
    assert [node for _, node in begun[:4]] == [0, 1, 0, 1]
    assert APART_MS <= begun[3][0] - begun[2][0] < APART_MS + 2 * TALK_MS


def test_two_hundred_find_room_within_the_hour_all_the_same():
    begun = play(rounds(), range(200), START_MS, START_MS + 2 * PERIOD_MS + 200 * TALK_MS)
    assert min(Counter(node for _, node in begun).values()) >= 2


def test_who_is_not_heard_is_not_tried():
    made = rounds()
    made.heard(NODE, START_MS)
    assert made.next(START_MS + HEARD_MS + 1) is None
    assert made.due_ms(START_MS + HEARD_MS + 1) is None
    made.heard(NODE, START_MS + 10 * HEARD_MS)
    assert made.next(START_MS + 11 * HEARD_MS) == NODE


# -- wanted


def test_a_wanted_node_is_brought_forward():
    made = spoken_to()
    made.want(NODE, START_MS + 40_000)
    assert made.due_ms(START_MS + 40_000) == START_MS + 40_000
    assert made.next(START_MS + 40_000) == NODE


def test_but_not_right_behind_its_last_conversation():
    made = spoken_to()
    made.want(NODE, START_MS + 1)
    assert made.due_ms(START_MS + 1) == START_MS + FIRST_WANT_MS


def test_while_it_does_not_help_the_pause_doubles():
    begun = [at for at, _ in play(rounds(), range(1), START_MS, START_MS + 2 * PERIOD_MS, frozenset((0,)))]
    pauses = [b - a - TALK_MS for a, b in pairwise(begun)]
    assert pauses[:6] == [FIRST_WANT_MS << k for k in range(5)] + [MAX_PAUSE_MS]
    assert set(pauses[6:]) == {MAX_PAUSE_MS}


def test_once_it_has_helped_the_next_wish_is_granted_soon():
    made = spoken_to()
    for at_ms in (START_MS + 40_000, START_MS + 200_000, START_MS + 400_000):
        made.heard(NODE, at_ms)
        made.want(NODE, at_ms)
        assert made.next(at_ms) == NODE
        made.ended(NODE, at_ms, is_done=True)


def test_a_wish_for_whom_we_are_speaking_to_is_no_further_one():
    made = spoken_to()
    at_ms = START_MS + PERIOD_MS
    made.heard(NODE, at_ms)
    made.next(at_ms)
    made.want(NODE, at_ms + 1)
    made.ended(NODE, at_ms + 2, is_done=True)
    assert made.due_ms(at_ms + 2) == at_ms + PERIOD_MS
    made.want(NODE, at_ms + 3)
    assert made.due_ms(at_ms + 3) == at_ms + 2 + FIRST_WANT_MS, "and it does not tell that speaking does not help"


def test_a_wish_for_whom_nobody_has_heard_waits_for_nothing():
    made = rounds()
    made.want(NODE, START_MS)
    assert made.next(START_MS) is None


# -- failed


def failed_at(made: Rounds, at_ms: int, has_brought: bool = False) -> int:
    """Tries once; how long after that it is due again."""
    made.heard(NODE, at_ms)
    assert made.next(at_ms) == NODE
    made.ended(NODE, at_ms, is_done=False, has_brought=has_brought)
    due_ms = made.due_ms(at_ms)
    assert due_ms is not None
    return due_ms - at_ms


def test_after_a_failure_the_pause_doubles():
    made, at_ms, pauses = rounds(), START_MS, []
    for _ in range(9):
        pauses.append(failed_at(made, at_ms))
        at_ms += pauses[-1]
    assert pauses == [*(FIRST_FAILURE_MS << k for k in range(7)), MAX_PAUSE_MS, MAX_PAUSE_MS]


def test_jitter_shortens_it_by_half_at_most():
    assert failed_at(rounds(0.0), START_MS) == FIRST_FAILURE_MS // 2


def test_who_brought_something_before_it_broke_off_is_tried_again_soon():
    made = rounds()
    failed_at(made, START_MS)
    assert failed_at(made, START_MS + 100_000) == 2 * FIRST_FAILURE_MS
    assert failed_at(made, START_MS + 200_000, has_brought=True) == FIRST_FAILURE_MS
    assert failed_at(made, START_MS + 300_000) == 2 * FIRST_FAILURE_MS


def test_a_wish_does_not_shorten_the_pause_after_a_failure():
    made, at_ms = spoken_to(), START_MS + PERIOD_MS
    pauses = [failed_at(made, at_ms + k * MAX_PAUSE_MS) for k in range(4)]
    failed_ms = at_ms + 3 * MAX_PAUSE_MS
    made.want(NODE, failed_ms + 1)
    assert made.due_ms(failed_ms + 1) == failed_ms + pauses[-1]


def test_success_ends_the_pauses():
    made = rounds()
    for k in range(5):
        failed_at(made, START_MS + k * MAX_PAUSE_MS)
    at_ms = START_MS + 5 * MAX_PAUSE_MS
    made.heard(NODE, at_ms)
    assert made.next(at_ms) == NODE
    made.ended(NODE, at_ms, is_done=True)
    assert failed_at(made, at_ms + PERIOD_MS) == FIRST_FAILURE_MS


def test_one_that_always_fails_keeps_nobody_waiting():
    made, now_ms, served = rounds(), START_MS, 0
    for _ in range(2000):
        now_ms += BEAT_MS
        made.heard(NODE, now_ms)
        made.heard(OTHER, now_ms)
        made.want(OTHER, now_ms)
        node = made.next(now_ms)
        if node is not None:
            now_ms += 10_000 if node == NODE else TALK_MS
            made.ended(node, now_ms, is_done=node == OTHER)
            served += node == OTHER
    assert served >= 6


# -- laws

STEPS = st.tuples(st.sampled_from(("heard", "want", "next", "done", "broken")), st.integers(0, 5), st.integers(0, 1_000_000))


@given(st.lists(STEPS, max_size=80), st.floats(0, 1))
def test_whatever_happens_next_has_whom_due_ms_promises_and_nobody_is_forgotten(steps, jitter):
    made, now_ms, heard_ms = rounds(jitter), START_MS, {}
    for step, node, passed_ms in steps:
        now_ms += passed_ms
        if step == "heard":
            made.heard(node, now_ms)
            heard_ms[node] = now_ms
        elif step == "want":
            made.want(node, now_ms)
        elif step == "next":
            due_ms = made.due_ms(now_ms)
            chosen = made.next(now_ms)
            assert (chosen is not None) == (due_ms is not None and due_ms <= now_ms)
            assert chosen is None or now_ms - heard_ms[chosen] <= HEARD_MS
        elif made.speaking_to is not None:
            made.ended(made.speaking_to, now_ms, is_done=step == "done")
    if made.speaking_to is not None:
        made.ended(made.speaking_to, now_ms, is_done=True)
    for node in heard_ms:
        for other in heard_ms:
            made.heard(other, now_ms + 2 * PERIOD_MS)
        chosen = made.next(now_ms + 2 * PERIOD_MS)
        assert chosen in heard_ms, node
        made.ended(chosen, now_ms + 2 * PERIOD_MS, is_done=True)
