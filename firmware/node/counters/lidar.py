# Two TF-Luna LiDARs side by side, and the detector that matches what passes their beams.

from node.counters.base import Counter, Ration
from node.passage.lidar_pair import LidarPair
from node.sensors.tfluna import FRAME_SIZE, RX_BUFFER, TFLuna

_AHEAD = 25  # readings that one beam may have been heard more than the other: half a second


class Lidar(Counter):
    """`connection` holds the UARTs of beam A and beam B. A sample is one reading of each beam."""

    settings = ("pavement", "lidar")
    quiet_samples = 25  # of fifty
    most_samples = 400  # some units send 250 a second
    sample_bytes = 2 * FRAME_SIZE

    def __init__(self, connection, settings, ticks, on_passage):
        ticks_diff, self._ticks_add = ticks[1:3]
        self._uarts = tuple([Ration(uart, RX_BUFFER) for uart in connection])
        self._parts = tuple([TFLuna(uart, ticks_diff) for uart in self._uarts])
        self._on_reading = (self._on_reading_a, self._on_reading_b)
        self._unpaired = [0, 0]
        self._is_heard = False
        tuning = settings.of("lidar")
        super().__init__(
            self._parts,
            LidarPair(
                settings["near_mm"], settings["pavement_mm"], tuning.pop("separation_mm"), on_passage, ticks_diff, self._ticks_add,
                **tuning,
            ),
        )  # fmt: skip

    def set_up(self):
        """The parts do not answer: they have taken it in if they were heard before. One that was off has lost its rate."""
        for part in self._parts:
            part.set_up()
        self.is_set_up = self._is_heard

    def forget(self):
        super().forget()
        self._is_heard = False

    def poll(self, now_ticks):
        for beam in range(2):
            self.poll_beam(beam, now_ticks)
        pairs = min(self._unpaired)
        for beam in range(2):
            self._unpaired[beam] = min(self._unpaired[beam] - pairs, _AHEAD)
        self._is_heard = self._is_heard or pairs > 0
        return pairs

    def poll_beam(self, beam, now_ticks):
        self._uarts[beam].renew()
        self._unpaired[beam] += self._parts[beam].poll(now_ticks, self._on_reading[beam], self._ticks_add)

    def _on_reading_a(self, ticks):
        self.detector.feed(0, ticks, self._parts[0].mm)

    def _on_reading_b(self, ticks):
        self.detector.feed(1, ticks, self._parts[1].mm)

    @property
    def seen(self):
        return [part.mm or -1 for part in self._parts]

    @property
    def frames(self):
        return self._parts[0].frames + self._parts[1].frames

    @property
    def rejected_bytes(self):
        return self._parts[0].rejected_bytes + self._parts[1].rejected_bytes
