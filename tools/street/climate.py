"""The weather at the box: a smooth day and slow noise.

Theory of operation. Temperature is a daily course (coldest at 5, warmest at 15 o'clock, an S-curve each way) plus
slow noise; relative humidity falls as it warms, because the water in the air hardly changes within a day, plus slow
noise of its own. The noise is a first-order random walk back to zero with a knot every ten minutes and straight lines
in between, so that two neighbouring minutes never jump. Knots are drawn in order from a generator of the weather's
own: the answer for a moment does not depend on which moments were asked before.
"""

from random import Random

KNOT_S = 600
KEEP = 0.95  # share of a deviation that is left after one knot: passing clouds last about three hours
COLDEST_H, WARMEST_H = 5.0, 15.0
RH_PCT_PER_K = 4.0  # at 65 % and constant dew point one kelvin is worth about 4 % of relative humidity
RH_LOW_PCT, RH_HIGH_PCT = 15.0, 99.0


class _SlowNoise:
    def __init__(self, rng: Random, step: float) -> None:
        self._rng = rng
        self._step = step
        self._knots = [0.0]

    def at(self, t_s: float) -> float:
        i, share = divmod(t_s / KNOT_S, 1.0)
        first = int(i)
        while len(self._knots) < first + 2:
            self._knots.append(KEEP * self._knots[-1] + self._step * (2 * self._rng.random() - 1))
        return self._knots[first] * (1 - share) + self._knots[first + 1] * share


def _course(hour: float) -> float:
    """-1 at the coldest hour, +1 at the warmest, smooth in between."""
    since_coldest = (hour - COLDEST_H) % 24.0
    rise = WARMEST_H - COLDEST_H
    u = since_coldest / rise if since_coldest < rise else 1.0 - (since_coldest - rise) / (24.0 - rise)
    return 2.0 * u * u * (3.0 - 2.0 * u) - 1.0


class Weather:
    """`start_s` is the street's start in seconds after midnight; `at` counts from the street's start."""

    def __init__(
        self, rng: Random, start_s: int = 0, mean_c: float = 14.0, swing_c: float = 5.0, mean_rh_pct: float = 68.0
    ) -> None:
        self._start_s = start_s
        self._mean_c, self._swing_c, self._mean_rh_pct = mean_c, swing_c, mean_rh_pct
        self._warmth = _SlowNoise(Random(rng.getrandbits(64)), 0.3)
        self._damp = _SlowNoise(Random(rng.getrandbits(64)), 1.5)

    def at(self, t_s: float) -> tuple[int, int]:
        """Temperature in 0.01 degC and relative humidity in 0.01 % at `t_s` >= 0."""
        if t_s < 0:
            raise ValueError(f"t_s counts from the street's start and is never negative, got {t_s}")
        away_c = self._swing_c * _course(((self._start_s + t_s) / 3600) % 24) + self._warmth.at(t_s)
        rh_pct = self._mean_rh_pct - RH_PCT_PER_K * away_c + self._damp.at(t_s)
        return round(100 * (self._mean_c + away_c)), round(100 * min(max(rh_pct, RH_LOW_PCT), RH_HIGH_PCT))
