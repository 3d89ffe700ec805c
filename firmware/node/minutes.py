# From passages and readings to records: running totals since boot, and this minute's share of them.
#
# Rules of this file
#   - Integers only. Totals never lose a passage: what does not fit into one record (more than 4095 of one direction in a
#     minute) waits for the next.
#   - It closes a minute when told to; when a minute is over, the clock knows.

import streetwire

AB = 1
BA = -1
_IMPLAUSIBLE_STEP_CENTI = 500  # five degrees between two readings ten seconds apart


class Minutes:
    def __init__(self):
        self.total_ab = 0
        self.total_ba = 0
        self._told_ab = 0  # totals as of the last record
        self._told_ba = 0
        self._last_temperature = None
        self._begin()

    def _begin(self):
        self.covered_s = 0
        self._flags = 0
        self._n = 0
        self._temperature_sum = 0
        self._humidity_sum = 0

    def add_passage(self, direction):
        if direction == AB:
            self.total_ab += 1
        else:
            self.total_ba += 1

    def add_second(self, is_counting, is_saturated):
        """Once a second: was the counting sensor alive in it, and does its detector say that it undercounts?"""
        if is_counting and self.covered_s < streetwire.MAX_COVERED_S:
            self.covered_s += 1
        if is_saturated:
            self._flags |= streetwire.SATURATED

    def add_climate(self, temperature_centi, humidity_centi):
        last = self._last_temperature
        self._last_temperature = temperature_centi
        if last is not None and abs(temperature_centi - last) > _IMPLAUSIBLE_STEP_CENTI:
            self._flags |= streetwire.CLIMATE_IMPLAUSIBLE
        if self._n < 15:
            self._n += 1
            self._temperature_sum += temperature_centi
            self._humidity_sum += humidity_centi

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
            humidity = _mean(self._humidity_sum, self._n * 50)
        flags = self._flags | (streetwire.DRIFTING if is_drifting else 0)
        record = streetwire.Record(
            0, 0, bin_start, uptime_s, self.covered_s, d_ab, d_ba, self._told_ab, self._told_ba,
            temperature, humidity, self._n, flags,
        )  # fmt: skip
        self._begin()
        return record


def _mean(total, n):
    return (2 * total + n) // (2 * n)  # rounded to the nearest, halves up
