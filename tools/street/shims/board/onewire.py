# MicroPython's 1-Wire driver over the part that hangs on the pin, bytes instead of time slots.


class OneWire:
    def __init__(self, pin):
        self._part = pin.part

    def reset(self):
        return self._part is not None and self._part.reset()

    def writebyte(self, value):
        self._part.write(value)

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self._part.read()
