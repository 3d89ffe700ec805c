# The button: pressed for two seconds, or for six, however its contact bounces. Pure: level and time in, what was pressed out.

PRESS_MS = 2000
LONG_MS = 6000
BOUNCE_MS = 150  # an interruption of a press that is shorter than this is the contact's
PRESS, LONG = 1, 2


class Button:
    def __init__(self):
        self._pressed_at_ms = -1  # -1: it is not pressed
        self._last_down_ms = 0
        self._told = 0

    def held(self, is_down, now_ms):
        """PRESS once when it has lasted for PRESS_MS, LONG once more at LONG_MS, else 0."""
        if is_down:
            self._last_down_ms = now_ms
            if self._pressed_at_ms < 0:
                self._pressed_at_ms = now_ms
        elif now_ms - self._last_down_ms >= BOUNCE_MS:
            self._pressed_at_ms = -1
            self._told = 0
        if not is_down or self._pressed_at_ms < 0:
            return 0
        held_ms = now_ms - self._pressed_at_ms
        reached = LONG if held_ms >= LONG_MS else PRESS if held_ms >= PRESS_MS else 0
        if reached <= self._told:
            return 0
        self._told += 1  # a press first, also where the beat was late
        return self._told
