# From passages and readings to records: running totals since boot, and this minute's share of them.
#
# Rules of this file
#   - Integers only. Totals never lose a passage: what does not fit into one record (more than 4095 of one direction in a
#     minute) waits for the next.
#   - It closes a minute when told to; when a minute is over, the clock knows.

import streetwire

AB = 1
BA = -1


class Minutes:
    def __init__(self):
        self.total_ab = 0
        self.total_ba = 0
        self._told_ab = 0  # totals as of the last record
        self._told_ba = 0
        self._begin()

    def _begin(self):
        self.covered_s = 0
        self._flags = 0
        self._n = 0
        self._temperature_sum = 0
        self._n_humidity = 0  # a probe has none
        self._humidity_sum = 0

    def add_passage(self, direction):
        if direction == AB:
            self.total_ab += 1
        else:
            self.total_ba += 1

    def add_second(self, is_counting, is_saturated, is_blocked=False):
        """Once a second: did it count, and does the detector say that it undercounts, or that nobody can be counted?"""
        if is_counting and self.covered_s < streetwire.MAX_COVERED_S:
            self.covered_s += 1
        if is_saturated:
            self._flags |= streetwire.SATURATED
        if is_blocked:
            self._flags |= streetwire.BLOCKED

    def add_climate(self, temperature_centi, humidity_centi):
        """One reading that was believed; `humidity_centi` is None where the part has no humidity."""
        if self._n < 15:
            self._n += 1
            self._temperature_sum += temperature_centi
            if humidity_centi is not None:
                self._n_humidity += 1
                self._humidity_sum += humidity_centi

    def doubt_climate(self):
        """A reading was not believed: the minute says so, and its mean is that of the others."""
        self._flags |= streetwire.CLIMATE_IMPLAUSIBLE

    @property
    def is_empty(self):
        """Nothing has been counted or watched yet; a climate reading alone may as well go into the next minute."""
        return not (self.covered_s or self.total_ab != self._told_ab or self.total_ba != self._told_ba)

    def close(self, bin_start, uptime_s, is_drifting=False):
        """The record of the minute that ends now, and the next minute begins. The log fills in boot and seq."""
        d_ab = min(self.total_ab - self._told_ab, streetwire.MAX_DELTA)
        d_ba = min(self.total_ba - self._told_ba, streetwire.MAX_DELTA)
        self._told_ab += d_ab
        self._told_ba += d_ba
        temperature = streetwire.NO_TEMPERATURE
        humidity = streetwire.NO_HUMIDITY
        if self._n:
            temperature = _mean(self._temperature_sum, self._n)
        if self._n_humidity:
            humidity = _mean(self._humidity_sum, self._n_humidity * 50)
        flags = self._flags | (streetwire.DRIFTING if is_drifting else 0)
        record = streetwire.Record(
            0, 0, bin_start, uptime_s, self.covered_s, d_ab, d_ba, self._told_ab, self._told_ba,
            temperature, humidity, self._n, flags,
        )  # fmt: skip
        self._begin()
        return record


def _mean(total, n):
    return (2 * total + n) // (2 * n)  # rounded to the nearest, halves up
