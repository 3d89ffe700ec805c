# HLK-LD2450: 24 GHz radar, up to three targets, ten reports a second on a UART at 256000 baud.
#
# Report (Hi-Link protocol description, section 6), 30 bytes, little-endian, no checksum:
#   AA FF 03 00 | 3 x (x mm, y mm, speed cm/s, resolution mm) | 55 CC
# x, y and speed are sign and magnitude with the sense inverted: bit 15 set is positive. An empty slot is all zero. Slots are
# renumbered when a target leaves, so a slot is no identity.
# Without a checksum a report counts only if header and tail both fit; else one byte is dropped and the search goes on.

FRAME_SIZE = 30
FRAME_MS = 100
TARGETS = 3
RX_BUFFER = 1024  # three seconds of reports: a collection of garbage or a flash erase loses nothing
_HEADER = b"\xaa\xff\x03\x00"

# Enable configuration, track several targets, end configuration. Without the end the module stays mute.
_SETUP = (
    b"\xfd\xfc\xfb\xfa\x04\x00\xff\x00\x01\x00\x04\x03\x02\x01",
    b"\xfd\xfc\xfb\xfa\x02\x00\x90\x00\x04\x03\x02\x01",
    b"\xfd\xfc\xfb\xfa\x02\x00\xfe\x00\x04\x03\x02\x01",
)
_ACK_MULTI_TARGET = b"\x90\x01\x00\x00"


class LD2450:
    """`uart` needs any(), readinto(buffer) and write(bytes). `targets` holds x, y, speed of the report last read.

    `range_permille` scales y: some units read a metre as 1.02 m, others as 0.9.
    """

    def __init__(self, uart, range_permille=1000):
        self._uart = uart
        self._range_permille = range_permille
        self._held = bytearray(4 * FRAME_SIZE)
        self._view = memoryview(self._held)
        self._size = 0
        self.targets = [0] * (3 * TARGETS)
        self.n_targets = 0
        self.frames = 0
        self.rejected_bytes = 0
        self.is_set_up = False

    def set_up(self):
        for command in _SETUP:
            self._uart.write(command)

    def poll(self, now_ticks, on_frame, ticks_add):
        """Reads what has arrived and calls on_frame(ticks) for every report, oldest first; no allocation per report.

        The newest report is taken as of now, each one before it as 100 ms older. Returns the number of reports.
        """
        frames = 0
        while self._uart.any():
            # A slice allocates, and is needed only where a report was cut in two.
            got = self._uart.readinto(self._view[self._size :] if self._size else self._held)
            if not got:
                break
            self._size += got
            at = 0
            waiting = self._uart.any()
            while self._size - at >= FRAME_SIZE:
                if self._is_frame(at):
                    behind = (self._size - at + waiting) // FRAME_SIZE - 1
                    self._decode(at)
                    frames += 1
                    on_frame(ticks_add(now_ticks, -FRAME_MS * behind))
                    at += FRAME_SIZE
                else:
                    at += self._skip(at)
            self._keep_from(at)
        self.frames += frames
        return frames

    def _is_frame(self, at):
        held = self._held
        return (
            held[at] == 0xAA and held[at + 1] == 0xFF and held[at + 2] == 3 and held[at + 3] == 0
            and held[at + 28] == 0x55 and held[at + 29] == 0xCC
        )  # fmt: skip

    def _skip(self, at):
        # To the next possible header; the answers to the setup commands pass by here once.
        found = self._held.find(_HEADER[:1], at + 1, self._size)
        step = (found if found >= 0 else self._size) - at
        if not self.is_set_up and self._held.find(_ACK_MULTI_TARGET, at, self._size) >= 0:
            self.is_set_up = True
        self.rejected_bytes += step
        return step

    def _keep_from(self, at):
        rest = self._size - at
        if at:
            for i in range(rest):
                self._held[i] = self._held[at + i]
        self._size = rest

    def _decode(self, at):
        held = self._held
        n = 0
        at += 4
        for _ in range(TARGETS):
            if held[at + 2] or held[at + 3]:  # y: a target is never at distance zero
                to = 3 * n
                self.targets[to] = _signed(held[at], held[at + 1])
                self.targets[to + 1] = _signed(held[at + 2], held[at + 3]) * self._range_permille // 1000
                self.targets[to + 2] = _signed(held[at + 4], held[at + 5])
                n += 1
            at += 8
        self.n_targets = n


def _signed(low, high):
    magnitude = low | (high & 0x7F) << 8
    return magnitude if high & 0x80 else -magnitude
