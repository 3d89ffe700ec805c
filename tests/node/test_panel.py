# LED, button, battery, self-test: what a technician sees.

from node.button import LONG, LONG_MS, PRESS, PRESS_MS, Button
from node.lamp import AIM_MS, CODE_MS, LINK_LOST_MS, MOST_BLINKS, PASSAGE_MS, SLOT_MS, TEST_MS, Lamp
from node.panel import Panel
from node.self_test import LED_CHECKS
from node.supply import ABSENT_MV, HYSTERESIS_MV, Supply
from streetwire import HEALTH

LATER_MS = 10 * CODE_MS


def shown(lamp, health=0, from_ms=LATER_MS, heard_ms=LATER_MS):
    """The lengths of on and off in one code, in slots: '1.1' is two blinks with one dark slot between."""
    slots = ["1" if lamp.is_on(from_ms + SLOT_MS * i, health, heard_ms) else "." for i in range(CODE_MS // SLOT_MS)]
    return "".join(slots)


def test_the_codes():
    lamp = Lamp()
    assert shown(lamp) == "1" + "." * 29
    for name in ("counter_silent", "counter_garbled"):
        assert shown(lamp, HEALTH[name]) == "1..1" + "." * 26
    assert shown(lamp, HEALTH["blocked"]) == "1..1..1" + "." * 23
    assert shown(lamp, HEALTH["log_failed"]) == "1" * 15 + "." * 15
    assert shown(lamp, from_ms=LATER_MS + LINK_LOST_MS) == "1." * 15
    assert shown(lamp, from_ms=LINK_LOST_MS, heard_ms=None) == "1." * 15


def test_of_several_the_worst_is_shown():
    lamp = Lamp()
    assert shown(lamp, HEALTH["log_failed"] | HEALTH["blocked"]) == "1" * 15 + "." * 15
    assert shown(lamp, HEALTH["counter_silent"] | HEALTH["blocked"]) == "1..1" + "." * 26
    assert shown(lamp, HEALTH["blocked"], from_ms=LATER_MS + LINK_LOST_MS) == "1..1..1" + "." * 23


def test_a_passage_shows_while_aiming_and_never_later():
    lamp = Lamp()
    for at_ms, is_seen in ((LATER_MS + 500, True), (AIM_MS - 700, True), (AIM_MS + 500, False)):
        lamp.on_passage(at_ms)
        assert lamp.is_on(at_ms + PASSAGE_MS - 1, 0, at_ms) == is_seen
        assert not lamp.is_on(at_ms + PASSAGE_MS, 0, at_ms)
    lamp.on_test(0, AIM_MS + LATER_MS)
    lamp.on_passage(AIM_MS + LATER_MS + TEST_MS)
    assert lamp.is_on(AIM_MS + LATER_MS + TEST_MS + PASSAGE_MS - 1, 0, AIM_MS)


def test_the_result_of_the_self_test_is_shown_and_then_the_code_again():
    for failed in range(LED_CHECKS + 1):
        lamp = Lamp()
        lamp.on_test(failed, LATER_MS)
        blinks = "1.." * failed + "." * (30 - 3 * failed) if failed else "1" * 30
        assert shown(lamp) == blinks
        assert shown(lamp, from_ms=LATER_MS + TEST_MS) == "1" + "." * 29


def presses(*levels):
    """At which beat each press was told; a level is one beat of 100 ms."""
    button = Button()
    return [i for i in range(len(levels)) if button.held(levels[i], 100 * i) == PRESS]


def test_a_press_is_told_once_when_it_has_lasted_long_enough():
    n = PRESS_MS // 100
    assert presses(*[1] * n) == []
    assert presses(*[1] * 50) == [n]
    assert presses(*([1] * 50 + [0] * 2 + [1] * 50)) == [n, 52 + n]


def test_a_contact_that_bounces_ends_no_press():
    assert presses(*([1] * 10 + [0] + [1] * 20)) == [PRESS_MS // 100]
    assert presses(*([1] * 10 + [0] * 2 + [1] * 20)) == []
    assert presses(*([1, 0, 0] * 40)) == []


def test_a_press_is_told_only_while_the_button_is_down():
    n = PRESS_MS // 100
    assert presses(*([1] * n + [0] + [1] * 5)) == [n + 1]
    assert presses(*([1] * n + [0] * 5)) == []


def measured(uv, is_low=False):
    supply = Supply(lambda: uv, 2000, 3400)
    supply.is_low = is_low
    supply.measure()
    return supply.mv, supply.is_low


def test_the_battery_is_the_mean_of_its_readings_times_the_divider():
    assert measured(1_850_000) == (3700, False)
    readings = [1_800_000, 1_900_000] * 4
    supply = Supply(readings.pop, 3000, 3400)
    supply.measure()
    assert supply.mv == 5550


def test_low_comes_below_and_goes_well_above():
    assert measured(1_699_000) == (3398, True)
    assert measured(1_700_000) == (3400, False)
    assert measured(1_700_000, is_low=True) == (3400, True)
    assert measured((3400 + HYSTERESIS_MV) * 500, is_low=True)[1] is False


def test_without_a_battery_nothing_is_low():
    assert measured(0) == (None, False)
    assert measured(ABSENT_MV * 500 - 1000, is_low=True) == (None, False)


def test_a_button_that_presses_itself_does_not_keep_the_lamp_telling():
    lamp = Lamp()
    seen = 0
    for minute in range(60, 180):
        lamp.on_test(0, minute * 60000)
        at_ms = minute * 60000 + TEST_MS
        lamp.on_passage(at_ms)
        seen += lamp.is_on(at_ms + PASSAGE_MS - 1, 0, at_ms)
    assert seen <= 2 * AIM_MS // 60000


def test_a_converter_that_fails_is_a_battery_that_nobody_knows():
    def fails():
        raise OSError(5)

    supply = Supply(fails, 2000, 3400)
    supply.measure()
    assert supply.mv is None
    assert not supply.is_low


def test_a_long_press_is_told_after_the_press_and_once():
    button = Button()
    told = [(i, button.held(True, 100 * i)) for i in range(200)]
    assert [row for row in told if row[1]] == [(PRESS_MS // 100, PRESS), (LONG_MS // 100, LONG)]
    late = Button()
    assert [late.held(True, t_ms) for t_ms in (0, 9000, 9100, 9200)] == [0, PRESS, LONG, 0]


def test_aiming_shows_passages_until_it_ends_and_then_how_many():
    lamp = Lamp()
    lamp.on_test(3, 2 * AIM_MS)
    lamp.on_aim(2 * AIM_MS + 4000, 60000)
    assert shown(lamp, from_ms=2 * AIM_MS + 6000, heard_ms=2 * AIM_MS) == "1" + "." * 29
    lamp.on_passage(2 * AIM_MS + 30000)
    assert lamp.is_on(2 * AIM_MS + 30400, 0, 2 * AIM_MS)
    end_ms = 2 * AIM_MS + 31000
    lamp.on_count(4, end_ms)
    assert shown(lamp, from_ms=end_ms, heard_ms=end_ms) == "." * 10 + "1..1..1..1.." + "." * 8
    lamp.on_passage(end_ms + 4000)
    assert shown(lamp, from_ms=end_ms + 6000, heard_ms=end_ms).count("1") == 1
    lamp.on_count(1000, end_ms)
    lit = sum([lamp.is_on(end_ms + SLOT_MS * i, 0, end_ms) for i in range(10 + 3 * MOST_BLINKS)])
    assert lit == MOST_BLINKS


def test_the_panel_hands_on_what_is_pressed_and_shows_what_the_lamp_says():
    is_down, lit = [False], []
    panel = Panel(lit.append, lambda: 0 if is_down[0] else 1, Supply(lambda: 0, 2000, 3400))
    assert [panel.press(t_ms) for t_ms in (0, 3000)] == [0, 0]
    is_down[0] = True
    assert [panel.press(t_ms) for t_ms in (3100, 5100)] == [0, PRESS]
    panel.beat(LATER_MS, 0, LATER_MS)
    panel.beat(LATER_MS + SLOT_MS, 0, LATER_MS)
    assert lit == [True, False]
