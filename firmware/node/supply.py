# The battery behind its divider: how many millivolts, and whether that is low.

READINGS = 8  # an ESP32's converter is noisy by some ten millivolts
ABSENT_MV = 500  # less is no battery, but a kit that lives on its cable
HYSTERESIS_MV = 100  # a battery recovers that much when the radio rests


class Supply:
    """`read_uv()` gives microvolts at the pin. `mv` is the battery's voltage as last measured, None without one."""

    def __init__(self, read_uv, ratio_permille, low_mv):
        self._read_uv = read_uv
        self._ratio_permille = ratio_permille
        self._low_mv = low_mv
        self.mv = None
        self.is_low = False

    def measure(self):
        total_mv = 0
        try:
            for _ in range(READINGS):
                total_mv += self._read_uv() // 1000
        except OSError:  # the converter is busy or gone; what it measures is not worth a beat
            total_mv = 0
        mv = total_mv * self._ratio_permille // (1000 * READINGS)
        self.mv = mv if mv >= ABSENT_MV else None
        self.is_low = self.mv is not None and mv < self._low_mv + (HYSTERESIS_MV if self.is_low else 0)
