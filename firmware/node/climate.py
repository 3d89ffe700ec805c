# What the air is like: a part is read every ten seconds, in a task of its own because the part takes its time.
#
# What is not plausible goes no further than a flag. A part that falls silent is told once, and once more when it is back.

import streetwire
from node.sensors.plausible import Plausible

CLIMATE_MS = 10000
STALE_TICKS = 6  # live messages, ten seconds apart, after which what was read is no news


class Climate:
    """`part` as in node/sensors/base, `name` for the technician. `minutes` is None for a probe, which goes into no record.

    `last` is what was read and believed, (hundredths of a degree, of a percent or None); None where the last reading was not.
    """

    def __init__(self, part, name, say, minutes=None):
        self._part = part
        self._name = name
        self._say = say
        self._minutes = minutes
        self._plausible = Plausible(part)
        self._is_silent = False
        self._is_doubtful = False
        self.last = None
        self._ticks = 0  # since the last answer

    @property
    def faults(self):
        return self._part.faults

    @property
    def health(self):
        bits = streetwire.HEALTH["climate_silent"] if self._is_silent else 0
        return bits | (streetwire.HEALTH["climate_implausible"] if self._is_doubtful else 0)

    async def run(self, sleep_ms):
        while True:
            try:
                reading = await self._part.read(sleep_ms)
            except Exception as error:  # whatever a part does, the next reading comes
                self._part.fault = str(error) or type(error).__name__
                reading = None
            self._take(reading)
            await sleep_ms(CLIMATE_MS)

    def tick(self):
        """Once a live message: a part that hangs says nothing, and its last value is not told for ever."""
        self._ticks = min(self._ticks + 1, STALE_TICKS)
        if self._ticks == STALE_TICKS and not self._is_silent:
            self._part.fault = "no answer for a minute"
            self._take(None)

    def _take(self, reading):
        self._ticks = 0 if reading is not None else self._ticks
        self._tell_silence(reading is None)
        self.last = None
        self._is_doubtful = False
        if reading is None:
            return
        if self._plausible.believes(reading):
            self.last = reading
            if self._minutes:
                self._minutes.add_climate(reading[0], reading[1])
        else:
            self._is_doubtful = True
            if self._minutes:
                self._minutes.doubt_climate()

    def _tell_silence(self, is_silent):
        if is_silent and not self._is_silent:
            self._say(4, "%s: %s" % (self._name, self._part.fault))
        elif self._is_silent and not is_silent:
            self._say(6, "%s: good" % self._name)
        self._is_silent = is_silent
