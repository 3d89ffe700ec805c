# The self-test: what the node knows of itself anyway, as one answer for each of streetwire.TEST_CHECKS.

import streetwire
from node.lamp import LINK_LOST_MS

LED_CHECKS = 8  # those that the LED has a number for
_NOTHING_WRONG = ("good", "absent", "waiting")


def check(name, verdict, value=0):
    """As in streetwire.TestResult."""
    return streetwire.TEST_CHECKS.index(name), streetwire.TEST_VERDICTS.index(verdict), value


def first_failed(results):
    """The LED's number of the first that failed, 0 if none did."""
    for number, verdict, _ in results:
        if number < LED_CHECKS and streetwire.TEST_VERDICTS[verdict] not in _NOTHING_WRONG:
            return number + 1
    return 0


def in_words(results):
    return "self-test: " + ", ".join(
        [streetwire.TEST_CHECKS[number] + " " + streetwire.TEST_VERDICTS[verdict] for number, verdict, _ in results]
    )


class SelfTest:
    """`radio()` is good, absent or failed; `probe` may be None."""

    def __init__(self, watch, climate, probe, panel, log, clock, radio):
        self._watch = watch
        self._climate = climate
        self._probe = probe
        self._panel = panel
        self._log = log
        self._clock = clock
        self._radio = radio

    def results(self, now_ms, health, heard_ms):
        """`heard_ms`: when the gateway was last heard, None if it never was."""
        is_heard = heard_ms is not None and now_ms - heard_ms < LINK_LOST_MS
        is_log_bad = health & streetwire.HEALTH["log_failed"]
        held = self._log.next_seq - self._log.first_held if self._log.first_held else 0
        return [
            check("counter", self._counter(), self._watch.samples_per_s),
            self._air("climate", self._climate),
            check("log", "failed" if is_log_bad else "good", held),
            check("clock", "good" if self._clock.is_set else "unheard"),
            check("link", "good" if is_heard else "unheard"),
            self._supply(),
            self._air("probe", self._probe),
            check("radio", self._radio()),
        ]

    def _counter(self):
        if self._watch.state == "good" and self._watch.is_blocked:
            return "blocked"
        return self._watch.state

    def _air(self, name, reader):
        if reader is None:
            return check(name, "absent")
        for bit in ("silent", "implausible"):
            if reader.health & streetwire.HEALTH["climate_" + bit]:
                return check(name, bit)
        return check(name, "waiting") if reader.last is None else check(name, "good", reader.last[0])

    def _supply(self):
        if self._panel.battery_mv is None:
            return check("supply", "absent")
        return check("supply", "low" if self._panel.health else "good", self._panel.battery_mv)
