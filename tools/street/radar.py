"""What an HLK-LD2450 at x = 0 reports of the walkers: its bytes, with its honest imperfections.

Theory of operation. Ten times a second every body near the box is asked for an echo. It gives none when it is out of
range or out of the fan, when it has stood still for a while, when a nearer body swallows it (same range, azimuth and
Doppler cell: two read as one) or shadows it, and at random. An echo's range and azimuth carry noise that is partly
kept from frame to frame. Like the module's firmware, a small tracker then announces a body after three echoes,
smooths it, runs on with a fading step while echoes are missing (what looks like a frozen target in recordings) and
gives it up after less than a second. The nearest three tracked bodies are sent; the slots close up when one leaves,
so a slot is no identity. Now and then a whole frame is repeated.

Where a constant comes from stands beside it: [F] facts about the part (the datasheet, reports of users), [S]
statistics of the sample trace pavement300, never of a detector's result, [P] physics. The box is mounted straight;
its range reads a little short, each unit by its own factor.

Only the four operations, square root and `Random.random()` are used, so that a seed gives the same bytes everywhere.
Stretches with nobody near cost nothing: empty frames are skipped here, the UART that plays the bytes sends
`EMPTY_FRAME` for them.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from random import Random
from struct import Struct

from tools.street.walkers import Walker, bell

Target = tuple[int, int, int, int]  # x_mm, y_mm, speed_cm_s (+ is away from the box), resolution_mm

FRAME_MS = 100  # [F] 10 frames/s
MAX_TARGETS = 3  # [F]
RANGE_MM = 6_000  # [F]
TAN_FAN = 1.732  # [F] azimuth +-60 deg, as |x|/y
RESOLUTION_MM = 360  # [F] the value in captured frames
SPEED_STEP_CM_S, SPEED_MAX_CM_S = 8, 200  # [F] radial, quantised and clipped

SHORTEST_SCALE = 0.9  # [F] one unit read 0.85 to 1.02 of the true range, 0.92 beyond 4 m; units differ
AGE_MS = 50  # [P] a frame describes the middle of the 100 ms of chirps it was computed from
RANGE_NOISE_MM = 60  # [S] which part of a body reflects wanders by a few cm
AZIMUTH_NOISE = 0.055  # [S] 3.7 deg: two receivers measure azimuth by phase, a body is half a metre wide
SPEED_NOISE_CM_S = 18  # [S] arms and legs
NOISE_KEPT = 0.4  # [S] share of the noise kept from frame to frame

MISS = 0.1  # [S] share of echoes lost in the middle of the fan
MISS_AT_EDGE = 0.40  # [P] more towards 60 deg and 6 m: the antenna's pattern and the fourth power of range
TAN_EDGE, EDGE_RANGE_MM = 1.0, 4_500  # where the edge begins (45 deg)
MISS_OF_KIND = {"child": 0.05, "dog": 0.35}  # [F] "radar counts some" dogs; [P] smaller bodies reflect less
MISS_IN_SHADOW = 0.45  # [S] a nearer body takes most of the power, waves bend round it
SHADOW_MM = 250  # half a body's width
STILL_MS, MISS_WHEN_STILL = 3_000, 0.9  # [F] still people vanish
CELL_MM = 600  # [F] two close people read as one; [P] c/2B of the 250 MHz ISM band; [S] half of all pairs merge
CELL_SIN = 0.26  # [P] about 15 deg: all that two receivers tell apart
CELL_SPEED_CM_S = 40  # [P] a body's own Doppler spread; those who pass each other differ by more, except at the line
GUEST_PULL = 0.33  # the common echo lies between the two, nearer to the nearer

CONFIRM = 3  # [S] echoes in a row before a body is announced
SMOOTH, SMOOTH_STEP = 0.6, 0.25  # [S] share of a surprise that moves position, and that moves the step per frame
COAST_FRAMES, COAST_FADE = 8, 0.8  # [S] a lost body runs on for 8 frames, each step 0.8 of the last; speed stands
FREEZE, FREEZE_MIN, FREEZE_MAX = 0.001, 2, 4  # [F] frames freeze: how often, and for how many frames
MIRRORED = 0.05  # [F] some just outside the fan appear on the opposite side
TAN_MIRROR = 3.0  # up to about 72 deg
GHOSTS_PER_HOUR = 10  # [F] rain, foliage, traffic; the rate is a guess
GHOST_MIN_MS, GHOST_MAX_MS = 300, 1_000

HEADER, TAIL = b"\xaa\xff\x03\x00", b"\x55\xcc"
EMPTY_FRAME = HEADER + bytes(24) + TAIL
_SLOTS = tuple(Struct("<" + "4H" * n) for n in range(MAX_TARGETS + 1))
_PADDING = tuple(bytes(8 * (MAX_TARGETS - n)) + TAIL for n in range(MAX_TARGETS + 1))


def _word(value: int) -> int:
    """Sign and magnitude with the sense inverted: bit 15 set means positive. Zero is all clear, as captured."""
    return value | 0x8000 if value > 0 else -value


def encode_frame(targets: Sequence[Target]) -> bytes:
    """One 30-byte report of at most three targets."""
    n = len(targets)
    words = []
    for x_mm, y_mm, speed_cm_s, resolution_mm in targets:
        words += _word(x_mm), _word(y_mm), _word(speed_cm_s), resolution_mm
    return HEADER + _SLOTS[n].pack(*words) + _PADDING[n]


def _quantised(speed_cm_s: float) -> int:
    steps = round(speed_cm_s / SPEED_STEP_CM_S)
    return max(-SPEED_MAX_CM_S, min(SPEED_MAX_CM_S, steps * SPEED_STEP_CM_S))


class _Body:
    """A walker (or ghost, or mirror image) as the radar meets it, and the module's track of it."""

    __slots__ = ("_leg", "_noise_az", "_noise_r", "_noise_v", "_points", "base_miss", "confirmed", "end_ms", "guest",
                 "hits", "mirror", "misses", "r", "speed", "start_ms", "still_ms", "tx", "ty", "vr", "vx", "vy", "x",
                 "y")

    def __init__(self, points: Sequence[tuple[int, int, int]], kind: str, mirror: bool = False) -> None:
        self._points, self._leg, self.mirror = points, 1, mirror
        self.start_ms, self.end_ms = points[0][0], points[-1][0]
        self.base_miss = MISS + MISS_OF_KIND.get(kind, 0.0)
        self.x = self.y = self.r = self.vr = 0.0  # where it is, its range, and radial speed in cm/s
        self.still_ms = 0
        self.guest: _Body | None = None  # whom it swallows in this frame
        self._noise_r = self._noise_az = self._noise_v = 0.0
        self.hits = self.misses = self.speed = 0
        self.confirmed = False
        self.tx = self.ty = self.vx = self.vy = 0.0  # the track: place in mm, step in mm per frame

    def move(self, t_ms: float) -> bool:
        """Goes to where it is at `t_ms`; False when the radar cannot see it there."""
        if not self.start_ms <= t_ms <= self.end_ms:
            return False
        points, leg = self._points, self._leg
        while t_ms > points[leg][0]:
            leg += 1
        self._leg = leg
        t0, x0, y0 = points[leg - 1]
        t1, x1, y1 = points[leg]
        dt = t1 - t0
        share = (t_ms - t0) / dt
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        across, reach = abs(x), TAN_FAN * y
        if self.mirror:
            x, x0, x1 = -x, -x0, -x1
            if not reach < across <= TAN_MIRROR * y:
                return False
        elif across > reach:
            return False
        r = sqrt(x * x + y * y)
        if r > RANGE_MM:
            return False
        self.x, self.y, self.r, self.guest = x, y, r, None
        self.vr = 100.0 * (x * (x1 - x0) + y * (y1 - y0)) / (r * dt)
        self.still_ms = self.still_ms + FRAME_MS if x0 == x1 else 0
        return True

    def miss_chance(self, nearer: Sequence["_Body"]) -> float:
        """How likely it gives no echo of its own, given who stands nearer."""
        x, y, r = self.x, self.y, self.r
        miss = self.base_miss
        slant = abs(x) / y
        if slant > TAN_EDGE:
            miss += MISS_AT_EDGE * (slant - TAN_EDGE) / (TAN_FAN - TAN_EDGE)
        if r > EDGE_RANGE_MM:
            miss += MISS_AT_EDGE * (r - EDGE_RANGE_MM) / (RANGE_MM - EDGE_RANGE_MM)
        if self.still_ms > STILL_MS:
            miss = max(miss, MISS_WHEN_STILL)
        for other in nearer:
            cross = abs(x * other.y - y * other.x)  # r * other.r * sin of the angle between
            if (abs(r + self._noise_r - other.r - other._noise_r) < CELL_MM and cross < CELL_SIN * r * other.r
                    and abs(self.vr - other.vr) < CELL_SPEED_CM_S):
                other.guest = self
                return 1.0
            if cross < SHADOW_MM * r:
                miss = max(miss, MISS_IN_SHADOW)
        return miss

    def drift(self, rng: Random) -> None:
        """The noise wanders whether or not anybody listens."""
        fresh = sqrt(1 - NOISE_KEPT * NOISE_KEPT)
        self._noise_r = NOISE_KEPT * self._noise_r + fresh * RANGE_NOISE_MM * bell(rng)
        self._noise_az = NOISE_KEPT * self._noise_az + fresh * AZIMUTH_NOISE * bell(rng)
        self._noise_v = NOISE_KEPT * self._noise_v + fresh * SPEED_NOISE_CM_S * bell(rng)

    def echo(self, scale: float) -> None:
        """An echo reaches the tracker."""
        x, y = self.x, self.y
        if self.guest is not None:
            x += GUEST_PULL * (self.guest.x - x)
            y += GUEST_PULL * (self.guest.y - y)
        stretch = scale * (1 + self._noise_r / self.r)
        turn = self._noise_az  # a small angle: turning by it is adding the perpendicular, shortened to keep the range
        keep = 1 - 0.5 * turn * turn
        mx, my = stretch * (keep * x + turn * y), stretch * (keep * y - turn * x)
        self.speed = _quantised(self.vr + self._noise_v)
        if self.hits == 0:
            self.tx, self.ty, self.vx, self.vy = mx, my, 0.0, 0.0
        elif self.hits == 1:  # the second echo gives the first step
            self.tx, self.ty, self.vx, self.vy = mx, my, mx - self.tx, my - self.ty
        else:
            surprise_x, surprise_y = mx - self.tx - self.vx, my - self.ty - self.vy
            self.tx += self.vx + SMOOTH * surprise_x
            self.ty += self.vy + SMOOTH * surprise_y
            self.vx += SMOOTH_STEP * surprise_x
            self.vy += SMOOTH_STEP * surprise_y
        self.hits += 1
        self.misses = 0
        self.confirmed = self.confirmed or self.hits >= CONFIRM

    def lost(self) -> None:
        """No echo: run on with a fading step, give up in the end; unconfirmed bodies are forgotten at once."""
        self.misses += 1
        if not self.confirmed or self.misses > COAST_FRAMES:
            self.hits, self.confirmed = 0, False
            return
        self.tx += self.vx
        self.ty += self.vy
        self.vx *= COAST_FADE
        self.vy *= COAST_FADE

    def target(self) -> Target:
        return round(self.tx), max(0, round(self.ty)), self.speed, RESOLUTION_MM


def _ghosts(rng: Random, duration_ms: int) -> Iterator[_Body]:
    """Short echoes of nobody: rain, leaves, a van's side."""
    for second_ms in range(0, duration_ms, 1000):
        if rng.random() < GHOSTS_PER_HOUR / 3600:
            x, y = round(3_000 * (2 * rng.random() - 1)), round(800 + 4_000 * rng.random())
            end_ms = second_ms + GHOST_MIN_MS + round((GHOST_MAX_MS - GHOST_MIN_MS) * rng.random())
            moved = round(200 * bell(rng))
            yield _Body(((second_ms, x, y), (end_ms, x + moved, y)), "ghost")


def _bodies(rng: Random, walkers: Sequence[Walker], duration_ms: int) -> list[_Body]:
    bodies = [_Body(walker.points, walker.kind) for walker in walkers]
    bodies += [_Body(walker.points, walker.kind, mirror=True) for walker in walkers if rng.random() < MIRRORED]
    bodies += _ghosts(rng, duration_ms)
    return sorted(bodies, key=lambda body: body.start_ms)  # a stable sort: equal starts keep their order


def _listen(rng: Random, near: Sequence[_Body], t_ms: float, scale: float) -> None:
    """One round of echoes: moves every body near the box and feeds its track."""
    seen = []
    for body in near:
        if body.move(t_ms):
            seen.append(body)
        elif body.hits:
            body.lost()
    seen.sort(key=lambda body: body.r)
    heard = []
    for i, body in enumerate(seen):
        body.drift(rng)
        if rng.random() < body.miss_chance(seen[:i]):
            body.lost()
        else:
            heard.append(body)
    for body in heard:  # only now, because a farther body may have joined a nearer one's echo
        body.echo(scale)


def frames(rng: Random, walkers: Sequence[Walker], duration_ms: int, phase_ms: int) -> Iterator[tuple[int, bytes]]:
    """Frames with at least one target, at `phase_ms + 100 k` below `duration_ms`, in order."""
    scale = 1 - (1 - SHORTEST_SCALE) * rng.random()
    bodies = _bodies(rng, walkers, duration_ms)
    near: list[_Body] = []
    slots: list[_Body] = []
    coming, frozen, frame, t_ms = 0, 0, EMPTY_FRAME, phase_ms
    while t_ms < duration_ms:
        at_ms = t_ms - AGE_MS
        if not near:
            if coming == len(bodies):
                return
            idle_ms = bodies[coming].start_ms - at_ms
            if idle_ms > 0:  # nobody about: on to the first frame that can hold somebody
                t_ms += -(-idle_ms // FRAME_MS) * FRAME_MS
                frozen = 0
                continue
        while coming < len(bodies) and bodies[coming].start_ms <= at_ms:
            near.append(bodies[coming])
            coming += 1
        _listen(rng, near, at_ms, scale)
        near = [body for body in near if body.hits or body.end_ms > at_ms]
        slots = [body for body in slots if body.confirmed]
        slots += [body for body in near if body.confirmed and body not in slots]
        sent = slots
        if len(slots) > MAX_TARGETS:
            nearest = sorted(slots, key=lambda body: body.tx * body.tx + body.ty * body.ty)[:MAX_TARGETS]
            sent = [body for body in slots if body in nearest]
        if frozen:
            frozen -= 1
        else:
            frame = encode_frame([body.target() for body in sent]) if sent else EMPTY_FRAME
            if rng.random() < FREEZE:
                frozen = FREEZE_MIN - 1 + int((FREEZE_MAX - FREEZE_MIN + 1) * rng.random())
        if frame != EMPTY_FRAME:
            yield t_ms, frame
        t_ms += FRAME_MS
