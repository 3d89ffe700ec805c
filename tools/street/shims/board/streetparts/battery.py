# A lithium cell behind two equal resistors: nearly full when the street begins, and slowly emptied.

from streetclock import clock

_FULL_MV = 4050
_MV_PER_HOUR = 12  # of a cell that lasts two days
_HOUR_MS = 3600000
_LEAST_MV = 3000  # where its protection switches it off


class Battery:
    def uv(self):
        return max(_FULL_MV - clock.now_ms * _MV_PER_HOUR // _HOUR_MS, _LEAST_MV) * 500
