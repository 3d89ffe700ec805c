"""Walkers for the sensors' models to see."""

from tools.street.bodies import Body
from tools.street.walkers import Walker

KINDS = ("adult", "child", "pram", "bike", "dog")


def walk(y_mm=2_000, sign=1, kind="adult", person=0, t_ms=0, speed_mm_s=1300):
    """Straight through, from x = -7 m to 7 m or back."""
    end_ms = t_ms + round(14_000_000 / speed_mm_s)
    return Walker(person, kind, person, ((t_ms, -7000 * sign, y_mm), (end_ms, 7000 * sign, y_mm)))


def one_of_each(y_mm=1_000, step_mm=500):
    return [walk(y_mm + step_mm * i, 1 - i % 2 * 2, kind, i, 3_000 * i) for i, kind in enumerate(KINDS)]


def crowd(rng, duration_ms, per_hour):
    """As many as that rate brings, anywhere on a pavement of 3 m, each at a speed of his own."""
    return [
        walk(
            round(750 + 2_700 * rng.random()),
            1 if rng.random() < 0.5 else -1,
            KINDS[int(5 * rng.random())],
            person,
            round((duration_ms - 20_000) * rng.random()),
            800 + 1_000 * rng.random(),
        )
        for person in range(round(per_hour * duration_ms / 3_600_000))
    ]


def everybody_is(monkeypatch, *parts, clothes=0.5, hair=0.5):
    """All bodies have these parts, these clothes and this hair."""
    body = Body(parts, clothes, hair, 1_000.0, 0.0)
    monkeypatch.setattr("tools.street.bodies.body_of", lambda walker, street: body)
