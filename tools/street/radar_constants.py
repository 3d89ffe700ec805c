"""What differs from one LD2450 to the next, from one place to the next, and what nobody knows exactly.

Where a default comes from stands beside it: [F] facts about the part (the datasheet, reports of users), [S] statistics
of the sample trace pavement300, never of a detector's result, [P] physics.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random

from tools.street.walkers import between

RAIN_GHOSTS = 6.0  # times as many ghosts in rain: a guess


@dataclass(frozen=True)
class RadarConstants:
    """Misses are chances per echo, `azimuth_noise` is in radians, `cell_sin` and `shadow_mm` lie across the line of sight."""

    scale: float = 0.95  # [F] of range: one unit read 0.85 to 1.02 of the true one, 0.92 beyond 4 m; units differ
    range_noise_mm: float = 60  # [S] which part of a body reflects wanders by a few cm
    azimuth_noise: float = 0.055  # [S] 3.7 deg: two receivers measure azimuth by phase, a body is half a metre wide
    speed_noise_cm_s: float = 18  # [S] arms and legs
    noise_kept: float = 0.4  # [S] share of the noise kept from frame to frame
    miss: float = 0.1  # [S] share of echoes lost in the middle of the fan
    miss_at_edge: float = 0.40  # [P] more towards 60 deg and 6 m: the antenna's pattern and the fourth power of range
    miss_dog: float = 0.35  # [F] more of a dog's: "radar counts some"; how many is a guess
    miss_in_shadow: float = 0.45  # [S] a nearer body takes most of the power, waves bend round it
    shadow_mm: float = 250  # [P] half a body's width
    miss_when_still: float = 0.9  # [F] still people vanish
    cell_mm: float = 600  # [F] two close people read as one; [P] c/2B of the 250 MHz ISM band; [S] half of all pairs merge
    cell_sin: float = 0.26  # [P] about 15 deg: all that two receivers tell apart
    cell_speed_cm_s: float = 40  # [P] a body's own Doppler spread; those who pass each other differ by more, except at the line
    guest_pull: float = 0.33  # [P] the common echo lies between the two, nearer to the nearer
    frozen: float = 0.001  # [F] frames freeze: share of frames that do
    mirrored: float = 0.05  # [F] share of walkers who appear on the opposite side just outside the fan
    ghosts_per_hour: float = 10  # [F] rain, foliage, traffic; the rate is a guess

    @classmethod
    def drawn(cls, rng: Random) -> RadarConstants:
        """Another unit at another place: each constant between its bounds in `BOUNDS`, the scale as units differ."""
        default = cls()
        shares = {name: between(rng, *bounds) * getattr(default, name) for name, bounds in BOUNDS.items()}
        return replace(default, **shares)

    def in_rain(self) -> RadarConstants:
        return replace(self, ghosts_per_hour=self.ghosts_per_hour * RAIN_GHOSTS)


# Of the default, in the order of drawing. Physics (cells, shadow) is known to a quarter, statistics of one sample to a third;
# what is a guess may be half or twice.
BOUNDS = {
    "scale": (0.95, 1.06),
    "range_noise_mm": (0.7, 1.5),
    "azimuth_noise": (0.7, 1.3),
    "speed_noise_cm_s": (0.7, 1.3),
    "noise_kept": (0.5, 1.5),
    "miss": (0.5, 1.5),
    "miss_at_edge": (0.7, 1.3),
    "miss_dog": (0.9, 2.0),
    "miss_in_shadow": (0.7, 1.3),
    "shadow_mm": (0.8, 1.25),
    "miss_when_still": (0.8, 1.1),
    "cell_mm": (0.75, 1.25),
    "cell_sin": (0.75, 1.25),
    "cell_speed_cm_s": (0.75, 1.25),
    "guest_pull": (0.7, 1.4),
    "frozen": (0.5, 2.0),
    "mirrored": (0.5, 2.0),
    "ghosts_per_hour": (0.5, 2.0),
}
assert set(BOUNDS) == {field.name for field in fields(RadarConstants)}
