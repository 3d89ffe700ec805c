# How many people pass, as a mean that forgets within two minutes: above some flow no detector tells all apart.

_FORGETS_MS = 120000
_STEP_MS = 100  # so that rounding loses little, and the sum of two people a second times 350 ms fits 30 bits
_PASSAGE = 8192  # in the sum


class Flow:
    """`is_above` says whether more than `most_per_h` were counted of late."""

    def __init__(self, most_per_h):
        self._sum = 0
        self._waiting_ms = 0
        self._most = most_per_h * _PASSAGE // (3600000 // _FORGETS_MS)

    def pass_time(self, elapsed_ms):
        """At most 250 ms at a time."""
        self._waiting_ms += elapsed_ms
        if self._waiting_ms >= _STEP_MS:
            self._sum -= self._sum * self._waiting_ms // _FORGETS_MS
            self._waiting_ms = 0

    def add(self):
        self._sum += _PASSAGE

    @property
    def is_above(self):
        return self._sum > self._most
