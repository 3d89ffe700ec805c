# What a technician sees and presses: LED and button; and the battery.

import streetwire
from node.button import Button
from node.lamp import Lamp


class Panel:
    """`set_lamp(on)` switches the LED, `button()` is 0 while pressed, `supply` as in node/supply."""

    def __init__(self, set_lamp, button, supply):
        self._set_lamp = set_lamp
        self._button = button
        self._supply = supply
        self._press = Button()
        self._lamp = Lamp()
        self.on_passage = self._lamp.on_passage
        self.show_test = self._lamp.on_test
        self.show_aim = self._lamp.on_aim
        self.show_count = self._lamp.on_count

    @property
    def battery_mv(self):
        return self._supply.mv

    @property
    def health(self):
        return streetwire.HEALTH["supply_low"] if self._supply.is_low else 0

    def measure(self):
        self._supply.measure()

    def press(self, now_ms):
        """As node/button's `held`."""
        return self._press.held(not self._button(), now_ms)

    def beat(self, now_ms, health, heard_ms):
        """Once a beat; `heard_ms`: when the gateway was last heard, None if it never was."""
        self._set_lamp(self._lamp.is_on(now_ms, health, heard_ms))
