# What the app asks of whatever counts here: a part and its detector behind one interface.
#
#   set_up()           tells the part how to work; nothing waits. `is_set_up` says whether it has taken that in
#   forget()           what has been silent may have been switched off: it is not set up any more
#   poll(now_ticks)    reads what has arrived, feeds the detector, returns the number of samples
#   is_saturated       the detector says that it undercounts; is_blocked: that nobody can be counted
#   frames             samples since the start; rejected_bytes: what arrived and was none
#   seen               what the part saw last, as streetwire.Sight has it; for who watches
#   poll_ms            how often poll() wants to be called
#   quiet_samples      fewer a second than this: it is not watching
#   most_samples       more than a part says in a second, and all that waits after a stall: no part of this kind
#   sample_bytes       of one sample: with more rejected bytes than good ones, what arrives is garbled
#   settings           the groups of node.json that it reads (node/config)
#
# A counter is made from what it is connected to (node/connect), the settings, the board's tick functions and the function
# that wants to know of every passage.


class Counter:
    poll_ms = 100
    most_samples = 1 << 20  # where poll() itself sees to it

    def __init__(self, part, detector):
        self._part = part
        self.detector = detector
        self.is_set_up = False

    def set_up(self):
        self._part.set_up()

    def forget(self):
        """It has been switched off, or another one is there: whatever was set is gone."""
        self.is_set_up = False

    @property
    def is_saturated(self):
        return self.detector.is_saturated

    @property
    def is_blocked(self):
        return self.detector.is_blocked

    @property
    def frames(self):
        return self._part.frames

    @property
    def rejected_bytes(self):
        return self._part.rejected_bytes


class Ration:
    """A UART of which a poll reads `most` bytes or little more, so that a storm of bytes cannot hold up the beat. How many
    wait is told in full: parts date their reports by it."""

    def __init__(self, uart, most):
        self._uart = uart
        self._most = most
        self._left = most
        self.any = uart.any
        self.write = uart.write

    def renew(self):
        self._left = self._most

    def readinto(self, buffer):
        if self._left <= 0:
            return None
        got = self._uart.readinto(buffer)
        self._left -= got or 0
        return got
