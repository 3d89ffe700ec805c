"""The LiDAR pair: exact bytes, and what two level beams must and must not see."""

import hashlib
from itertools import pairwise
from random import Random
from statistics import mean, median, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.street.crowd import crowd, everybody_is, one_of_each, walk
from tools.street.bodies import Part
from tools.street.lidar import LidarSetup, Van, encode_frame, readings

ALL_PALE = LidarSetup(dark_share=0.0)
ALL_DARK = LidarSetup(dark_share=1.0)


def decode(frame):
    """Independent of the encoder: range in cm and amplitude."""
    assert len(frame) == 9
    assert frame[:2] == b"YY"
    assert sum(frame[:8]) % 256 == frame[8]
    return int.from_bytes(frame[2:4], "little"), int.from_bytes(frame[4:6], "little")


def streams(walkers, setup=ALL_PALE, seed=1, duration_ms=11_000):
    """Two lists of (t_ms, cm, amplitude)."""
    seen = [], []
    for t_ms, stream, frame in readings(Random(seed), walkers, duration_ms, setup):
        seen[stream].append((t_ms, *decode(frame)))
    return seen


def echoes(stream, nearer_than_cm=350):
    return [reading for reading in stream if 0 < reading[1] < nearer_than_cm and reading[2] >= 100]


def test_frame():
    assert encode_frame(1234.0, 300) == bytes.fromhex("59597b002c01c00822")
    assert decode(encode_frame(5_400, 1e9)) == (540, 65535)


@given(st.floats(0, 12_000), st.floats(0, 70_000))
def test_every_frame_can_be_read_back(mm, amplitude):
    cm, strength = decode(encode_frame(mm, amplitude))
    assert abs(cm - mm / 10) <= 0.5 + 1e-9
    assert strength == min(int(amplitude), 65535)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([30.0, 1200.0]))
def test_laws_of_every_stream(seed, rate):
    rng = Random(seed)
    walkers = crowd(rng, 60_000, rate)
    setup = LidarSetup.drawn(rng)
    last_ms, frames = 0, [0, 0]
    for t_ms, stream, frame in readings(rng, walkers, 60_000, setup):
        assert type(t_ms) is int
        assert last_ms <= t_ms < 60_000
        last_ms = t_ms
        decode(frame)
        frames[stream] += 1
    assert all(abs(count - 60 * setup.hz) <= 0.004 * 60 * setup.hz + 1 for count in frames)


def test_an_empty_pavement_is_the_wall_or_nothing():
    for stream in streams([]):
        strong = [cm for _, cm, amplitude in stream if amplitude >= 100]
        assert len(strong) > 0.97 * len(stream)
        assert abs(mean(strong) - 540) <= 2.5
        assert 1 < stdev(strong) < 3
    for stream in streams([], LidarSetup(wall_mm=0)):
        assert {cm for _, cm, _ in stream} == {0}
        assert max(amplitude for *_, amplitude in stream) < 100


def test_the_two_modules_differ_by_a_centimetre_or_two():
    apart = [
        abs(mean(echo[1] for echo in a) - mean(echo[1] for echo in b))
        for a, b in ([echoes(stream, 600) for stream in streams([], seed=seed)] for seed in range(8))
    ]
    assert 1 < max(apart) < 4


def test_weak_readings_are_rare_zero_or_rough():
    stream = streams([], duration_ms=600_000)[0]
    weak = [cm for _, cm, amplitude in stream if amplitude < 100]
    rough = [cm for cm in weak if cm]
    assert 0.011 < len(weak) / len(stream) < 0.017
    assert 0.4 < len(rough) / len(weak) < 0.6
    assert stdev(rough) > 2 * stdev(cm for _, cm, _ in echoes(stream, 600))


def test_units_differ_in_noise():
    calm, rough = (stdev(echo[1] for echo in echoes(streams([], LidarSetup(noise=noise))[0], 600)) for noise in (0.5, 1.5))
    assert rough > 2 * calm
    assert {reading[1] for reading in streams([], LidarSetup(weak_share=0.0))[0] if reading[2] < 100} == set()


def test_the_strongest_echoes_are_clipped():
    assert max(amplitude for *_, amplitude in streams([walk(500)])[0]) == 40_000


def test_a_body_as_high_as_the_beam_fills_half_of_it(monkeypatch):
    """Half of the light comes from the body, half from the wall, each by the square of its distance."""
    everybody_is(monkeypatch, Part(0, 0, 400, 100, 0, 1_000), clothes=0.0)
    middle = [
        (cm, amplitude)
        for t_ms, cm, amplitude in streams([walk(2_100, speed_mm_s=700)])[0]
        if 9_800 < t_ms < 10_000 and amplitude >= 100
    ]
    body, wall = 0.5 * 10_000 / 2.0**2, 0.5 * 13_700 / 5.4**2
    assert abs(mean(amplitude for _, amplitude in middle) / (body + wall) - 1) < 0.25
    assert abs(mean(cm for cm, _ in middle) - (200 * body + 540 * wall) / (body + wall)) < 10


def test_noise_is_centimetres_near_by():
    near = LidarSetup(wall_mm=2_000)
    assert 0.4 < stdev(cm for _, cm, amplitude in streams([], near)[0] if amplitude >= 100) < 1.2


@pytest.mark.parametrize("sign", [1, -1])
def test_somebody_alone_touches_both_beams_in_the_order_of_his_way(sign):
    lags_ms, durations_ms = [], []
    for person in range(30):
        runs = [echoes(stream) for stream in streams([walk(1_800, sign, person=person)], seed=person)]
        middles = [(run[0][0] + run[-1][0]) / 2 for run in runs]
        lags_ms.append(middles[1] - middles[0])
        durations_ms += [run[-1][0] - run[0][0] for run in runs]
        for run in runs:
            assert 140 < median(cm for _, cm, _ in run) < 185
    assert all(lag_ms * sign > 0 for lag_ms in lags_ms)
    assert abs(sign * mean(lags_ms) - 300 / 1.3) < 30  # 0.3 m at 1.3 m/s
    assert all(120 < duration_ms < 520 for duration_ms in durations_ms)  # 0.16 to 0.68 m


def test_dark_clothes_are_seen_near_and_lost_far():
    def seen(y_mm):
        return [
            len(echoes(stream)) for person in range(30) for stream in streams([walk(y_mm, person=person)], ALL_DARK, seed=person)
        ]

    near, far = seen(1_200), seen(3_550)
    assert min(near) >= 4
    assert median(far) == 0
    assert mean(far) < 1  # the palest of the dark flicker above the threshold now and then


def test_a_dark_body_hides_the_wall_all_the_same():
    hidden = [reading for reading in streams([walk(3_550)], ALL_DARK)[0] if 5_200 < reading[0] < 5_400]
    assert median(amplitude for *_, amplitude in hidden) < 100


def test_of_two_abreast_only_the_nearer_is_there():
    """A wider one behind may look out at the edges; in the middle there is nothing of him."""
    for seed in range(10):
        alone = walk(1_200)
        stream = streams([alone, walk(2_200, person=1)], seed=seed)[0]
        middle = [cm for t_ms, cm, amplitude in stream if 5_230 < t_ms < 5_310 and amplitude >= 100]
        assert max(middle) < 150


def test_an_edge_reads_between_near_and_far():
    mixed = [cm for seed in range(10) for _, cm, _ in streams([walk(2_500, person=seed)], seed=seed)[0] if 270 < cm < 500]
    assert mixed


def test_dogs_and_the_smallest_children_walk_below_the_beam():
    for person in range(30):
        assert all(not echoes(stream) for stream in streams([walk(1_800, kind="dog", person=person)], seed=person))
    longest = [
        max(len(echoes(stream)) for stream in streams([walk(1_800, kind="child", person=person)], seed=person))
        for person in range(60)
    ]
    assert 3 < sum(count == 0 for count in longest) < 20
    assert max(longest) >= 10


def test_a_pram_is_longer_than_its_pusher():
    def length_ms(kind):
        runs = [echoes(streams([walk(1_800, kind=kind, person=person)], seed=person)[0]) for person in range(15)]
        return median(run[-1][0] - run[0][0] for run in runs)

    assert length_ms("pram") > length_ms("adult") + 300


def test_a_van_comes_and_goes():
    setup = LidarSetup(van=Van(4_000, 8_000, 3_900))
    for stream in streams([], setup):
        parked = [cm for t_ms, cm, amplitude in stream if amplitude >= 100 and 4_000 <= t_ms < 8_000]
        others = [cm for t_ms, cm, amplitude in stream if amplitude >= 100 and not 4_000 <= t_ms < 8_000]
        assert max(parked) < 410
        assert min(others) > 500


def test_cars_pass_beyond_the_pavement():
    busy = LidarSetup(wall_mm=0, cars_per_minute=12)
    cars = echoes(streams([], busy, duration_ms=120_000)[0], nearer_than_cm=2_000)
    assert min(cm for _, cm, _ in cars) > 440
    assert len(cars) > 100


def test_a_car_meets_one_beam_before_the_other():
    lags_ms = []
    for seed in range(20):
        setup = LidarSetup(hz=100.0, wall_mm=0, cars_per_minute=60)
        first_ms = [echoes(stream, 2_000)[0][0] for stream in streams([], setup, seed, 30_000)]
        lags_ms.append(abs(first_ms[1] - first_ms[0]))
    assert 15 < median(lags_ms) < 60  # 0.3 m at 6 to 14 m/s


def test_rain_is_single_near_readings_and_sun_is_noise():
    rainy = streams([], LidarSetup(rain_per_minute=60), duration_ms=60_000)[0]
    drops = [i for i, reading in enumerate(rainy) if reading in echoes([reading], 150)]
    assert 30 < len(drops) < 90
    assert sum(after - before > 1 for before, after in pairwise(drops)) > 0.9 * (len(drops) - 1)
    shade, sunny = (streams([], LidarSetup(sun=sun))[0] for sun in (0.0, 1.0))
    assert len(sunny) - len(echoes(sunny, 600)) > 2 * (len(shade) - len(echoes(shade, 600)))
    assert stdev(cm for _, cm, amplitude in sunny if amplitude >= 100) > 2 * stdev(
        cm for _, cm, amplitude in shade if amplitude >= 100
    )


def test_the_clocks_drift_apart():
    drifts = []
    for seed in range(8):
        one, other = ([t_ms for t_ms, *_ in stream] for stream in streams([], seed=seed, duration_ms=120_000))
        drifts.append(abs((one[5_000] - one[0]) - (other[5_000] - other[0])))
    assert 20 < max(drifts) < 600
    assert median(drifts) > 20


def test_the_bytes_are_the_same_on_every_platform():
    """No cosine, no hash order: this sum changes only when the model is changed on purpose."""

    def digest(seed):
        seen = readings(Random(seed), one_of_each(), 30_000, LidarSetup.drawn(Random(seed)))
        return hashlib.sha256(
            b"".join(t_ms.to_bytes(4, "little") + bytes((stream,)) + frame for t_ms, stream, frame in seen)
        ).hexdigest()[:16]

    assert digest(5) == "5d0e584c43bca2a8"
    assert digest(6) != digest(5)
