# VL53L1X above a door, and the detector of who goes through its two zones.

from node.counters.base import Counter
from node.passage.tof import TwoZones
from node.sensors.vl53l1x import RESULT_SIZE, VL53L1X


class Door(Counter):
    """`connection` holds the I2C bus and the part's address."""

    settings = ("door",)
    poll_ms = 20  # the part keeps one result, and measures for 33 ms
    quiet_samples = 8  # of twenty-five
    sample_bytes = RESULT_SIZE

    def __init__(self, connection, settings, ticks, on_passage):
        self._ticks_add = ticks[2]
        self._on_sample = self._on_zone  # bound once: a method that is asked for allocates
        self.seen = [-1, -1]
        bus, address = connection
        super().__init__(VL53L1X(bus, address), detector(settings, ticks, on_passage))

    def poll(self, now_ticks):
        samples = self._part.poll(now_ticks, self._on_sample, self._ticks_add)
        self.is_set_up = self._part.is_set_up
        return samples

    def forget(self):
        super().forget()
        self._part.is_set_up = False

    def _on_zone(self, ticks):
        self.seen[self._part.zone] = -1 if self._part.status else min(self._part.mm, 32767)
        self.detector.feed(ticks, self._part.zone, self._part.mm, self._part.status)


def detector(settings, ticks, on_passage):
    return TwoZones(on_passage, ticks[1], ticks[2], **settings.of("door"))
