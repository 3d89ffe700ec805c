# Self-test, a look at what is seen, aiming: by command and by button.

import streetwire
from node.button import LONG, PRESS
from node.lamp import LINK_LOST_MS
from node.self_test import LED_CHECKS, SelfTest, check, first_failed, in_words
from node.technician import AIM_MS, LONGEST_S, MOST_DUE, SIGHT_MS, TEST_EVERY_MS, Technician
from streetwire import HEALTH

ALL_GOOD = "counter good, climate good, log good, clock good, link good, supply good, probe absent, radio good"


class Node:
    """Everything that a technician's questions are answered from, and the link."""

    def __init__(self):
        self.state, self.is_blocked, self.samples_per_s, self.seen = "good", False, 10, [-500, 1800, 120]
        self.last, self.health = (2150, 4850), 0
        self.next_seq, self.first_held = 40, 30
        self.is_set = True
        self.battery_mv = 3900
        self.total_ab = self.total_ba = 0
        self.pressed = []
        self.shown = []
        self.said = []
        self.told = []
        self.has_room = True
        self.radio = "good"
        self.self_test = SelfTest(self, self, None, self, self, self, lambda: self.radio)
        self.technician = Technician(self, self.self_test, self, self, self.send, self.say)

    def show_test(self, failed, now_ms):
        self.shown.append(("test", failed))

    def show_aim(self, now_ms, for_ms):
        self.shown.append(("aim", for_ms))

    def show_count(self, count, now_ms):
        self.shown.append(("count", count))

    def say(self, level, text):
        self.said.append((level, text))

    def send(self, kind, *fields):
        if self.has_room:
            self.told.append(kind(1, 2, *fields))
        return self.has_room

    def beat(self, now_ms, health=0, heard_ms=0):
        if self.pressed:
            self.technician.on_press(self.pressed.pop(0), now_ms, health, heard_ms)
        self.technician.beat(now_ms, health, heard_ms)

    def results(self, kind=streetwire.TestResult):
        told, self.told = [message for message in self.told if isinstance(message, kind)], []
        return told

    def verdicts(self, health=0, heard_ms=0, now_ms=0):
        return {
            streetwire.TEST_CHECKS[number]: (streetwire.TEST_VERDICTS[verdict], value)
            for number, verdict, value in self.self_test.results(now_ms, health, heard_ms)
        }


def named(results, names):
    rows = [(streetwire.TEST_CHECKS[n], streetwire.TEST_VERDICTS[v], value) for n, v, value in results]
    return [row for row in rows if row[0] in names]


def test_all_that_is_well():
    node = Node()
    results = node.self_test.results(0, 0, 0)
    assert in_words(results) == "self-test: " + ALL_GOOD
    assert first_failed(results) == 0
    assert [number for number, _, _ in results] == list(range(LED_CHECKS))
    assert node.verdicts()["counter"] == ("good", 10)
    assert node.verdicts()["climate"] == ("good", 2150)
    assert node.verdicts()["log"] == ("good", 10)
    assert node.verdicts()["supply"] == ("good", 3900)


def test_every_check_can_fail_and_the_first_is_the_leds_number():
    def state(node):
        node.state = "garbled"

    def blocked(node):
        node.is_blocked = True

    def silent(node):
        node.health = HEALTH["climate_silent"]

    def implausible(node):
        node.health = HEALTH["climate_implausible"]

    def unset(node):
        node.is_set = False

    def low(node):
        node.health = HEALTH["supply_low"]

    def radio(node):
        node.radio = "failed"

    for spoil, name, verdict, number in (
        (state, "counter", "garbled", 1), (blocked, "counter", "blocked", 1), (silent, "climate", "silent", 2),
        (implausible, "climate", "implausible", 2), (unset, "clock", "unheard", 4), (low, "supply", "low", 6),
        (radio, "radio", "failed", 8),
    ):  # fmt: skip
        node = Node()
        spoil(node)
        assert node.verdicts()[name][0] == verdict
        failed = first_failed([row for row in node.self_test.results(0, 0, 0) if streetwire.TEST_CHECKS[row[0]] == name])
        assert failed == number
    node = Node()
    assert node.verdicts(HEALTH["log_failed"])["log"][0] == "failed"
    assert first_failed(node.self_test.results(0, HEALTH["log_failed"], None)) == 3
    assert node.verdicts(heard_ms=None)["link"][0] == "unheard"
    assert node.verdicts(heard_ms=0, now_ms=LINK_LOST_MS)["link"][0] == "unheard"


def test_what_is_not_there_or_not_read_yet_is_no_failure():
    node = Node()
    node.battery_mv = None
    node.last = None
    node.first_held = 0
    assert node.verdicts()["supply"] == ("absent", 0)
    assert node.verdicts()["climate"] == ("waiting", 0)
    assert node.verdicts()["log"] == ("good", 0)
    assert first_failed(node.self_test.results(0, 0, 0)) == 0


def test_by_command_the_result_is_told_with_the_next_beat():
    node = Node()
    node.technician.on_command(streetwire.TEST, 0, 1000)
    node.beat(1000)
    (result,) = node.results()
    assert len(result.results) == LED_CHECKS
    node.beat(1100)
    assert not node.results()
    assert not node.shown


def test_with_a_person_each_thing_done_is_told_and_what_was_not_is_missed():
    node = Node()
    node.technician.on_command(streetwire.TEST, 30, 0)
    seen = []
    for t_ms in range(0, 40000, 100):
        if t_ms == 5000:
            node.total_ba += 1
        if t_ms == 9000:
            node.pressed = [PRESS]
        node.beat(t_ms)
        seen += [(t_ms, named(message.results, ("line", "button"))) for message in node.results()]
    assert seen == [
        (0, [("line", "waiting", 0), ("button", "waiting", 0)]),
        (5000, [("line", "good", 1), ("button", "waiting", 0)]),
        (9000, [("line", "good", 1), ("button", "good", 1)]),
    ]
    node.technician.on_command(streetwire.TEST, 2, 50000)
    for t_ms in range(50000, 53000, 100):
        node.beat(t_ms)
    assert named(node.results()[-1].results, ("line", "button")) == [("line", "missed", 0), ("button", "missed", 0)]


def test_the_button_asks_once_a_minute():
    node = Node()
    for t_ms in range(0, 2 * TEST_EVERY_MS, 5000):
        node.pressed = [PRESS]
        node.beat(t_ms)
    assert node.shown == [("test", 0)] * 2
    assert node.said == [(6, "self-test: " + ALL_GOOD)] * 2
    assert len(node.results()) == 2


def test_a_failed_test_is_a_warning_and_the_leds_number():
    node = Node()
    node.state = "silent"
    node.pressed = [PRESS]
    node.beat(0)
    assert node.shown == [("test", 1)]
    assert node.said[0][0] == 4


def test_results_that_nobody_takes_wait_and_are_bounded():
    node = Node()
    node.has_room = False
    for t_ms in range(20):
        node.technician.on_command(streetwire.TEST, 0, t_ms)
        node.beat(t_ms)
    node.has_room = True
    node.beat(100)
    assert len(node.results()) == MOST_DUE


def test_it_is_watched_for_as_long_as_was_asked_and_says_so_first():
    node = Node()
    node.technician.on_command(streetwire.WATCH, 2, 1000)
    for t_ms in range(1000, 5000, 100):
        node.beat(t_ms)
    sights = node.results(streetwire.Sight)
    assert [sight.uptime_ms for sight in sights] == list(range(1000, 3000, SIGHT_MS))
    assert sights[0].seen == [-500, 1800, 120]
    assert len(node.said) == 1
    node.technician.on_command(streetwire.WATCH, 100, 10000)
    node.technician.on_command(streetwire.WATCH, 0xFFFFFFFF, 10100)  # goes on
    assert len(node.said) == 2
    node.beat(10100 + 1000 * LONGEST_S - 100)
    assert node.results(streetwire.Sight)
    node.beat(10100 + 1000 * LONGEST_S)
    assert not node.results(streetwire.Sight)
    node.technician.on_command(streetwire.WATCH, 100, 10000)
    node.technician.on_command(streetwire.WATCH, 0, 10100)
    node.beat(10200)
    assert not node.results(streetwire.Sight)


def test_nobody_is_watched_who_did_not_ask():
    node = Node()
    for t_ms in range(0, 60000, 100):
        node.beat(t_ms)
    assert not node.told


def aimed(node):
    return [named(message.results, ("aim_ab", "aim_ba")) for message in node.results()]


def test_aiming_begins_with_a_long_press_and_ends_with_the_next():
    node = Node()
    node.total_ab, node.total_ba = 100, 50
    node.pressed = [LONG]
    node.beat(1000)
    assert node.shown == [("aim", AIM_MS)]
    node.total_ab += 5
    node.total_ba += 4
    node.beat(2000)
    assert not aimed(node)
    node.pressed = [PRESS]
    node.beat(60000)
    assert node.shown[1:] == [("count", 9)]
    assert aimed(node) == [[("aim_ab", "good", 5), ("aim_ba", "good", 4)]]
    assert node.said[-1] == (6, "aimed: counted 5 A to B, 4 B to A")


def test_aiming_ends_by_itself():
    node = Node()
    node.pressed = [LONG]
    node.beat(1000)
    node.beat(1000 + AIM_MS - 100)
    assert not aimed(node)
    node.beat(1000 + AIM_MS)
    assert aimed(node) == [[("aim_ab", "good", 0), ("aim_ba", "good", 0)]]
    node.beat(2 * AIM_MS + 2000)
    assert not aimed(node)


def test_a_check_is_an_index_of_the_wires_lists():
    assert check("climate", "implausible", -5) == (1, 6, -5)
