"""Rolling results where something rare happens: a clock that is far ahead or was, an end in the middle of an audit, what a server
or a healing brings. Real store, booking and sending; a server in memory, and a clock that is set."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import adoption, books, healing, keeping, pipeline
from gateway.auditing import Auditing
from gateway.booking import Booking
from gateway.config import UplinkConfig
from gateway.due import WINDOWS
from gateway.errors import StoreDamaged, StoreError
from gateway.model import Q_SIMULATED, Accept, CountBin, OutboxRef, Passport, Series, node_name
from gateway.outbox import ROLLED, UNROLLED
from gateway.publishing import Publishing
from gateway.rolled import ROLLING
from gateway.sending import Sending
from gateway.session import Rules
from gateway.store import SENT, Store
from gateway.uplink.base import Answer, Outcome, Row
from streetwire import NO_HUMIDITY, NO_TEMPERATURE, Record
from tests.gateway.parts import T0
from tests.gateway.readback import MemoryServer

NODE, LOG = 1, 7
DAY_S = 86_400
STATUS = {"outbox_points": 0, "outbox_age_s": 0, "dead_letters": 0, "disk_free_mb": 1}


class Desk:
    """A gateway's books and what it publishes of them; time passes when a test says so."""

    def __init__(self, folder: Path, batch_points: int = 5000) -> None:
        self.now_s = T0
        self.server = MemoryServer()
        self._path = folder / "store.db"
        self._settings = UplinkConfig(enabled=True, batch_points=batch_points)
        self._seq: dict[int, int] = defaultdict(int)
        self._open()

    def _open(self) -> None:
        self.store = Store(self._path)
        rules = Rules(lambda _node: True, lambda _node, _at_s: "site", lambda _site: 120)
        self.booking = Booking(self.store, rules, lambda: self.now_s, self.in_store, lambda: None, lambda: None)
        uplink: Any = self.server
        self.sending = Sending(
            self.store, self.booking.windows, uplink, self._settings, lambda: self.now_s, lambda: 0.5, self.in_store
        )

    async def in_store(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)

    async def begin(self) -> None:
        await self.booking.recall(with_windows=True)

    async def restart(self) -> None:
        self.store.close()
        self._open()
        await self.begin()

    async def count(self, ab: int = 3, nodes: range = range(NODE, NODE + 1), q: int = 0) -> None:
        """Each node tells of the minute that is over."""
        start_s, effects = self.now_s // 60 * 60 - 60, []
        for node in nodes:
            self._seq[node] += 1
            record = Record(self._seq[node], 1, start_s, start_s - T0 + DAY_S, 60, ab, 0, ab, 0, NO_TEMPERATURE, NO_HUMIDITY, 0, 0)
            effects.append(Accept(node, LOG, record, "site", start_s, "radar", "", q, self.now_s * 1000))
        await self.booking.book(lambda _session: effects)

    async def at(self, now_s: int) -> None:
        """A minute begins."""
        self.now_s = now_s
        await self.booking.advance(now_s)
        await self.booking.note_status("gateway", now_s // 60 * 60, STATUS)
        while await self.sending.send_batch() < 0:
            pass

    async def live(self, minutes: int, **counted: Any) -> None:
        for _ in range(minutes):
            await self.count(**counted)
            await self.at(self.now_s + 60)

    def auditing(self, in_step: Any) -> Auditing:
        uplink: Any = self.server
        names = {node_name(NODE)}
        return Auditing(
            self.store, uplink, self._settings, "gateway", names, lambda: self.now_s, self.in_store, in_step, lambda _found: None
        )

    def wrong(self) -> list[tuple[str, str, int]]:
        """Results that are not what the minutes of their windows add up to, or not there: (node, window, end after T0)."""
        there = {(*dict(tags).values(), end_s): fields for (tags, end_s), fields in self.server.of(ROLLING).items()}
        minutes: dict[Series, dict[int, CountBin]] = defaultdict(dict)
        for bin_ in self.store.count_bins_since(0):
            minutes[bin_.series][bin_.start_s] = bin_
        found = []
        for series, bins in minutes.items():
            for window_s, window in WINDOWS.items():
                last_s = min(self.now_s // 60 * 60 - 60, max(bins) + window_s)
                for end_s in range(-(-(min(bins) + 60) // window.every_s) * window.every_s, last_s + 1, window.every_s):
                    held = [bins[start_s] for start_s in range(end_s - window_s, end_s, 60) if start_s in bins]
                    due = (sum(bin_.ab for bin_ in held), sum(bin_.rev + 1 for bin_ in held))
                    fields = there.get((series.node, series.sensor, series.site, window.tag, end_s), {})
                    if held and (fields.get("count_ab"), fields.get("rev")) != due:
                        found.append((series.node, window.tag, end_s - T0))
        return found


def play(folder: Path, scenario: Callable[[Desk], Awaitable[None]], is_whole: bool = True, **settings: Any) -> None:
    """At the end every result is there, where it is to be `is_whole`."""

    async def go() -> None:
        desk = Desk(folder, **settings)
        await desk.begin()
        await scenario(desk)
        assert not is_whole or desk.wrong() == []
        desk.store.close()

    asyncio.run(go())


@pytest.mark.parametrize("leap_s", [3600, 5 * DAY_S, 41 * DAY_S, 365 * DAY_S, -3600, -365 * DAY_S])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_leaps_for_two_minutes_loses_no_result_that_waits(tmp_path, leap_s, restarts):
    async def scenario(desk: Desk) -> None:
        await desk.live(20)
        answers = desk.server.answers
        desk.server.answers = lambda: Answer(Outcome.RETRY, "away", is_undelivered=True)
        await desk.live(30)
        true_s = desk.now_s
        desk.now_s = true_s + leap_s
        if restarts:
            await desk.restart()
        await desk.at(true_s + leap_s + 60)
        await desk.at(true_s + leap_s + 120)
        desk.server.answers = answers
        await desk.at(true_s + 180)
        await desk.live(3)

    play(tmp_path, scenario)


def test_what_was_forgotten_for_its_age_makes_no_results_any_more(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(30)
        assert keeping.known_from(desk.store) == 0
        keeping.forget(desk.store, desk.now_s + DAY_S)
        assert keeping.known_from(desk.store) == 0, "nothing was that old"
        last_s = desk.now_s - 60
        keeping.forget(desk.store, desk.now_s + 100 * DAY_S)  # a clock that was ahead for long enough to be believed
        assert keeping.known_from(desk.store) == last_s
        before = desk.server.of(ROLLING)
        desk.booking.windows.revise(desk.booking.live()[0].series, T0, T0 + 60)
        await desk.at(desk.now_s + 60)
        old = {place: fields for place, fields in before.items() if place[1] <= last_s}
        assert {place: fields for place, fields in desk.server.of(ROLLING).items() if place in old} == old

    play(tmp_path, scenario, is_whole=False)


def test_results_of_a_series_that_no_window_holds_survive_a_server_that_fails(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(20)
        series = desk.booking.live()[0].series
        desk.now_s += 9 * DAY_S
        await desk.restart()
        await desk.at(desk.now_s + 60)
        await desk.at(desk.now_s + 60)  # what was published is noted a minute later
        await desk.restart()
        assert desk.booking.live() == []
        for place in [place for place in desk.server.points if place[0] == ROLLING]:
            desk.server.lose(place)
        desk.booking.windows.renew(series, desk.now_s)
        assert desk.booking.windows.take_newest(9) == [], "what is read off no window"
        desk.booking.windows.revise(series, T0 - 60, T0 + 20 * 60)
        answers = desk.server.answers
        desk.server.answers = lambda: Answer(Outcome.RETRY, "away")
        await desk.at(desk.now_s + 60)
        desk.server.answers = answers
        await desk.at(desk.now_s + 60)

    play(tmp_path, scenario)


def test_what_proves_that_a_server_is_at_work_is_nothing_simulated(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(5)
        desk.server.is_local = False
        for bin_ in desk.store.count_bins_since(0):
            with desk.store.transaction():
                desk.store.put_bin(replace(bin_, q=bin_.q | Q_SIMULATED), SENT)
            tags = {"site": "site", "node": node_name(NODE), "sensor": "radar"}
            desk.sending._taken_before = OutboxRef(desk.store.series_id(bin_.series), "passages", tags, bin_.start_s, bin_.rev)
        sent = len(desk.server.points)
        assert not await desk.sending._is_at_work()
        assert len(desk.server.points) == sent

    play(tmp_path, scenario, is_whole=False)


def test_of_many_minutes_that_have_not_begun_none_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_EARLY", 20)
    nodes = range(1, 9)

    async def scenario(desk: Desk) -> None:
        await desk.live(60, nodes=nodes)
        await desk.at(desk.now_s - 3600)  # the clock had been an hour ahead
        for minute in range(62):
            if minute > 55:
                await desk.count(1, nodes=range(1, 3))
            await desk.at(desk.now_s + 60)
        assert desk.booking.live()[0].windows[3600][0] == sum(
            bin_.ab for bin_ in desk.store.count_bins_of(desk.booking.live()[0].series, desk.now_s - 3600, desk.now_s)
        )

    play(tmp_path, scenario)


def test_a_start_without_the_time_reads_no_minute(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(30)
        true_s = desk.now_s
        minutes = desk.store.minutes_since(-DAY_S, 900, 0)
        assert (len(minutes.starts), minutes.next_s) == (0, T0 - 60)
        desk.now_s = 60
        await desk.restart()
        await desk.at(true_s + 60)
        await desk.live(3)

    play(tmp_path, scenario)


class Cut(Exception):
    """The process ends."""


@pytest.mark.parametrize("minute_between", [False, True])
def test_an_end_in_the_middle_of_an_audit_loses_no_result_of_what_it_has_found(tmp_path, minute_between):
    async def scenario(desk: Desk) -> None:
        await desk.live(5 * 60)
        for place in [place for place in desk.server.points if T0 + 3600 <= place[2] < T0 + 7200]:
            desk.server.lose(place)

        async def in_step(work: Any, *arguments: Any) -> Any:
            _, holes = found = await desk.booking.in_step(work, *arguments, tell=revise)
            if holes:
                if minute_between:
                    await desk.at(desk.now_s + 60)
                raise Cut
            return found

        def revise(mended: Any) -> None:
            Publishing._revise(SimpleNamespace(_booking=desk.booking), mended)  # type: ignore[arg-type]

        desk.store.note(adoption.ADOPTED, 1)
        with pytest.raises(Cut):
            await desk.auditing(in_step).round()
        await desk.restart()
        await desk.at(desk.now_s + 60)

    play(tmp_path, scenario)


def test_nothing_is_noted_of_results_between_a_change_of_the_books_and_the_windows(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(5)
        noted_s = desk.store.noted(ROLLED)
        steps: list[str] = []

        async def slowly(work: Callable[..., Any], *arguments: Any) -> Any:
            found = work(*arguments)
            for _ in range(5):
                await asyncio.sleep(0)  # others go on
            return found

        desk.booking._in_store = slowly
        change = asyncio.create_task(desk.booking.in_step(lambda: steps.append("changed"), tell=lambda _: steps.append("told")))
        await asyncio.sleep(0)
        await desk.booking.note_status("gateway", desk.now_s, STATUS)
        steps.append("noted")
        await change
        assert steps == ["changed", "told", "noted"]
        assert desk.store.noted(ROLLED) >= noted_s

    play(tmp_path, scenario)


ODD = {
    "rev": (-5, 2**32 - 2, 2**32, 2**63),
    "count_ab": (-1, 2**33, float(2**40)),
    "seq": (2**70,),
    "incarnation": (-1, 2**32),
    "revised_at": (2**63,),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_a_row_with_a_number_that_no_bin_has_is_not_adopted(tmp_path, name, value):
    fields = {
        "count": 3, "count_ab": 3, "count_ba": 0, "period_s": 60, "coverage": 1.0, "q": 64, "rev": 0, "revised_at": T0, "schema": 1,
        "incarnation": 2**32 - 1, "seq": 9,
    }  # fmt: skip

    async def scenario(desk: Desk) -> None:
        tags = {"site": "site", "node": node_name(NODE), "sensor": "radar"}
        rows = [Row(tags, T0 - 600, fields | {name: value}), Row(tags, T0 - 660, fields)]
        adoption.begin(desk.store)
        assert adoption.take(desk.store, "passages", rows, {node_name(NODE)}, T0) == 1
        adoption.finish(desk.store, [], {node_name(NODE)}, T0)
        await desk.restart()
        await desk.at(T0 + 60)

    play(tmp_path, scenario)


def test_minutes_of_no_known_log_are_in_the_windows_once_they_are_adopted(tmp_path):
    fields = {
        "count": 3,
        "count_ab": 3,
        "count_ba": 0,
        "period_s": 60,
        "coverage": 1.0,
        "q": 64,
        "rev": 0,
        "revised_at": T0,
        "schema": 1,
    }

    async def scenario(desk: Desk) -> None:
        rows = [Row({"site": "site", "node": node_name(NODE), "sensor": "radar"}, T0 - 60 * n, fields) for n in range(10, 0, -1)]
        desk.store.note(ROLLED, T0)
        adoption.begin(desk.store)
        assert adoption.take(desk.store, "passages", rows, {node_name(NODE)}, T0) == 10
        assert adoption.finish(desk.store, [], {node_name(NODE)}, T0)
        assert (desk.store.noted(UNROLLED), desk.store.noted(ROLLED)) == (1, T0 - 600)
        await desk.begin()
        assert desk.booking.live()[0].windows[3600][0] == 30
        await desk.at(T0 + 60)

    play(tmp_path, scenario)


def test_a_climate_of_more_readings_than_there_can_be_is_not_adopted(tmp_path):
    store = Store(tmp_path / "store.db")
    about = {"temperature_c": 20.0, "humidity_pct": 50.0, "q": 0, "rev": 0, "revised_at": T0, "schema": 1}
    tags = {"site": "site", "node": node_name(NODE), "sensor": "sht4x"}
    rows = [Row(tags, T0, about | {"n": 6}), Row(tags, T0 + 60, about | {"n": 2**40}), Row(tags, T0 + 120, about | {"n": 0})]
    adoption.begin(store)
    assert adoption.take(store, "climate", rows, {node_name(NODE)}, T0) == 1
    store.close()


def test_after_an_adoption_the_session_hears_of_it_even_if_the_disk_fails_right_after(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(10)
        desk.store.close()
        desk._path = tmp_path / "another.db"
        desk._open()
        await desk.begin()
        streams, asked = desk.store.streams, []

        def fail_once() -> Any:
            asked.append(len(asked))
            if len(asked) == 2:
                raise StoreError("store-unusable", path="", found="")
            return streams()

        desk.store.streams = fail_once
        assert await desk.auditing(desk.in_store).prepare()
        await desk.booking.recall(with_windows=True)
        assert len(desk.booking.live()) == 1
        await desk.at(desk.now_s + 60)

    play(tmp_path, scenario)


def test_a_result_that_would_cut_a_quarter_of_an_hour_is_not_made_however_small_the_batch(tmp_path):
    async def scenario(desk: Desk) -> None:
        answers = desk.server.answers
        desk.server.answers = lambda: Answer(Outcome.RETRY, "away", is_undelivered=True)
        await desk.live(60)
        first_s = -(-T0 // 900) * 900
        with desk.store.transaction():
            keeping._thin_quarter(desk.store, first_s, desk.now_s)
        desk.server.answers = answers
        await desk.restart()
        await desk.live(2)
        seconds = {window.tag: window_s for window_s, window in WINDOWS.items()}
        spans = [(end_s - seconds[dict(tags)["window"]], end_s) for tags, end_s in desk.server.of(ROLLING)]
        assert spans
        assert not [span for span in spans if any(first_s < moment_s < first_s + 900 for moment_s in span)]

    play(tmp_path, scenario, is_whole=False, batch_points=7)


@pytest.mark.parametrize("comes_back", ["healed", "adopted"])
def test_results_of_a_simulated_node_stay_here_also_where_no_passport_says_so(tmp_path, comes_back):
    async def scenario(desk: Desk) -> None:
        desk.server.is_local = False
        desk.store.commit([Passport(NODE, LOG, "0.1", "kit", "virtual", "radar", "")], T0)
        await desk.live(30, q=Q_SIMULATED)
        assert not desk.server.of(ROLLING)
        if comes_back == "healed":
            desk.store.read("UPDATE streams SET passport = replace(passport, 'kit\"', 'kat\"')")
            desk.store.read("VACUUM")
            desk.store.read("PRAGMA wal_checkpoint(TRUNCATE)")  # no page holds what it was
            with pytest.raises(StoreDamaged):
                desk.store.streams()
            healing.heal(desk.store, desk.now_s)
        else:
            rows = [
                Row({"site": "site", "node": node_name(NODE), "sensor": "radar"}, bin_.start_s, {
                    "count_ab": 3, "count_ba": 0, "coverage": 1.0, "q": bin_.q, "rev": 0, "revised_at": T0, "incarnation": LOG,
                    "seq": bin_.seq, "count": 3, "schema": 1, "period_s": 60,
                }) for bin_ in desk.store.count_bins_since(0)
            ]  # fmt: skip
            desk.store.close()
            desk._path = tmp_path / "another.db"
            desk._open()
            adoption.begin(desk.store)
            assert adoption.take(desk.store, "passages", rows, {node_name(NODE)}, desk.now_s) == 30
            adoption.finish(desk.store, [], {node_name(NODE)}, desk.now_s)
        assert desk.store.simulated_nodes() == {node_name(NODE)}
        await desk.begin()
        await desk.at(desk.now_s + 60)
        assert not desk.server.of(ROLLING) and not desk.server.of("passages")
        desk.store.commit([Passport(NODE, LOG, "0.1", "kit", "esp32", "radar", "")], T0)
        assert desk.store.simulated_nodes() == set(), "a board says what it is"

    play(tmp_path, scenario, is_whole=False)


def test_what_is_given_up_as_hopeless_is_not_published_again_each_round(tmp_path):
    async def scenario(desk: Desk) -> None:
        await desk.live(30)
        noted_s = desk.store.noted(ROLLED)
        span = (T0 - 3600, T0 + 3600)
        before = books.tally(desk.store, "passages", *span)
        books.mend(desk.store, "passages", list(before), span, before, [], SENT)
        assert desk.store.noted(ROLLED) == noted_s

    play(tmp_path, scenario)
