# Does a reading make sense next to those before it? Pure: what a part says, and yes or no.
#
# Refused are
#   impossible   outside what the part can measure
#   stuck        the same, to the last digit, for longer than the part's noise allows; see base.py
#   jump         far from the last reading that was believed, and from the last one of all. So a single outlier costs itself
#                only, and a level that stays, after sun on the box or a change of the part, is believed from its second reading.

_FAR_TEMPERATURE_CENTI = 500  # air does not change by five degrees in ten seconds
_FAR_HUMIDITY_CENTI = 3000  # nor by thirty percent: the parts themselves take eight seconds for two thirds of a step
_MOST_HUMIDITY_CENTI = 10000


class Plausible:
    """`part` has low_centi, high_centi and still_readings. A reading is (temperature, humidity or None), in hundredths."""

    def __init__(self, part):
        self._low_centi = part.low_centi
        self._high_centi = part.high_centi
        self._still_readings = part.still_readings
        self._believed = None
        self._last = None
        self._same = 0

    def believes(self, reading):
        last = self._last
        self._last = reading
        self._same = self._same + 1 if reading == last else 0
        if not self._is_possible(reading) or self._same >= self._still_readings:
            return False
        if self._believed is not None and _is_far(reading, self._believed) and _is_far(reading, last):
            return False
        self._believed = reading
        return True

    def _is_possible(self, reading):
        temperature, humidity = reading
        return self._low_centi <= temperature <= self._high_centi and (humidity is None or 0 <= humidity <= _MOST_HUMIDITY_CENTI)


def _is_far(reading, other):
    if abs(reading[0] - other[0]) > _FAR_TEMPERATURE_CENTI:
        return True
    return reading[1] is not None and other[1] is not None and abs(reading[1] - other[1]) > _FAR_HUMIDITY_CENTI
