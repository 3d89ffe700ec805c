# Frames over the console: the USB serial port that the board also boots and prints on.
#
# Rules of this file
#   - It does not wait for the other side. A read takes what is there, a byte at a time (a longer read on an ESP32's stdin
#     waits for all of it); a write first asks whether the port takes bytes, since a USB port that nobody drains would stop
#     the counting.
#   - Text that MicroPython prints between frames is noise to the other side, and the frames' delimiters survive it.

import select
import sys

import streetwire

_MAX_READ = 256  # bytes per call: what a busy or hostile sender may cost us


def take_console():
    """Makes the console transparent: all byte values pass, 0x03 is data and no keyboard interrupt."""
    try:
        # Only where the console is a terminal of an operating system.
        import termios  # pyright: ignore[reportMissingImports]

        termios.setraw(0)
    except ImportError:
        pass
    import micropython

    micropython.kbd_intr(-1)


class SerialLink:
    """`source` and `sink` are byte streams that select.poll understands."""

    def __init__(self, source, sink):
        self._source = source
        self._sink = sink
        self._readable = select.poll()
        self._readable.register(source, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sink, select.POLLOUT)
        self._deframer = streetwire.Deframer()
        self._byte = bytearray(1)
        self.radio = "absent"  # for the self-test
        self.frames_refused = 0  # good frames with content that is not for us

    @property
    def frames_bad(self):
        return self._deframer.bad_frames + self.frames_refused

    def receive(self):
        """The messages that became complete since the last call, as a list; never waits."""
        messages = []
        for _ in range(_MAX_READ):
            if not self._readable.poll(0) or not self._source.readinto(self._byte):
                break
            for payload in self._deframer.feed(self._byte):
                try:
                    messages.append(streetwire.decode(payload))
                except streetwire.WireError:
                    self.frames_refused += 1
        return messages

    def send(self, message):
        """True once the frame has been handed to the port, False when the port takes nothing now."""
        if not self._writable.poll(0):
            return False
        self._sink.write(streetwire.encode_frame(message.encode()))
        return True


def open_console():
    take_console()
    return SerialLink(sys.stdin.buffer, sys.stdout.buffer)
