# HLK-LD2450: ten reports a second, those with targets as the street says, and an answer to every command.

import os

from streetclock import clock

_EMPTY_REPORT = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"
_COMMAND_HEAD = b"\xfd\xfc\xfb\xfa"
_COMMAND_TAIL = b"\x04\x03\x02\x01"
_PERIOD_MS = 100


class LD2450:
    def __init__(self, stream):
        self._stream = stream
        phase_ms = int(os.getenv("STREET_RADAR_PHASE_MS") or 0)
        self._next_report_ms = clock.now_ms + (phase_ms - clock.now_ms) % _PERIOD_MS

    def speak(self, receive):
        stream = self._stream
        while self._next_report_ms <= clock.now_ms:
            while stream.next_ms < self._next_report_ms:  # from before this board was switched on
                stream.take()
            receive(stream.take() if stream.next_ms == self._next_report_ms else _EMPTY_REPORT)
            self._next_report_ms += _PERIOD_MS

    def hear(self, data, receive):
        if data[:4] == _COMMAND_HEAD:  # the answer: same command with bit 8 set, status 0
            receive(_COMMAND_HEAD + b"\x04\x00" + data[6:7] + b"\x01\x00\x00" + _COMMAND_TAIL)
