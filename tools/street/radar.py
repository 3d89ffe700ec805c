"""What an HLK-LD2450 at x = 0 reports of the walkers: its bytes, with its honest imperfections.

Theory of operation. Ten times a second every body near the box is asked for an echo. It gives none when it is out of
range or out of the fan, when it has stood still for a while, when a nearer body swallows it (same range, azimuth and
Doppler cell: two read as one) or shadows it, and at random. An echo's range and azimuth carry noise that is partly
kept from frame to frame. Like the module's firmware, a small tracker then announces a body after three echoes,
smooths it, runs on with a fading step while echoes are missing (what looks like a frozen target in recordings) and
gives it up after less than a second. The nearest three tracked bodies are sent; the slots close up when one leaves,
so a slot is no identity. Now and then a whole frame is repeated.

Where a constant comes from stands beside it: [F] facts about the part (the datasheet, reports of users), [S]
statistics of the sample trace pavement300, never of a detector's result, [P] physics. Those that differ from unit to
unit stand in `radar_constants.py`. The box is mounted straight. A pram is a body of its own, ahead of its pusher.

Only the four operations, square root and `Random.random()` are used, so that a seed gives the same bytes everywhere.
Stretches with nobody near cost nothing: empty frames are skipped here, the UART that plays the bytes sends
`EMPTY_FRAME` for them.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from random import Random
from struct import Struct

from tools.street.radar_constants import RadarConstants
from tools.street.walkers import Path, Walker, bell, pram_path

Target = tuple[int, int, int, int]  # x_mm, y_mm, speed_cm_s (+ is away from the box), resolution_mm

FRAME_MS = 100  # [F] 10 frames/s
MAX_TARGETS = 3  # [F]
RANGE_MM = 6_000  # [F]
TAN_FAN = 1.732  # [F] azimuth +-60 deg, as |x|/y
RESOLUTION_MM = 360  # [F] the value in captured frames
SPEED_STEP_CM_S, SPEED_MAX_CM_S = 8, 200  # [F] radial, quantised and clipped

AGE_MS = 50  # [P] a frame describes the middle of the 100 ms of chirps it was computed from

TAN_EDGE, EDGE_RANGE_MM = 1.0, 4_500  # where the edge begins (45 deg)
MISS_CHILD = 0.05  # [P] more of a child's echoes: smaller bodies reflect less
STILL_MS, STILL_MM_S = 3_000, 80  # [F] still people vanish; [P] the step of the speed: whoever sways is still

CONFIRM = 3  # [S] echoes in a row before a body is announced
SMOOTH, SMOOTH_STEP = 0.6, 0.25  # [S] share of a surprise that moves position, and that moves the step per frame
COAST_FRAMES, COAST_FADE = 8, 0.8  # [S] a lost body runs on for 8 frames, each step 0.8 of the last; speed stands
FREEZE_MIN, FREEZE_MAX = 2, 4  # [F] for how many frames one freezes
TAN_MIRROR = 3.0  # up to about 72 deg
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

    __slots__ = (
        "_constants",
        "_leg",
        "_noise_az",
        "_noise_r",
        "_noise_v",
        "_points",
        "base_miss",
        "confirmed",
        "end_ms",
        "guest",
        "hits",
        "mirror",
        "misses",
        "r",
        "speed",
        "start_ms",
        "still_ms",
        "tx",
        "ty",
        "vr",
        "vx",
        "vy",
        "x",
        "y",
    )

    def __init__(self, constants: RadarConstants, points: Path, kind: str, mirror: bool = False) -> None:
        self._constants, self._points, self._leg, self.mirror = constants, points, 1, mirror
        self.start_ms, self.end_ms = points[0][0], points[-1][0]
        self.base_miss = constants.miss + {"child": MISS_CHILD, "dog": constants.miss_dog}.get(kind, 0.0)
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
        self.still_ms = self.still_ms + FRAME_MS if 1_000 * abs(x1 - x0) < STILL_MM_S * dt else 0
        return True

    def miss_chance(self, nearer: Sequence["_Body"]) -> float:
        """How likely it gives no echo of its own, given who stands nearer."""
        x, y, r, known = self.x, self.y, self.r, self._constants
        miss = self.base_miss
        slant = abs(x) / y
        if slant > TAN_EDGE:
            miss += known.miss_at_edge * (slant - TAN_EDGE) / (TAN_FAN - TAN_EDGE)
        if r > EDGE_RANGE_MM:
            miss += known.miss_at_edge * (r - EDGE_RANGE_MM) / (RANGE_MM - EDGE_RANGE_MM)
        if self.still_ms > STILL_MS:
            miss = max(miss, known.miss_when_still)
        for other in nearer:
            cross = abs(x * other.y - y * other.x)  # r * other.r * sin of the angle between
            if (
                abs(r + self._noise_r - other.r - other._noise_r) < known.cell_mm
                and cross < known.cell_sin * r * other.r
                and abs(self.vr - other.vr) < known.cell_speed_cm_s
            ):
                other.guest = self
                return 1.0
            if cross < known.shadow_mm * r:
                miss = max(miss, known.miss_in_shadow)
        return miss

    def drift(self, rng: Random) -> None:
        """The noise wanders whether or not anybody listens."""
        known = self._constants
        kept = known.noise_kept
        fresh = sqrt(1 - kept * kept)
        self._noise_r = kept * self._noise_r + fresh * known.range_noise_mm * bell(rng)
        self._noise_az = kept * self._noise_az + fresh * known.azimuth_noise * bell(rng)
        self._noise_v = kept * self._noise_v + fresh * known.speed_noise_cm_s * bell(rng)

    def echo(self) -> None:
        """An echo reaches the tracker."""
        x, y = self.x, self.y
        if self.guest is not None:
            pull = self._constants.guest_pull
            x += pull * (self.guest.x - x)
            y += pull * (self.guest.y - y)
        stretch = self._constants.scale * (1 + self._noise_r / self.r)
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


def _ghosts(rng: Random, constants: RadarConstants, duration_ms: int) -> Iterator[_Body]:
    """Short echoes of nobody: rain, leaves, a van's side."""
    for second_ms in range(0, duration_ms, 1000):
        if rng.random() < constants.ghosts_per_hour / 3600:
            x, y = round(3_000 * (2 * rng.random() - 1)), round(800 + 4_000 * rng.random())
            end_ms = second_ms + GHOST_MIN_MS + round((GHOST_MAX_MS - GHOST_MIN_MS) * rng.random())
            moved = round(200 * bell(rng))
            yield _Body(constants, ((second_ms, x, y), (end_ms, x + moved, y)), "ghost")


def _bodies(rng: Random, constants: RadarConstants, walkers: Sequence[Walker], duration_ms: int) -> list[_Body]:
    paths = [(walker.points, walker.kind) for walker in walkers]
    paths += [(pram_path(walker.points), "pram") for walker in walkers if walker.kind == "pram"]
    bodies = [_Body(constants, points, kind) for points, kind in paths]
    bodies += [_Body(constants, points, kind, mirror=True) for points, kind in paths if rng.random() < constants.mirrored]
    bodies += _ghosts(rng, constants, duration_ms)
    return sorted(bodies, key=lambda body: body.start_ms)  # a stable sort: equal starts keep their order


def _listen(rng: Random, near: Sequence[_Body], t_ms: float) -> None:
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
        body.echo()


def frames(
    rng: Random, walkers: Sequence[Walker], duration_ms: int, phase_ms: int, constants: RadarConstants | None = None
) -> Iterator[tuple[int, bytes]]:
    """Frames with at least one target, at `phase_ms + 100 k` below `duration_ms`, in order; the defaults without constants."""
    constants = constants or RadarConstants()
    bodies = _bodies(rng, constants, walkers, duration_ms)
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
        _listen(rng, near, at_ms)
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
            if rng.random() < constants.frozen:
                frozen = FREEZE_MIN - 1 + int((FREEZE_MAX - FREEZE_MIN + 1) * rng.random())
        if frame != EMPTY_FRAME:
            yield t_ms, frame
        t_ms += FRAME_MS
