# What a technician sees and presses: LED, button, self-test; and the battery.

import streetwire
from node.button import Button
from node.lamp import LINK_LOST_MS, Lamp

TEST_EVERY_MS = 60000  # a contact that leaks presses for ever

# What the self-test asks, in the order of its LED code: a name for the technician, and the health bits that speak against it.
CHECKS = (
    ("counter", ("counter_silent", "counter_garbled", "blocked")),
    ("climate", ("climate_silent", "climate_implausible")),
    ("log", ("log_failed",)),
    ("clock", ()),
    ("link", ()),
    ("supply", ("supply_low",)),
)


class Panel:
    """`set_lamp(on)` switches the LED, `button()` is 0 while pressed, `supply` as in node/supply."""

    def __init__(self, set_lamp, button, supply):
        self._set_lamp = set_lamp
        self._button = button
        self._supply = supply
        self._press = Button()
        self._tests_from_ms = 0
        self._lamp = Lamp()

    @property
    def battery_mv(self):
        return self._supply.mv

    @property
    def health(self):
        return streetwire.HEALTH["supply_low"] if self._supply.is_low else 0

    def measure(self):
        self._supply.measure()

    def on_passage(self, now_ms):
        self._lamp.on_passage(now_ms)

    def beat(self, now_ms, health, heard_ms, is_clock_set, say):
        """Once a beat; `heard_ms`: when the gateway was last heard, None if it never was."""
        if self._press.is_held(not self._button(), now_ms) and now_ms >= self._tests_from_ms:
            self._tests_from_ms = now_ms + TEST_EVERY_MS
            is_heard = heard_ms is not None and now_ms - heard_ms < LINK_LOST_MS
            self._lamp.on_test(self_test(health, is_clock_set, is_heard, say), now_ms)
        self._set_lamp(self._lamp.is_on(now_ms, health, heard_ms))


def self_test(health, is_clock_set, is_link_heard, say):
    """Says the result of all checks; returns the number of the first that failed, 0 if none did."""
    first = 0
    words = []
    for i in range(len(CHECKS)):
        name, against = CHECKS[i]
        is_good = not any(health & streetwire.HEALTH[bit] for bit in against)
        if name == "clock":
            is_good = is_clock_set
        elif name == "link":
            is_good = is_link_heard
        if not is_good and not first:
            first = i + 1
        words.append(name + (" good" if is_good else " failed"))
    say(4 if first else 6, "self-test: " + ", ".join(words))
    return first
