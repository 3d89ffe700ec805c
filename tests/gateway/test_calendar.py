"""gateway.calendar: every quarter of an hour once; and a year of a node's life, whose calendar has no hole without a reason."""

from __future__ import annotations

import json
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import streetwire
from gateway.calendar import MEASURED, MISSING, PARTIAL, Quarter, quarters
from gateway.model import CountBin, Gap, GiveTime, Note, Received, Reply
from tests.gateway.parts import INCARNATION, LINK, NODE, RATE, SERIES, T0, Desk, acked, hello, live

# -- the pure part


def count_bin(start_s: int, ab: int = 1, ba: int = 2, covered_s: int = 60) -> CountBin:
    return CountBin(SERIES, T0 + start_s, ab, ba, covered_s, 0, 0, 0)


def gap(reason: str, start_s: int, until_s: int, bound: int = 0) -> Gap:
    return Gap("bahnhof", NODE, reason, T0 + start_s, T0 + until_s, bound)


def test_every_quarter_is_there_once_and_says_what_it_is():
    bins = [count_bin(60 * n) for n in range(15)] + [count_bin(960, covered_s=30)]
    found = quarters(T0, T0 + 2700, bins, [gap("dark", 1020, 2700)])
    assert found == [
        Quarter(T0, 15, 30, 1.0, MEASURED, ()),
        Quarter(T0 + 900, 1, 2, 30 / 900, PARTIAL, ("dark",)),
        Quarter(T0 + 1800, 0, 0, 0.0, MISSING, ("dark",)),
    ]


@pytest.mark.parametrize(("covered_s", "state"), [(855, MEASURED), (854, PARTIAL), (0, PARTIAL)])
def test_a_quarter_is_measured_from_95_percent_on(covered_s, state):
    thinned = CountBin(SERIES, T0, 1, 2, covered_s, 0, 0, 0, period_s=900)
    assert quarters(T0, T0 + 900, [thinned], [])[0].state == state


def test_bins_and_gaps_outside_do_not_matter():
    bins, gaps = [count_bin(-60), count_bin(900)], [gap("dark", -900, 0), gap("dark", 900, 1800)]
    assert quarters(T0, T0 + 900, bins, gaps) == [Quarter(T0, 0, 0, 0.0, MISSING, ())]


def test_reasons_are_those_of_all_gaps_that_reach_into_a_quarter():
    gaps = [gap("silent", -300, 1), gap("dark", 899, 2000), gap("dark", 100, 200), gap("given_up", 900, 900)]
    assert [quarter.reasons for quarter in quarters(T0, T0 + 2700, [], gaps)] == [("dark", "silent"), ("dark",), ("dark",)]


def test_a_gap_that_is_open_lasts():
    assert [quarter.reasons for quarter in quarters(T0, T0 + 1800, [], [gap("silent", 60, 961, -1)])] == [("silent",)] * 2


@pytest.mark.parametrize(("start_s", "end_s"), [(T0 + 60, T0 + 900), (T0, T0 + 60)])
def test_an_end_that_is_not_on_a_quarter_is_refused(start_s, end_s):
    with pytest.raises(ValueError, match=f"start {start_s} and end {end_s} must be multiples of 900 s"):
        quarters(start_s, end_s, [], [])


# -- a year


def utc_s(month: int, day: int, hour: int = 0, minute: int = 0, year: int = 2027) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


YEAR = (utc_s(1, 1), utc_s(1, 1, year=2028))
# On these days every minute has its record. Elsewhere the node keeps one in fifteen and gives the others up, to save time.
BUSY = [(utc_s(*first), utc_s(*last)) for first, last in [
    ((2, 9), (2, 13)), ((3, 27), (3, 30)), ((4, 10), (4, 13)), ((6, 2), (6, 3)), ((7, 5), (7, 7)), ((8, 3), (8, 4)),
    ((10, 30), (11, 2)), ((12, 25), (12, 27)),
]]  # fmt: skip
DEAF = (utc_s(2, 9, 4, 7), utc_s(2, 12, 18, 33))  # the cable is out; the node goes on
DARK = (utc_s(4, 10, 3, 2), utc_s(4, 12, 17, 20))
WIPED = (utc_s(6, 2, 10, 30), utc_s(6, 2, 11, 10))  # its new log begins after forty minutes
UNTIMED = (utc_s(8, 3, 6), utc_s(8, 3, 9))  # it does not know the time
GONE = (utc_s(12, 26, 12, 15), YEAR[1])
CUTS = {  # mid-minute, and in both nights in which Berlin sets its clocks
    utc_s(3, 28, 0, 59), utc_s(3, 28, 1, 0), utc_s(3, 28, 1, 30), utc_s(10, 31, 0, 30), utc_s(10, 31, 1, 0), utc_s(10, 31, 1, 44),
    utc_s(2, 10, 12), UNTIMED[0], UNTIMED[1],
}  # fmt: skip
STEPS = [(utc_s(7, 5, 9), utc_s(7, 5, 9, 50), -3600), (utc_s(7, 6, 9), utc_s(7, 6, 15), 3600)]  # of the gateway's clock


def is_in(at_s: int, span: tuple[int, int]) -> bool:
    return span[0] <= at_s < span[1]


class Year:
    """A node, and what it knows to be true: people of each quarter in records or told live, and seconds watched."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.incarnation, self.boot, self.seq, self.total = INCARNATION, 1, 0, 0
        self.started_s = YEAR[0]
        self.held: deque[streetwire.RecordMessage] = deque()
        self.effects: list = []
        self.people: Counter[int] = Counter()
        self.watched: Counter[int] = Counter()
        self.counted = self.given_up = self.unseen = 0

    def live_it(self) -> None:
        self.say(hello(1, 0), YEAR[0])
        for start_s in range(*YEAR, 60):
            if is_in(start_s, GONE) or is_in(start_s, DARK) or is_in(start_s, WIPED):
                pass
            elif start_s == DARK[1]:
                self.begin_boot(start_s)
                self.close(start_s, 60)
            elif start_s == WIPED[1]:
                self.incarnation, self.boot, self.seq = INCARNATION + 1, 0, 0
                self.begin_boot(start_s)
                self.close(start_s, 60)
            elif start_s in CUTS:
                self.cut(start_s)
            else:
                self.close(start_s, 60)
            if start_s % 3600 == 0:
                self.effects += self.desk.session.check_silence(start_s + 60)
                self.commit(start_s)
        self.commit(YEAR[1])

    def close(self, start_s: int, covered_s: int) -> None:
        """The minute that began then is over."""
        people = start_s // 60 * 7919 % 5
        self.total += people
        self.counted += people
        self.seq += 1
        if any(is_in(start_s, busy) for busy in BUSY) or start_s % 900 == 0:
            named_s = 0 if is_in(start_s, UNTIMED) else start_s
            uptime_s = start_s + 60 - self.started_s
            record = streetwire.Record(self.seq, self.boot, named_s, uptime_s, covered_s, people, 0, self.total, 0)
            previous = self.held[-1].record.seq if self.held else 0
            self.held.append(streetwire.RecordMessage(NODE, self.incarnation, previous, record))
            self.note(start_s, people, covered_s)
        else:
            self.given_up += people
        self.send(start_s + 60)

    def cut(self, start_s: int) -> None:
        """Twenty seconds of the minute are told live, ten are not, and after five in the dark it counts the rest."""
        told = 3
        self.total += told
        uptime_s = start_s + 20 - self.started_s
        self.say(live(self.boot, uptime_s, self.total, covered_s=20, incarnation=self.incarnation), start_s + 20)
        self.counted += told + 4
        if is_in(start_s, DEAF):
            self.unseen += told + 4
        else:
            self.note(start_s, told, 20)
            self.unseen += 4
        self.begin_boot(start_s + 35)
        self.close(start_s, 25)

    def note(self, start_s: int, people: int, covered_s: int) -> None:
        self.people[start_s // 900 * 900] += people
        self.watched[start_s // 900 * 900] += covered_s

    def begin_boot(self, at_s: int) -> None:
        self.boot, self.total, self.started_s = self.boot + 1, 0, at_s
        self.say(hello(self.boot, 0, self.seq + 1, incarnation=self.incarnation), at_s)

    def send(self, at_s: int) -> None:
        while self.held and (acked(self.say(self.held[0], at_s)) or 0) >= self.held[0].record.seq:
            self.held.popleft()

    def say(self, message: streetwire.Message, at_s: int) -> list:
        if is_in(at_s, DEAF):
            return []
        clock_s = at_s + next((step for first, last, step in STEPS if is_in(at_s, (first, last))), 0)
        effects = self.desk.session.hear(Received(message.encode(), LINK, clock_s * 1000, at_s * 1000))
        self.effects += effects
        return effects

    def commit(self, now_s: int) -> None:
        self.desk.store.commit([e for e in self.effects if not isinstance(e, (Reply, GiveTime, Note))], now_s)
        self.effects.clear()

    def facts(self, measurement: str) -> list[tuple[str, int, dict]]:
        rows = self.desk.store.read("SELECT tags, time, fields FROM facts WHERE measurement = ?", (measurement,))
        return [(json.loads(tags)["reason"], time_s, json.loads(fields)) for tags, time_s, fields in rows]

    def calendar(self) -> list[Quarter]:
        gaps = [Gap("bahnhof", NODE, reason, at_s, f["until"], f["bound"], f["resolved"]) for reason, at_s, f in self.facts("gaps")]
        return quarters(*YEAR, self.desk.store.count_bins_since(0), gaps)


@pytest.fixture(scope="module")
def year():
    year = Year()
    year.live_it()
    yield year
    year.desk.store.close()


@pytest.fixture(scope="module")
def calendar(year):
    return year.calendar()


def part(calendar: list[Quarter], span: tuple[int, int]) -> list[Quarter]:
    """The quarters that lie wholly in it."""
    return [quarter for quarter in calendar if span[0] <= quarter.start_s and quarter.start_s + 900 <= span[1]]


def test_a_year_has_35040_quarters_each_once(calendar):
    assert [quarter.start_s for quarter in calendar] == list(range(*YEAR, 900))
    assert len(calendar) == 35_040


def test_each_quarter_holds_its_own_people_and_its_own_seconds(year, calendar):
    for quarter in calendar:
        assert quarter.ab == year.people[quarter.start_s], quarter
        assert quarter.coverage == year.watched[quarter.start_s] / 900, quarter


def test_no_quarter_is_missing_and_no_minute_of_it_without_a_reason(year, calendar):
    states = Counter(quarter.state for quarter in calendar)
    assert states.total() == 35_040
    assert min(states[state] for state in (MEASURED, PARTIAL, MISSING)) > 500
    for quarter in calendar:
        if year.watched[quarter.start_s] < 900 - 60 * 2:  # more than what cuts take
            assert quarter.reasons, quarter
        if quarter.state == MEASURED:
            assert not set(quarter.reasons) - {"silent"}, quarter


@pytest.mark.parametrize(
    ("span", "state", "reasons"),
    [
        (DEAF, MEASURED, ()),
        (DARK, MISSING, ("dark", "silent")),
        (WIPED, MISSING, ("silent", "wiped")),
        (UNTIMED, MEASURED, ()),
        (GONE, MISSING, ("silent",)),
        *(((first, last), MEASURED, ()) for first, last, _ in STEPS),
    ],
)
def test_what_happened_is_what_the_calendar_says(calendar, span, state, reasons):
    found = part(calendar, span)
    assert len(found) > 1
    assert {(quarter.state, quarter.reasons) for quarter in found[1:]} == {(state, reasons)}


@pytest.mark.parametrize(("month", "day", "count"), [(3, 28, 92), (3, 29, 96), (10, 31, 100), (11, 1, 96)])
def test_a_day_in_berlin_has_as_many_quarters_as_it_has(calendar, month, day, count):
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2027, month, day, tzinfo=berlin)
    found = part(calendar, (int(midnight.timestamp()), int((midnight + timedelta(days=1)).timestamp())))
    assert len(found) == count
    assert {quarter.state for quarter in found} <= {MEASURED, PARTIAL}
    assert not any(quarter.reasons for quarter in found)


def test_everyone_who_was_counted_in_the_year_is_stored_or_told_exactly_or_bounded(year, calendar):
    stored = sum(quarter.ab for quarter in calendar)
    assert year.counted == stored + year.given_up + year.unseen
    losses = Counter[str]()
    for reason, _, fields in year.facts("losses"):
        losses[reason] += fields["bound"]
    assert losses["given_up"] == year.given_up
    assert year.unseen <= losses["power_cut"] <= (len(CUTS) + 1) * RATE * 62 // 60
