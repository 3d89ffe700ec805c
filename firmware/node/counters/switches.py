# Two PIR switches, and the detector of rises in order.

from node.counters.base import Counter
from node.passage.pir_pair import PirPair
from node.sensors.pir import Pir


class Switches(Counter):
    """`connection` holds both pins and the trigger of an interrupt on both edges. A switch that is dead says nothing: the
    detector finds out, as `is_blocked`."""

    settings = ("switches",)
    quiet_samples = 5  # of ten: the levels are a sample at every poll
    sample_bytes = 1  # a rejected one is an edge that found no room

    def __init__(self, connection, settings, ticks, on_passage):
        self._ticks_add = ticks[2]
        self._on_sample = self._on_levels  # bound once: a method that is asked for allocates
        pins, both_edges = connection
        super().__init__(Pir(pins, both_edges, ticks[0]), detector(settings, ticks, on_passage))

    def set_up(self):
        super().set_up()
        self.is_set_up = True

    def poll(self, now_ticks):
        return self._part.poll(now_ticks, self._on_sample, self._ticks_add)

    def _on_levels(self, ticks):
        self.detector.feed(ticks, self._part.levels[0], self._part.levels[1])

    @property
    def seen(self):
        return self._part.levels


def detector(settings, ticks, on_passage):
    return PirPair(on_passage, ticks[1], ticks[2], **settings.of("switches"))
