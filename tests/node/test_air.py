# The air: whatever a part does, the next reading comes, and an old value is not told for ever.

import streetwire
from node.climate import STALE_TICKS, Climate

SILENT = streetwire.HEALTH["climate_silent"]


class Part:
    low_centi = -4000
    high_centi = 12500
    still_readings = 360
    faults = 0
    fault = ""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def read(self, sleep_ms):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Over(Exception):
    pass


async def rest(ms):
    pass


def run(climate):
    """Until the part has no answer left."""

    async def sleep_ms(ms):
        if not climate._part.answers:
            raise Over

    task = climate.run(sleep_ms)
    try:
        task.send(None)
    except Over:
        return


def test_a_part_that_raises_is_silent_and_is_read_again():
    lines = []
    for error in (MemoryError(), ValueError("odd"), OSError(5)):
        climate = Climate(Part((2100, 5000), error), "climate", lambda level, text: lines.append(text))
        run(climate)
        assert climate.health == SILENT
        assert climate.last is None
        climate = Climate(Part(error, (2100, 5000)), "climate", lambda level, text: lines.append(text))
        run(climate)
        assert climate.health == 0
        assert climate.last == (2100, 5000)
    assert "climate: odd" in lines


def test_what_was_read_long_ago_is_no_news():
    lines = []
    climate = Climate(Part((2100, 5000)), "probe", lambda level, text: lines.append(text))
    run(climate)
    for _ in range(STALE_TICKS - 1):
        climate.tick()
    assert (climate.last, climate.health) == ((2100, 5000), 0)
    climate.tick()
    assert (climate.last, climate.health) == (None, SILENT)
    climate.tick()
    assert lines == ["probe: no answer for a minute"]
