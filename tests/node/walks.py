# What the tests of laws share: an hour's kind of street in a minute, as each detector is given it. Random, repeatable, noisy.

from dialect import Chance

SECONDS = 90


def walkers(seed, every_ms=2500):
    """[(ms at the line, direction, mm per second, mm from the box), ...]"""
    chance = Chance(seed)
    found = []
    at_ms = 3000
    while at_ms < 1000 * SECONDS - 5000:
        found.append((at_ms, 1 - 2 * chance.below(2), 700 + chance.below(1200), 800 + chance.below(2600)))
        at_ms += 200 + chance.below(2 * every_ms)
    return found


def noise(chance, mm):
    return chance.below(2 * mm + 1) - mm


def radar_reports(seed):
    """(ms, [(x, y, speed), ...]), ten a second, three targets at most."""
    chance = Chance(seed + 1000)
    people = walkers(seed)
    for ms in range(0, 1000 * SECONDS, 100):
        seen = []
        for at_ms, direction, mm_s, y in people:
            x = direction * mm_s * (ms - at_ms) // 1000
            if abs(x) < min(2500, 1300 * y // 1000) and len(seen) < 3:
                seen.append((x + noise(chance, 60), y + noise(chance, 60), noise(chance, 20) * 8))
        yield ms, seen


def beam_readings(seed, period_ms=20):
    """(ms, beam, mm): two beams 300 mm apart with a wall behind."""
    chance = Chance(seed + 2000)
    people = walkers(seed)
    for ms in range(0, 1000 * SECONDS, period_ms):
        for beam in range(2):
            mm = 5000
            for at_ms, direction, mm_s, y in people:
                middle = direction * mm_s * (ms - at_ms) // 1000
                if abs(middle - (150 if beam else -150)) < 200:
                    mm = min(mm, y)
            yield ms, beam, mm + noise(chance, 15)


def zone_readings(seed):
    """(ms, zone, mm, status): two zones in turn, 200 mm apart where heads pass."""
    chance = Chance(seed + 3000)
    people = walkers(seed)
    for turn in range(1000 * SECONDS // 40):
        zone = turn % 2
        ms = 40 * turn
        mm = 2400
        for at_ms, direction, mm_s, y in people:
            middle = direction * mm_s * (ms - at_ms) // 2000  # slower through a door
            if abs(middle - (100 if zone else -100)) < 220:
                mm = min(mm, 700 + y // 10)
        yield ms, zone, mm + noise(chance, 15), 0 if chance.below(40) else 2


def switch_levels(seed):
    """(ms, level 0, level 1), ten a second: each switch is high for two seconds after somebody came by."""
    people = walkers(seed, 9000)
    for ms in range(0, 1000 * SECONDS, 100):
        high = [0, 0]
        for at_ms, direction, mm_s, _ in people:
            lag_ms = 1000 * 1000 // mm_s
            for channel in range(2):
                came_ms = at_ms + (lag_ms // 2 if (channel == 1) == (direction > 0) else -lag_ms // 2)
                if came_ms <= ms < came_ms + 2000:
                    high[channel] = 1
        yield ms, high[0], high[1]
