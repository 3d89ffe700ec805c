# A level on a pin that follows the street: a PIR switch, low at rest, or a button to ground. Stream data: one byte, the level.

from streetclock import clock


class Switch:
    def __init__(self, stream, rest):
        self._stream = stream
        self._level = rest
        self.on_edge = None

    @property
    def next_ms(self):
        return self._stream.next_ms

    def interrupt(self):
        self._level = self._stream.take()[0]
        if self.on_edge:
            self.on_edge()

    def level(self):
        while self.on_edge is None and self._stream.next_ms <= clock.now_ms:
            self._level = self._stream.take()[0]
        return self._level


class Pir(Switch):
    def __init__(self, stream):
        super().__init__(stream, 0)


class Button(Switch):
    """Low while pressed."""

    def __init__(self, stream):
        super().__init__(stream, 1)
