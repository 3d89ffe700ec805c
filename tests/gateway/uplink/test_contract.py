"""What every uplink in the table promises, shown with each of them: on a real InfluxDB server and in files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway import schema
from gateway.config import UplinkConfig
from gateway.model import Point
from gateway.uplink.base import Outcome, Uplink
from gateway.uplink.table import UPLINKS, open_uplink
from tests.gateway.parts import T0
from tests.gateway.uplink.hostile import Hostile
from tests.real_parts import needs

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


@pytest.fixture(params=[pytest.param(api, marks=needs("influxd")) if api == "v1" else api for api in UPLINKS])
def settings(request, tmp_path) -> UplinkConfig:
    """[uplink] as it would stand in the configuration, for each row of the table."""
    if request.param == "v1":
        url, database = request.getfixturevalue("influxd").url, request.getfixturevalue("database")
        return UplinkConfig(enabled=True, api="v1", url=url, database=database)
    if request.param == "file":
        return UplinkConfig(enabled=True, api="file", folder=tmp_path / "points")
    raise AssertionError(f"uplink {request.param!r} has no contract test: say here how to open one")


@pytest.fixture
def open_it(settings):
    """Opens the uplink again and again; closes all at the end."""
    opened: list[Uplink] = []

    def open_one() -> Uplink:
        opened.append(open_uplink(settings))
        return opened[-1]

    yield open_one
    for uplink in opened:
        uplink.close()


@pytest.fixture
def uplink(open_it: Callable[[], Uplink]) -> Uplink:
    return open_it()


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


def test_a_later_revision_overwrites_and_an_earlier_point_of_another_minute_does_not(uplink):
    for lines in ([passages(1, 3)], [passages(1, 8, rev=1), passages(2, 1)], [passages(0, 2)]):
        assert uplink.send(lines).outcome is Outcome.STORED
    assert counts(uplink) == {0: 2, 1: 8, 2: 1}


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
def test_a_bad_line_is_refused_with_a_reason_and_the_others_can_be_sent_without_it(uplink, bad):
    lines = [passages(n, 1) for n in range(5)]
    lines[2] = bad
    answer = uplink.send(lines)
    assert answer.outcome is Outcome.REFUSED
    assert answer.reason
    assert uplink.send([bad]).outcome is Outcome.REFUSED
    assert uplink.send([lines[n] for n in GOOD]).outcome is Outcome.STORED
    assert counts(uplink) == dict.fromkeys(GOOD, 1)


def test_every_uplink_of_the_configuration_stands_in_the_table():
    assert set(UPLINKS) == set(UplinkConfig.model_fields["api"].annotation.__args__)


def test_each_uplink_gets_exactly_what_its_row_names(tmp_path):
    hostile = Hostile()
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    secret.chmod(0o600)
    both = {"url": hostile.url, "database": "d b", "user": "u", "password_file": secret, "folder": tmp_path / "points"}
    for api in UPLINKS:
        open_uplink(UplinkConfig(api=api, **both)).send([passages(0, 1)])
    ((_, path, _, headers),) = hostile.requests
    assert path == "/write?db=d+b&precision=s"
    assert headers["Authorization"] == "Basic dTpnZWhlaW0="
    assert [file.name for file in (tmp_path / "points").iterdir()] == ["passages-2027-01-15.lp"]
    hostile.close()
