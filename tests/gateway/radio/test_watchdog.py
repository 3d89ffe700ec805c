"""gateway.radio.watchdog: a scanner that hears nothing is restarted, then its adapter, ever less often."""

from __future__ import annotations

from itertools import pairwise

from gateway.radio.watchdog import ADAPTER, MAX_PAUSE_MS, SCANNER, SILENCE_MS, Watchdog

START_MS = 5_000_000


def remedies(watchdog: Watchdog, first_s: int, last_s: int) -> list[tuple[int, str]]:
    """What is asked for in these seconds since the start, looked at every second."""
    asked = [(s, watchdog.check(START_MS + 1000 * s)) for s in range(first_s, last_s)]
    return [(s, remedy) for s, remedy in asked if remedy]


def test_the_scanner_first_then_the_adapter_then_both_again_with_longer_pauses():
    watchdog = Watchdog(START_MS)
    asked = remedies(watchdog, 0, 7200)
    assert [remedy for _, remedy in asked[:6]] == [SCANNER, ADAPTER] * 3
    times = [0, *(s for s, _ in asked)]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert pauses[:9] == [60, 60, 120, 120, 240, 240, 480, 480, MAX_PAUSE_MS // 1000]
    assert set(pauses[9:]) == {MAX_PAUSE_MS // 1000}
    assert watchdog.restarts == {SCANNER: 7, ADAPTER: 6}


def test_any_advert_begins_anew():
    watchdog = Watchdog(START_MS)
    assert remedies(watchdog, 0, 250) == [(60, SCANNER), (120, ADAPTER), (240, SCANNER)]
    watchdog.heard(START_MS + 250_000)
    assert remedies(watchdog, 250, 400) == [(310, SCANNER), (370, ADAPTER)]


def test_while_something_is_heard_nothing_is_restarted():
    watchdog = Watchdog(START_MS)
    for now_ms in range(START_MS, START_MS + 3_600_000, SILENCE_MS - 1):
        assert watchdog.check(now_ms) == ""
        watchdog.heard(now_ms)
    assert watchdog.restarts == {SCANNER: 0, ADAPTER: 0}


def test_nobody_to_listen_to_is_no_silence():
    watchdog = Watchdog(START_MS)
    assert watchdog.check(START_MS + 10 * SILENCE_MS, is_needed=False) == ""
    assert watchdog.check(START_MS + 11 * SILENCE_MS - 1) == "", "the first key has just come"
    assert watchdog.check(START_MS + 11 * SILENCE_MS) == SCANNER
