# SHT3x: T = -45 + 175 raw / 65535 degC, RH = 100 raw / 65535 %; 15.5 ms with high repeatability.

from streetparts.sensirion import Sensirion


class SHT3x(Sensirion):
    def __init__(self):
        super().__init__(b"\x24\x00", 16, 0, 10000)
