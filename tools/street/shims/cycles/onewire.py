# A wire with one DS18B20 on it: 25.19 degrees.

_SCRATCHPAD = b"\x93\x01\x7f\x80\x7f\xff\x0d\x10\xbd"


class OneWire:
    def __init__(self, pin):
        self.pin = pin

    def reset(self):
        return True

    def writebyte(self, value):
        pass

    def readinto(self, buf):
        buf[:] = _SCRATCHPAD
