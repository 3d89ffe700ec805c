# What a technician asks, by button or over the link: self-test, a look at what the counting part sees, aiming.
#
# Theory of operation
#   test     by a press of the button, at most once a minute: LED, a line, a result. By command: a result at once, and where
#            somebody is there to walk the line and to press the button, another with each that was seen, and a last one when
#            the time is up.
#   watched  five sights a second, over the cable, for ten minutes at most: they tell moments of people, so a line says when it
#            begins. Nobody keeps them.
#   aiming   by a long press: whoever walks the line makes the LED flash, and the next press tells how many were counted: by
#            as many blinks, in a line and as a result. Without one it ends after ten minutes.
#
# Rules of this file: no clock, no port; `send(kind, *fields)` is True once the link has taken the message.

import streetwire
from node.button import LONG
from node.self_test import check, first_failed, in_words

TEST_EVERY_MS = 60000  # by button: a contact that leaks presses for ever
SIGHT_MS = 200
LONGEST_S = 600
AIM_MS = 600000
MOST_DUE = 4  # results that wait for the link


class Technician:
    """`minutes` has the totals (node/minutes), `watch` what the part sees."""

    def __init__(self, panel, self_test, watch, minutes, send, say):
        self._panel = panel
        self._self_test = self_test
        self._watch = watch
        self._minutes = minutes
        self._send = send
        self._say = say
        self._due = []
        self._is_test_due = False
        self._tests_from_ms = 0
        self._presses = 0
        self._people_from = 0  # total when the test with a person began
        self._person_until_ms = None
        self._told_of_person = None
        self._watched_until_ms = 0
        self._sight_from_ms = 0
        self._aim_until_ms = None
        self._aim_from = (0, 0)

    def on_command(self, verb, argument, now_ms):
        if verb == streetwire.TEST:
            self._is_test_due = True
            self._presses = 0
            self._people_from = self._people
            self._person_until_ms = now_ms + min(argument, LONGEST_S) * 1000 if argument else None
            self._told_of_person = None
        elif verb == streetwire.WATCH:
            if argument and now_ms >= self._watched_until_ms:
                self._say(6, "watched: for at most %d s it tells at once what it sees" % min(argument, LONGEST_S))
            self._watched_until_ms = now_ms + min(argument, LONGEST_S) * 1000

    def beat(self, now_ms, health, heard_ms):
        """Once a beat; `heard_ms`: when the gateway was last heard, None if it never was."""
        if self._aim_until_ms is not None and now_ms >= self._aim_until_ms:
            self._end_aim(now_ms)
        self._tell_of_person(now_ms)
        if self._is_test_due:
            self._is_test_due = False
            self._tell(self._self_test.results(now_ms, health, heard_ms) + self._of_person(now_ms))
        if now_ms < self._watched_until_ms and now_ms >= self._sight_from_ms:
            self._sight_from_ms = now_ms + SIGHT_MS
            self._send(streetwire.Sight, now_ms, self._minutes.total_ab, self._minutes.total_ba, self._watch.seen)
        while self._due and self._send(streetwire.TestResult, self._due[0]):
            self._due.pop(0)

    @property
    def _people(self):
        return self._minutes.total_ab + self._minutes.total_ba

    def _tell(self, results):
        self._due.append(results)
        if len(self._due) > MOST_DUE:
            self._due.pop(0)

    # -- the button

    def on_press(self, press, now_ms, health, heard_ms):
        """PRESS or LONG, as node/button has them."""
        if press == LONG:
            self._begin_aim(now_ms)
            return
        self._presses += 1
        if self._aim_until_ms is not None:
            self._end_aim(now_ms)
        elif now_ms >= self._tests_from_ms:
            self._tests_from_ms = now_ms + TEST_EVERY_MS
            results = self._self_test.results(now_ms, health, heard_ms)
            failed = first_failed(results)
            self._panel.show_test(failed, now_ms)
            self._say(4 if failed else 6, in_words(results))
            self._is_test_due = True

    def _begin_aim(self, now_ms):
        self._aim_until_ms = now_ms + AIM_MS
        self._aim_from = (self._minutes.total_ab, self._minutes.total_ba)
        self._panel.show_aim(now_ms, AIM_MS)
        self._say(6, "aiming: walk the line ten times, then press")

    def _end_aim(self, now_ms):
        ab, ba = self._minutes.total_ab - self._aim_from[0], self._minutes.total_ba - self._aim_from[1]
        self._aim_until_ms = None
        self._panel.show_count(ab + ba, now_ms)
        self._say(6, "aimed: counted %d A to B, %d B to A" % (ab, ba))
        self._tell([check("aim_ab", "good", ab), check("aim_ba", "good", ba)])

    # -- a test with a person

    def _tell_of_person(self, now_ms):
        if self._person_until_ms is None:
            return
        told = self._of_person(now_ms)
        if told != self._told_of_person:
            self._told_of_person = told
            self._is_test_due = True
        if now_ms >= self._person_until_ms and not self._is_test_due:
            self._person_until_ms = None

    def _of_person(self, now_ms):
        if self._person_until_ms is None:
            return []
        people = self._people - self._people_from
        missing = "waiting" if now_ms < self._person_until_ms else "missed"
        return [
            check("line", "good" if people else missing, people),
            check("button", "good" if self._presses else missing, self._presses),
            check("lamp", "waiting"),
        ]
