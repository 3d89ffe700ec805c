# Benewake TF-Luna: 850 nm LiDAR, one narrow beam, 0.2 to 8 m, on a UART at 115200 baud. Two of them make a counter.
#
# Report (Benewake TF-Luna product manual), 9 bytes, low byte first:
#   59 59 | distance cm | amplitude | temperature | the low byte of the sum of the first eight
# The distance is unreliable where the amplitude is below 100 or 65535 (overexposed); 0 is no echo.
# A report counts only if header and checksum fit; else one byte is dropped and the search goes on.
#
# A report may be read late, never early: the part's own beat tells when it was made. Each is taken one beat after the one
# before (bytes that were no report count for their time), held back to when it was read, and follows a late reader slowly.
# How long a beat is, is measured: parts have clocks of their own, and one that was not set up keeps the rate it has.

from node.sensors.framed import Framed

FRAME_SIZE = 9
RX_BUFFER = 1024  # two seconds of reports at 50 a second
_HEADER = b"\x59"
_AMPLITUDE_MIN = 100
_OVEREXPOSED = 65535
_LATE_FRAMES = 8  # so far behind the beat: reports were lost, and time begins anew
_MEASURE_MS = 2000  # reads are late by up to 100 ms: a twentieth of this, and less over several
_SCALE = 64  # of a beat's length
_LONGEST_MS = 200
_FARTHEST_MM = 10000
_LATE_BYTES = 1 << 16  # without a report count as that many: time begins anew


class TFLuna(Framed):
    """`uart` as in node/sensors/framed. `mm` is the range last read, 0 where there is no reliable one.

    frame_ms: 20 is 50 reports a second; of the part's rates (500 / n) the one that still gives a cyclist four readings.
    """

    def __init__(self, uart, ticks_diff, frame_ms=20):
        super().__init__(uart, FRAME_SIZE, _HEADER)
        self._ticks_diff = ticks_diff
        self._frame_ms = frame_ms
        self._beat = frame_ms * _SCALE
        self._measured_from = 0
        self._measured_bytes = -1  # since then; below zero: not yet begun
        self._is_doubted = False  # the last measure was of another rate: a pause looks like one, too
        self._bytes = 0  # since the last report
        self._ticks = 0
        self.mm = 0

    def set_up(self):
        """Sets the rate; the part does not keep it when switched off."""
        rate = 1000 // self._frame_ms
        command = bytearray(b"\x5a\x06\x03\x00\x00\x00")
        command[3] = rate & 0xFF
        command[4] = rate >> 8
        command[5] = sum(command) & 0xFF
        self._uart.write(command)

    def poll(self, now_ticks, on_frame, ticks_add):
        frames = super().poll(now_ticks, on_frame, ticks_add)
        self._measure(now_ticks)
        return frames

    def _arrived(self, size):
        if self._measured_bytes >= 0:
            self._measured_bytes += size

    def _take(self, at):
        if not self._is_frame(at):
            return False
        self._decode(at)
        return True

    def _measure(self, now_ticks):
        elapsed_ms = self._ticks_diff(now_ticks, self._measured_from)
        if self._measured_bytes >= 0 and 0 <= elapsed_ms < _MEASURE_MS:
            return
        if self._measured_bytes >= FRAME_SIZE and 0 <= elapsed_ms < 2 * _MEASURE_MS:  # longer is a silence, and no measure
            beat = min(elapsed_ms * _SCALE * FRAME_SIZE // self._measured_bytes, _LONGEST_MS * _SCALE)
            is_other = abs(beat - self._beat) * 4 > self._beat  # another rate, not another clock
            if not is_other:
                self._beat = (3 * self._beat + beat) // 4
            elif self._is_doubted:
                self._beat = beat
            self._is_doubted = is_other
        self._measured_from = now_ticks
        self._measured_bytes = 0

    def _is_frame(self, at):
        held = self._held
        if held[at] != 0x59 or held[at + 1] != 0x59:
            return False
        total = 0
        for i in range(at, at + FRAME_SIZE - 1):
            total += held[i]
        return total & 0xFF == held[at + FRAME_SIZE - 1]

    def _skip(self, at):
        step = super()._skip(at)
        self._bytes = min(self._bytes + step, _LATE_BYTES)
        return step

    def _decode(self, at):
        held = self._held
        amplitude = held[at + 4] | held[at + 5] << 8
        is_reliable = _AMPLITUDE_MIN <= amplitude < _OVEREXPOSED
        mm = 10 * (held[at + 2] | held[at + 3] << 8)
        self.mm = mm if is_reliable and mm <= _FARTHEST_MM else 0

    def _date(self, now_ticks, behind, ticks_add):
        read_ticks = ticks_add(now_ticks, -self._beat * behind // _SCALE)
        self._bytes += FRAME_SIZE
        beat = ticks_add(self._ticks, self._beat * self._bytes // (FRAME_SIZE * _SCALE))
        late_ms = self._ticks_diff(read_ticks, beat)
        if not self.frames or late_ms < 0 or late_ms > _LATE_FRAMES * self._beat // _SCALE:
            self._ticks = read_ticks
        else:
            self._ticks = ticks_add(beat, late_ms // 16)
        self._bytes = 0
        return self._ticks
