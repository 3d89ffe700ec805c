# Is what counts at work? Asked once a second; what it was like for a few of them is said once, and set right where it can be.
#
# Theory of operation
#   good      samples as many as a second must have, and no more bytes refused than taken
#   garbled   more bytes refused than taken, or more than a part can say: the wrong baud, swapped wires, another part
#   silent    too few samples: switched off, unplugged, a bus that nobody answers on
#   state     what SURE_S seconds in a row were like. A change of it is told, so a broken cable is one line and not a flood.
#   set up    a part that is not set up, or has been silent for a second, is set up again, every SET_UP_S at most.
# A second is covered if it was good and the detector is not blocked: from the first bad one on, not only once it is sure.

import streetwire
from node.sensors.refused import REJECTED_MASK

SURE_S = 3
SET_UP_S = 10
FLAPPING_S = 5  # more bad seconds than good ones, by so many
GOOD = "good"
GARBLED = "garbled"
SILENT = "silent"


class Watch:
    """`counter` as in node/counters/base, `name` for the technician, `say(level, text)`."""

    def __init__(self, counter, name, say):
        self._counter = counter
        self._name = name
        self._say = say
        self._samples = 0
        self._rejected = 0
        self._like = GOOD
        self._like_s = 0
        self._bad_s = 0
        self._set_up_in_s = 0
        self.state = GOOD
        self.samples_per_s = 0  # in the last second

    @property
    def seen(self):
        return self._counter.seen

    @property
    def poll_ms(self):
        return self._counter.poll_ms

    @property
    def is_saturated(self):
        return self.state is not SILENT and self._counter.is_saturated

    @property
    def is_blocked(self):
        return self.state is not SILENT and self._counter.is_blocked

    @property
    def health(self):
        bits = streetwire.HEALTH["counter_silent"] if self.state is SILENT else 0
        bits |= streetwire.HEALTH["counter_garbled"] if self.state is GARBLED else 0
        bits |= streetwire.HEALTH["saturated"] if self.is_saturated else 0
        return bits | (streetwire.HEALTH["blocked"] if self.is_blocked else 0)

    def set_up(self):
        self._counter.set_up()
        self._set_up_in_s = SET_UP_S

    def poll(self, now_ticks):
        self._samples += self._counter.poll(now_ticks)

    def end_second(self):
        """True if this second was covered."""
        counter = self._counter
        rejected = (counter.rejected_bytes - self._rejected) & REJECTED_MASK
        self._rejected = counter.rejected_bytes
        like = GOOD
        if rejected > self._samples * counter.sample_bytes or self._samples > counter.most_samples:
            like = GARBLED
        elif self._samples < counter.quiet_samples:
            like = SILENT
        if not self._samples:
            counter.forget()
        self.samples_per_s = self._samples
        self._samples = 0
        self._judge(like)
        self._set_up_again()
        return like is GOOD and not self.is_blocked

    def _judge(self, like):
        self._like_s = self._like_s + 1 if like is self._like else 1
        self._like = like
        self._bad_s = max(self._bad_s - 1, 0) if like is GOOD else min(self._bad_s + 1, FLAPPING_S)
        if like is GOOD and self._bad_s:
            return  # it comes and goes: good only once it has been for as long as it was not
        if (self._like_s >= SURE_S or self._bad_s >= FLAPPING_S) and like is not self.state:
            self.state = like
            self._say(6 if like is GOOD else 4, "%s: %s" % (self._name, like))

    def _set_up_again(self):
        self._set_up_in_s = max(self._set_up_in_s - 1, 0)
        if not self._counter.is_set_up and not self._set_up_in_s:
            self.set_up()
