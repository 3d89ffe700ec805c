# TF-Luna: reports as the street sends them, 50 a second. The command for the rate is answered by saying it again, as the
# manual has it, and thins them: a rate above the street's shows as the street's, 0 stops them.

from streetclock import clock

_STREET_HZ = 50
_SET_RATE = b"\x5a\x06\x03"


class TFLuna:
    def __init__(self, stream):
        self._stream = stream
        self._every = 1  # of the street's reports, each so many-th; 0: none
        self._left_out = 0

    def speak(self, receive):
        stream = self._stream
        while stream.next_ms <= clock.now_ms:
            report = stream.take()
            self._left_out += 1
            if self._every and self._left_out >= self._every:
                self._left_out = 0
                receive(report)

    def hear(self, data, receive):
        if len(data) != 6 or data[:3] != _SET_RATE or sum(data[:5]) & 0xFF != data[5]:
            return
        hz = data[3] | data[4] << 8
        self._every = max(1, (_STREET_HZ + hz // 2) // hz) if hz else 0
        receive(data)
