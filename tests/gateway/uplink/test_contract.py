"""What every uplink in the table promises, shown on every server: real InfluxDB, real VictoriaMetrics, files.

What a server cannot keep stands in SERVERS, and is shown too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from gateway import schema
from gateway.config import UplinkConfig
from gateway.model import Point
from gateway.uplink.base import Outcome, Row, Tallies, Uplink
from gateway.uplink.table import UPLINKS, open_uplink
from tests.gateway import parts
from tests.gateway.uplink.hostile import Hostile
from tests.real_parts import needs

T0 = parts.T0 - 1000 * 86_400  # VictoriaMetrics drops what lies ahead of its clock
TAGS = {"site": "bahnhof", "node": "tr-a3f1c2", "sensor": "radar"}
GOOD = (0, 1, 3, 4)  # of five lines with a bad one among them


def passages(n: int, count: int, rev: int = 0, **tags: str) -> bytes:
    """The n-th minute of the street."""
    fields = {
        "count": count, "count_ab": count, "count_ba": 0, "period_s": 60, "coverage": 1.0, "q": 64, "rev": rev,
        "revised_at": T0 + 60 * n + 61, "schema": 1,
    }  # fmt: skip
    return schema.render(Point("passages", {**TAGS, **tags}, fields, T0 + 60 * n))


def counts(uplink: Uplink, minutes: int = 2000) -> dict[int, object]:
    """As read back: minute -> count of all nodes."""
    found: dict[int, object] = {}
    for row in uplink.read("passages", T0, T0 + 60 * minutes):
        minute = (row.time_s - T0) // 60
        assert minute not in found, "two rows of one minute"
        found[minute] = row.fields["count"]
    return found


@dataclass(frozen=True)
class Server:
    """A server as the uplinks meet it, and what it does not promise."""

    name: str
    api: str
    parts: tuple[str, ...] = ()  # real programs that it needs
    refuses_bad_lines: bool = True
    keeps_strings: bool = True
    keeps_newest: bool = True  # of the revisions of a point; else any one of them


SERVERS = (
    Server("file", "file"),
    Server("influxd", "v1", ("influxd",)),
    Server("adapter", "v2", ("influxd",)),
    Server("victoria", "v2", ("victoria-metrics",), refuses_bad_lines=False, keeps_strings=False, keeps_newest=False),
)


EACH_SERVER = [pytest.param(s, id=s.name, marks=[needs(part) for part in s.parts]) for s in SERVERS]


@pytest.fixture(params=EACH_SERVER)
def server(request) -> Server:
    return request.param


@pytest.fixture
def settings(request, server, tmp_path) -> UplinkConfig:
    """[uplink] as it would stand in the configuration."""
    return settings_for(server.name, request, tmp_path)


def settings_for(name: str, request, tmp_path) -> UplinkConfig:
    """The same for one server by its name."""
    if name == "file":
        return UplinkConfig(enabled=True, api="file", folder=tmp_path / "points")
    if name == "influxd":
        url, database = request.getfixturevalue("influxd").url, request.getfixturevalue("database")
        return UplinkConfig(enabled=True, api="v1", url=url, database=database)
    if name == "adapter":
        adapter, bucket = request.getfixturevalue("adapter"), request.getfixturevalue("database")
        token = secret(tmp_path / "token", adapter.writer)
        return UplinkConfig(enabled=True, api="v2", url=adapter.url, org=adapter.org, bucket=bucket, token_file=token)
    assert name == "victoria", f"say here how to reach {name}"
    return UplinkConfig(enabled=True, api="v2", url=request.getfixturevalue("victoria").url)


def secret(path, text: str):
    """A file that holds a secret as it should."""
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


class Shown:
    """An uplink to VictoriaMetrics that does not wait for the second after which it shows points."""

    def __init__(self, uplink: Uplink, flush: Callable[[], None]) -> None:
        self._uplink = uplink
        self._flush = flush

    def __getattr__(self, name: str) -> object:
        return getattr(self._uplink, name)

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        self._flush()
        return self._uplink.read(measurement, start_s, end_s)

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        self._flush()
        return self._uplink.tally(measurement, fields, start_s, end_s)


def shown(name: str, request, uplink: Uplink) -> Uplink:
    """The uplink, so that a test sees at once what it sent."""
    return Shown(uplink, request.getfixturevalue("victoria").flush) if name == "victoria" else uplink  # type: ignore[return-value]


@pytest.fixture
def open_it(request, server, settings):
    """Opens the uplink again and again; closes all at the end."""
    opened: list[Uplink] = []

    def open_one() -> Uplink:
        opened.append(open_uplink(settings))
        return shown(server.name, request, opened[-1])

    yield open_one
    for uplink in opened:
        uplink.close()


@pytest.fixture
def uplink(open_it: Callable[[], Uplink]) -> Uplink:
    return open_it()


def test_every_uplink_of_the_table_meets_a_server():
    assert {server.api for server in SERVERS} == set(UPLINKS)


def test_the_same_sums_come_back(uplink, settings):
    lines = [passages(n, n % 7) for n in range(1000)]
    assert uplink.send(lines).outcome is Outcome.STORED
    assert counts(uplink) == {n: n % 7 for n in range(1000)}
    assert (uplink.name, uplink.is_local) == (settings.api, True)


def test_a_row_comes_back_with_its_tags_time_and_every_field(uplink):
    uplink.send([passages(0, 5, rev=2)])
    (row,) = uplink.read("passages", T0, T0 + 1)
    assert (row.tags, row.time_s) == (TAGS, T0)
    assert row.fields == {
        "count": 5, "count_ab": 5, "count_ba": 0, "period_s": 60, "coverage": 1.0, "q": 64, "rev": 2, "revised_at": T0 + 61,
        "schema": 1,
    }  # fmt: skip


def test_points_sent_twice_are_one_row(uplink):
    lines = [passages(n, 3) for n in range(50)]
    for _ in range(2):
        assert uplink.send(lines).outcome is Outcome.STORED
    assert counts(uplink) == dict.fromkeys(range(50), 3)


def test_a_later_revision_overwrites_and_an_earlier_point_of_another_minute_does_not(uplink, server):
    for lines in ([passages(1, 3)], [passages(1, 8, rev=1), passages(2, 1)], [passages(0, 2)]):
        assert uplink.send(lines).outcome is Outcome.STORED
    found = counts(uplink)
    assert found.pop(1) in ([8] if server.keeps_newest else [3, 8])
    assert found == {0: 2, 2: 1}


def test_other_tags_are_another_row(uplink):
    uplink.send([passages(0, 3), passages(0, 4, node="tr-0000b2"), passages(0, 5, site="jahnplatz")])
    assert sorted(row.fields["count"] for row in uplink.read("passages", T0, T0 + 1)) == [3, 4, 5]


def test_what_was_stored_is_there_for_whoever_opens_it_next(open_it):
    assert open_it().send([passages(0, 3)]).outcome is Outcome.STORED
    assert counts(open_it()) == {0: 3}


def test_a_span_includes_its_begin_and_excludes_its_end(uplink):
    uplink.send([passages(n, 1) for n in range(4)])
    assert sorted(row.time_s for row in uplink.read("passages", T0 + 60, T0 + 180)) == [T0 + 60, T0 + 120]


def test_days_do_not_get_in_each_others_way(uplink):
    uplink.send([passages(n, 1) for n in range(900, 1020)])  # T0 is eight in the morning: across midnight
    assert set(counts(uplink)) == set(range(900, 1020))


def test_measurements_do_not_mix(uplink):
    status = Point("gateway_status", {"gateway": "gw"}, {"outbox_points": 1, "outbox_age_s": 0, "dead_letters": 0}, T0)
    uplink.send([schema.render(status), passages(0, 2)])
    assert [row.tags for row in uplink.read("gateway_status", T0, T0 + 60)] == [{"gateway": "gw"}]
    assert counts(uplink) == {0: 2}


def test_what_nobody_sent_is_not_there(uplink):
    assert uplink.read("passages", T0, T0 + 60) == []


@pytest.mark.parametrize(
    "bad", [b"no line protocol", b"passages,site=bahnhof", b"passages,site=bahnhof count= 1800000000", b"passages count=1i x"]
)
def test_a_bad_line_is_refused_with_a_reason_and_the_others_can_be_sent_without_it(uplink, server, bad):
    lines = [passages(n, 1) for n in range(5)]
    lines[2] = bad
    answer = uplink.send(lines)
    refused = Outcome.REFUSED if server.refuses_bad_lines else Outcome.STORED  # 204, and only its own log knows
    assert answer.outcome is refused
    assert bool(answer.reason) == server.refuses_bad_lines
    assert uplink.send([bad]).outcome is refused
    assert uplink.send([lines[n] for n in GOOD]).outcome is Outcome.STORED
    assert counts(uplink) == dict.fromkeys(GOOD, 1)


def test_a_string_comes_back_where_the_server_keeps_strings(uplink, server):
    uplink.send([passages(0, 5).replace(b" count=", b' cal="study\\"1",count=')])
    (row,) = uplink.read("passages", T0, T0 + 1)
    assert row.fields.get("cal") == ('study"1' if server.keeps_strings else None)
    assert row.fields["count"] == 5


def test_types_come_back_as_the_schema_has_them(uplink, server):
    uplink.send([passages(0, 5)])
    (row,) = uplink.read("passages", T0, T0 + 1)
    assert type(row.fields["count"]) is int


def test_a_name_that_begins_like_another_is_another_measurement(uplink):
    fields = {"count": 9, "count_ab": 9, "count_ba": 0, "coverage": 1.0, "rev": 0, "schema": 1}
    uplink.send([schema.render(Point("passages_rolling", {**TAGS, "window": "1h"}, fields, T0)), passages(0, 2)])
    assert counts(uplink) == {0: 2}
    assert [row.fields["count"] for row in uplink.read("passages_rolling", T0, T0 + 60)] == [9]


def test_a_server_says_what_it_is(uplink, server):
    identity = uplink.identify()
    names = {"file": "file", "influxd": "InfluxDB", "adapter": "InfluxDB", "victoria": "VictoriaMetrics"}
    assert identity.name == names[server.name]
    assert identity.version[:2] == ("1." if identity.name == "InfluxDB" else "")  # Debian's VictoriaMetrics has no version
    assert str(identity) == f"{identity.name} {identity.version}".strip()


def test_every_uplink_of_the_configuration_stands_in_the_table():
    assert set(UPLINKS) == set(UplinkConfig.model_fields["api"].annotation.__args__)


def test_each_uplink_gets_exactly_what_its_row_names(tmp_path):
    hostile = Hostile()
    every = {
        "url": hostile.url, "database": "d b", "user": "u", "password_file": secret(tmp_path / "password", "geheim"),
        "org": "o g", "bucket": "b t", "token_file": secret(tmp_path / "token", "t0ken"), "folder": tmp_path / "points",
    }  # fmt: skip
    for api in UPLINKS:
        uplink = open_uplink(UplinkConfig(api=api, **every))
        uplink.send([passages(0, 1)])
        uplink.close()
    found = [(path, headers["Authorization"]) for _, path, _, headers in hostile.requests]
    assert found == [
        ("/write?db=d+b&precision=s", "Basic dTpnZWhlaW0="),
        ("/api/v2/write?org=o+g&bucket=b+t&precision=s", "Token t0ken"),
    ]
    assert [file.name for file in (tmp_path / "points").iterdir()] == ["passages-2024-04-20.lp"]
    hostile.close()
