# The node's clock: uptime through wraps of the tick counter, UTC from what it last heard, ends of minutes, steps.

from dialect import ticks_add, ticks_diff

from node.clock import DAY_S, NodeClock

NOON = 1700000040000  # a whole minute, UTC milliseconds


def clock_at(ticks=0):
    return NodeClock(ticks, ticks_diff)


def run(clock, ticks, ms):
    ticks = ticks_add(ticks, ms)
    clock.advance(ticks)
    return ticks


def test_uptime_starts_at_zero_and_grows_with_the_ticks():
    clock = clock_at(5000)
    assert (clock.uptime_ms, clock.uptime_s) == (0, 0)
    clock.advance(6999)
    assert (clock.uptime_ms, clock.uptime_s) == (1999, 1)


def test_uptime_goes_on_where_the_tick_counter_wraps():
    ticks = 2**30 - 1500
    clock = clock_at(ticks)
    for n in range(1, 40):
        ticks = run(clock, ticks, 100)
        assert clock.uptime_ms == 100 * n
    assert ticks < 3000


def test_uptime_survives_many_wraps():
    ticks = 123
    clock = clock_at(ticks)
    step = 2**28
    for _ in range(40):
        ticks = run(clock, ticks, step)
    assert clock.uptime_ms == 40 * step  # 124 days: ten wraps


def test_without_time_a_minute_is_sixty_seconds_of_uptime_and_has_no_start():
    clock = clock_at()
    assert not clock.is_set
    assert (clock.minute_start_s(), clock.minute_ends_at_ms()) == (0, 60000)
    run(clock, 0, 59999)
    assert clock.minute_ends_at_ms() == 60000
    run(clock, 59999, 1)
    assert (clock.minute_start_s(), clock.minute_ends_at_ms()) == (0, 120000)


def test_with_time_minutes_are_those_of_utc():
    clock = clock_at()
    run(clock, 0, 7777)
    clock.set_utc(NOON + 59999)
    assert clock.is_set
    assert clock.minute_start_s() == NOON // 1000
    assert clock.minute_ends_at_ms() == 7778
    run(clock, 7777, 1)
    assert clock.minute_start_s() == NOON // 1000 + 60
    assert clock.minute_ends_at_ms() == 7778 + 60000


def test_a_minute_that_just_began_ends_in_a_whole_one():
    clock = clock_at()
    run(clock, 0, 500)
    clock.set_utc(NOON)
    assert clock.minute_start_s() == NOON // 1000
    assert clock.minute_ends_at_ms() == 60500


def test_the_first_time_is_a_step():
    assert clock_at().would_step(0)
    assert clock_at().would_step(NOON)


def test_more_than_two_seconds_are_a_step_in_either_direction():
    clock = clock_at()
    clock.set_utc(NOON)
    run(clock, 0, 30000)
    for off, is_step in ((0, False), (2000, False), (-2000, False), (2001, True), (-2001, True), (86400000, True)):
        assert clock.would_step(NOON + 30000 + off) is is_step


def test_a_new_time_replaces_the_old_one():
    clock = clock_at()
    clock.set_utc(NOON)
    clock.set_utc(NOON + 90000)
    assert clock.minute_start_s() == NOON // 1000 + 60
    clock.set_utc(NOON - 1)
    assert clock.minute_start_s() == NOON // 1000 - 60


def test_drifting_begins_a_day_after_the_time_was_last_heard():
    clock = clock_at()
    ticks = run(clock, 0, DAY_S * 1000 + 1)
    assert not clock.is_drifting  # it has no time that could drift
    clock.set_utc(NOON)
    ticks = run(clock, ticks, DAY_S * 1000)
    assert not clock.is_drifting
    ticks = run(clock, ticks, 1)
    assert clock.is_drifting
    clock.set_utc(NOON + DAY_S * 1000)
    assert not clock.is_drifting
