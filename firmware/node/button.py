# The button: pressed for two seconds, once, however its contact bounces. Pure: level and time in, yes out.

PRESS_MS = 2000
BOUNCE_MS = 150  # an interruption of a press that is shorter than this is the contact's


class Button:
    def __init__(self):
        self._pressed_at_ms = -1  # -1: it is not pressed
        self._last_down_ms = 0
        self._is_told = False

    def is_held(self, is_down, now_ms):
        """True once a press, when it has lasted for PRESS_MS."""
        if is_down:
            self._last_down_ms = now_ms
            if self._pressed_at_ms < 0:
                self._pressed_at_ms = now_ms
        elif now_ms - self._last_down_ms >= BOUNCE_MS:
            self._pressed_at_ms = -1
            self._is_told = False
        if not is_down or self._is_told or self._pressed_at_ms < 0 or now_ms - self._pressed_at_ms < PRESS_MS:
            return False
        self._is_told = True
        return True
