# HLK-LD2450: 24 GHz radar, up to three targets, ten reports a second on a UART at 256000 baud.
#
# Report (Hi-Link protocol description, section 6), 30 bytes, little-endian, no checksum:
#   AA FF 03 00 | 3 x (x mm, y mm, speed cm/s, resolution mm) | 55 CC
# x, y and speed are sign and magnitude with the sense inverted: bit 15 set is positive. An empty slot is all zero. Slots are
# renumbered when a target leaves, so a slot is no identity.
# Without a checksum a report counts only if header and tail both fit and no target is where none can be, behind the module or
# far beyond its six metres; else one byte is dropped and the search goes on.

from node.sensors.framed import Framed

FRAME_SIZE = 30
FRAME_MS = 100
TARGETS = 3
RX_BUFFER = 1024  # three seconds of reports: a collection of garbage or a flash erase loses nothing
FARTHEST_MM = 12000  # twice the module's range: to the side as well as ahead
FASTEST_CM_S = 5000  # its speeds end at two metres a second; what is far above is a torn report
_HEADER = b"\xaa"  # its first byte

# Enable configuration, track several targets, end configuration. Without the end the module stays mute.
_SETUP = (
    b"\xfd\xfc\xfb\xfa\x04\x00\xff\x00\x01\x00\x04\x03\x02\x01",
    b"\xfd\xfc\xfb\xfa\x02\x00\x90\x00\x04\x03\x02\x01",
    b"\xfd\xfc\xfb\xfa\x02\x00\xfe\x00\x04\x03\x02\x01",
)
_ACK_MULTI_TARGET = b"\x90\x01\x00\x00"


class LD2450(Framed):
    """`uart` as in node/sensors/framed. `targets` holds x, y, speed of the report last read.

    `range_permille` scales y: some units read a metre as 1.02 m, others as 0.9.
    """

    def __init__(self, uart, range_permille=1000):
        super().__init__(uart, FRAME_SIZE, _HEADER)
        self._range_permille = range_permille
        self.targets = [0] * (3 * TARGETS)
        self.n_targets = 0
        self.is_set_up = False

    def set_up(self):
        for command in _SETUP:
            self._uart.write(command)

    def _take(self, at):
        return self._is_frame(at) and self._decode(at)

    def _date(self, now_ticks, behind, ticks_add):
        # The newest report is taken as of now, each one before it as 100 ms older.
        return ticks_add(now_ticks, -FRAME_MS * behind)

    def _is_frame(self, at):
        held = self._held
        return (
            held[at] == 0xAA and held[at + 1] == 0xFF and held[at + 2] == 3 and held[at + 3] == 0
            and held[at + 28] == 0x55 and held[at + 29] == 0xCC
        )  # fmt: skip

    def _skip(self, at):
        # The answers to the setup commands pass by here once.
        if not self.is_set_up and self._held.find(_ACK_MULTI_TARGET, at, self._size) >= 0:
            self.is_set_up = True
        return super()._skip(at)

    def _decode(self, at):
        # False where a target is impossible: then the report is none.
        held = self._held
        n = 0
        at += 4
        for _ in range(TARGETS):
            if held[at] | held[at + 1] | held[at + 2] | held[at + 3] | held[at + 4] | held[at + 5]:
                x = _signed(held[at], held[at + 1])
                y = _signed(held[at + 2], held[at + 3])
                speed = _signed(held[at + 4], held[at + 5])
                if abs(x) > FARTHEST_MM or not 0 < y <= FARTHEST_MM or abs(speed) > FASTEST_CM_S:
                    return False
                self.targets[3 * n] = x
                self.targets[3 * n + 1] = y * self._range_permille // 1000
                self.targets[3 * n + 2] = speed
                n += 1
            at += 8
        self.n_targets = n
        return True


def _signed(low, high):
    magnitude = low | (high & 0x7F) << 8
    return magnitude if high & 0x80 else -magnitude
