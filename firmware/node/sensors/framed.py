# What parts have in common that send frames of one size on a UART: reading, being in step again, how far behind a frame is.
#
# A frame counts only if the part says so; else one byte is dropped and the search for a header goes on. Nothing is allocated per
# frame: the buffer is taken at the start, and a slice of it is made only where a frame was cut in two.

from node.sensors.refused import REJECTED_MASK


class Framed:
    """`uart` needs any(), readinto(buffer) and write(bytes). `header` is the first byte of a frame, as bytes.

    A part says in _take(at) whether a frame begins there, and decodes it; in _date(now_ticks, behind, ticks_add) when it was
    made, `behind` being how many whole frames have come after it.
    """

    def __init__(self, uart, frame_size, header):
        self._uart = uart
        self._frame_size = frame_size
        self._header = header
        self._held = bytearray(4 * frame_size)
        self._view = memoryview(self._held)
        self._size = 0
        self.frames = 0
        self.rejected_bytes = 0

    def poll(self, now_ticks, on_frame, ticks_add):
        """Reads what has arrived and calls on_frame(ticks) for every frame, oldest first. Returns the number of frames."""
        before = self.frames
        while self._uart.any():
            got = self._uart.readinto(self._view[self._size :] if self._size else self._held)
            if not got:
                break
            self._size += got
            self._arrived(got)
            at = 0
            waiting = self._uart.any()
            while self._size - at >= self._frame_size:
                if self._take(at):
                    behind = (self._size - at + waiting) // self._frame_size - 1
                    ticks = self._date(now_ticks, behind, ticks_add)
                    self.frames += 1
                    on_frame(ticks)
                    at += self._frame_size
                else:
                    at += self._skip(at)
            self._keep_from(at)
        return self.frames - before

    def _arrived(self, size):
        """For whoever counts bytes."""

    def _take(self, at):
        raise NotImplementedError

    def _date(self, now_ticks, behind, ticks_add):
        raise NotImplementedError

    def _skip(self, at):
        found = self._held.find(self._header, at + 1, self._size)
        step = (found if found >= 0 else self._size) - at
        self.rejected_bytes = (self.rejected_bytes + step) & REJECTED_MASK
        return step

    def _keep_from(self, at):
        rest = self._size - at
        if at:
            for i in range(rest):
                self._held[i] = self._held[at + i]
        self._size = rest
