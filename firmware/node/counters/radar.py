# HLK-LD2450 radar and the line that people cross.
#
# The module sometimes freezes: it tells the same targets for ever. Echoes of anything real flicker, so that is no report.

from node.counters.base import Counter, Ration
from node.passage.radar import LineCrossing
from node.sensors.ld2450 import FRAME_SIZE, LD2450, RX_BUFFER

_FROZEN_REPORTS = 80  # eight seconds to the last millimetre


class Radar(Counter):
    """`connection` holds the UART."""

    settings = ("pavement", "radar")
    quiet_samples = 5  # of ten
    most_samples = 100
    sample_bytes = FRAME_SIZE

    def __init__(self, connection, settings, ticks, on_passage):
        self._ticks_add = ticks[2]
        self._on_sample = self._on_report  # bound once: a method that is asked for allocates
        self._uart = Ration(connection[0], RX_BUFFER)
        self._sum = 0  # of what the last report told
        self._same = 0
        tuning = settings.of("radar")
        part = LD2450(self._uart, tuning.pop("range_permille"))
        super().__init__(part, LineCrossing(settings["near_mm"], settings["pavement_mm"], on_passage, **tuning))

    def poll(self, now_ticks):
        self._uart.renew()
        samples = self._part.poll(now_ticks, self._on_sample, self._ticks_add)
        self.is_set_up = self._part.is_set_up
        return samples

    def forget(self):
        super().forget()
        self._part.is_set_up = False
        self.detector.forget()

    @property
    def is_blocked(self):
        return self.detector.is_blocked or self._same >= _FROZEN_REPORTS

    @property
    def seen(self):
        return self._part.targets[: 3 * self._part.n_targets]

    def _on_report(self, ticks):
        told = self._digest()
        self._same = min(self._same + 1, _FROZEN_REPORTS) if told and told == self._sum else 0
        self._sum = told
        self.detector.feed(ticks, self._part.targets, self._part.n_targets)

    def _digest(self):
        # A number that any change of a target changes, 0 without one; below 2**29 so that it is no object on a board.
        digest = 0
        for i in range(3 * self._part.n_targets):
            digest = ((digest * 31 + self._part.targets[i]) & 0xFFFFFF) + 1
        return digest
