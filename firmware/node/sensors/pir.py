# Two passive infrared switches (AM312, HC-SR501) on two pins: high while something warm moves, and for a hold time after.
#
# An interrupt writes each edge, with its tick, into a ring that is taken at start: nothing is allocated there, and the
# levels are right even when the beat was late. The interrupt moves only `_head`, poll() only `_tail`.
#
# More edges than a hold time allows are mains hum on a loose wire: none of them is told, nor is anything until it has been
# calm for a second.

RING = 64  # edges: a switch makes two per hold time, so that a beat would have to be late by a minute
STORM_EDGES = 4  # in a poll: each switch has risen and fallen
CALM_POLLS = 10


class Pir:
    """`pins` are the two switches; a pin needs irq(handler, trigger) and value(). `both_edges` is the trigger's value.

    `levels` holds both channels as of the sample. `rejected_bytes` counts edges that found the ring full or came in a storm.
    """

    def __init__(self, pins, both_edges, ticks_ms):
        self._pins = pins
        self._both_edges = both_edges
        self._ticks_ms = ticks_ms
        self._ring_ticks = [0] * RING
        self._ring_edges = [0] * RING  # channel * 2 + level
        self._head = 0
        self._tail = 0
        self._calm_in = 0  # polls
        self.levels = [0, 0]
        self.frames = 0
        self.rejected_bytes = 0

    def set_up(self):
        for pin in self._pins:
            pin.irq(self._on_edge, self._both_edges)

    def _on_edge(self, pin):
        after = (self._head + 1) % RING
        if after == self._tail:
            self.rejected_bytes += 1
            return
        self._ring_ticks[self._head] = self._ticks_ms()
        self._ring_edges[self._head] = (2 if pin is self._pins[1] else 0) + pin.value()
        self._head = after

    def poll(self, now_ticks, on_sample, ticks_add):
        """Calls on_sample(ticks) for every edge, oldest first, and once for the levels as they are now.

        Returns the number of samples; no allocation per sample. Now is when the pins are read: an edge that was lost, or
        that the interrupt has not seen yet, shows here. In a storm there is none.
        """
        if self._is_stormy():
            return 0
        samples = 1
        while self._tail != self._head:
            edge = self._ring_edges[self._tail]
            self.levels[edge // 2] = edge % 2
            ticks = self._ring_ticks[self._tail]
            self._tail = (self._tail + 1) % RING
            samples += 1
            on_sample(ticks)
        self.levels[0] = self._pins[0].value()
        self.levels[1] = self._pins[1].value()
        on_sample(now_ticks)
        self.frames += samples
        return samples

    def _is_stormy(self):
        head = self._head  # the interrupt may move it meanwhile
        edges = (head - self._tail) % RING
        if edges > STORM_EDGES or (edges and self._calm_in):
            self._calm_in = CALM_POLLS
        else:
            self._calm_in = max(self._calm_in - 1, 0)
        if self._calm_in:
            self.rejected_bytes += edges
            self._tail = head
        return self._calm_in > 0
