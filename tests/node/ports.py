# A port as the drivers see it, that hands out what has been received.


class Uart:
    """As much as fits the buffer; `written` is what was sent, in order."""

    def __init__(self):
        self.received = b""
        self.written = b""

    def any(self):
        return len(self.received)

    def readinto(self, buffer):
        n = min(len(buffer), len(self.received))
        buffer[:n] = self.received[:n]
        self.received = self.received[n:]
        return n or None

    def write(self, data):
        self.written += bytes(data)
        return len(data)
