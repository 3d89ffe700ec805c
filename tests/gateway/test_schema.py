"""gateway.schema and schema.toml: all of the contract's section 5, nothing else leaves, and what leaves can be read back."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streetwire
from gateway import model, schema
from gateway.model import Point
from gateway.schema import SchemaError
from gateway.uplink.base import Outcome
from gateway.uplink.file import FileUplink
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.parts import T0
from tests.real_parts import needs

# The contract's table, what it was extended by (incarnation, seq, untimed), and the test point of `uplink check`: measurement ->
# (tags, {field: type}); a question mark follows optional fields.
CONTRACT = {
    "passages": (
        "site node sensor",
        "count int, count_ab int, count_ba int, period_s int, coverage float, q int, rev int, revised_at int, schema int, "
        "cal string?, incarnation int?, seq int?, untimed int?",
    ),
    "passages_rolling": (
        "site node sensor window",
        "count int, count_ab int, count_ba int, coverage float, rev int, schema int",
    ),
    "people": (
        "site node sensor",
        "people float, people_lo float, people_hi float, coverage float, q int, rev int, cal string, schema int",
    ),
    "climate": (
        "site node sensor",
        "temperature_c float?, humidity_pct float?, n int, q int, rev int, revised_at int, schema int, "
        "temperature_cal_c float?, humidity_cal_pct float?, cal string?",
    ),
    "node_status": (
        "site node",
        "uptime_s int, boot int, resets int?, frames_lost int?, rssi_dbm int?, battery_mv int?, heap_free_b int?, "
        "health int?, probe_c float?, fw string?, "
        "passport string?",
    ),
    "gateway_status": (
        "gateway",
        "outbox_points int, outbox_age_s int, dead_letters int, disk_free_mb int?, ble_restarts int?, clock_offset_ms int?",
    ),
    "ledger": ("site node", "counted int, delivered int, held int, suppressed int, unaudited int, rev int"),
    "losses": ("site node reason", "people int, bound int, rev int"),
    "gaps": ("site node reason", "until int, bound int, resolved int"),
    "uplink_check": ("gateway", "value int"),
}
Q_BITS = {
    "PARTIAL": 1, "NODE_RESET": 2, "TIME_HELD": 4, "SATURATED": 8, "BLOCKED": 16, "CLIMATE_IMPLAUSIBLE": 32, "UNCALIBRATED": 64,
    "SIMULATED": 128, "THINNED": 256, "LINK_DOWN": 512, "TIME_UNKNOWN": 1024,
}  # fmt: skip

GOOD = Point(
    "gateway_status", {"gateway": "gw"}, {"outbox_points": 1, "outbox_age_s": 2, "dead_letters": 3}, T0
)  # fmt: skip
PEOPLE = Point(
    "people",
    {"site": "bahnhof", "node": "tr-a3f1c2", "sensor": "radar"},
    {"people": 1.5, "people_lo": 1.0, "people_hi": 2.0, "coverage": 1.0, "q": 0, "rev": 0, "cal": "study", "schema": 1},
    T0,
)


def with_field(point: Point, **fields) -> Point:
    return replace(point, fields={**point.fields, **fields})


def refused(point: Point) -> str:
    with pytest.raises(SchemaError) as caught:
        schema.render(point)
    return str(caught.value)


# -- the file


@pytest.mark.parametrize("measurement", CONTRACT)
def test_every_tag_field_and_type_of_the_contract(measurement):
    tags, fields = CONTRACT[measurement]
    table = schema.measurements()[measurement]
    assert table["tags"] == tags.split()
    found = [f"{name} {row['type']}{'?' if row.get('optional') else ''}" for name, row in table["fields"].items()]
    assert sorted(found) == sorted(fields.split(", "))


def test_no_measurement_beyond_the_contract():
    assert set(schema.measurements()) == set(CONTRACT)
    assert (schema.load()["schema"], schema.load()["precision"]) == (1, "s")


def test_every_quality_bit_and_the_same_in_code():
    assert {name: row["bit"] for name, row in schema.load()["q"].items()} == Q_BITS
    in_code = {name.removeprefix("Q_"): bit for name, bit in vars(model).items() if name.startswith("Q_")}
    assert in_code.items() <= Q_BITS.items()


def test_every_health_bit_is_the_one_that_nodes_tell():
    assert {name.lower(): row["bit"] for name, row in schema.load()["health"].items()} == streetwire.HEALTH


def described() -> dict[str, dict]:
    rows = {f"{bits}.{name}": row for bits in ("q", "health") for name, row in schema.load()[bits].items()}
    for name, table in schema.measurements().items():
        rows |= {name: table} | {f"{name}.{field}": row for field, row in table["fields"].items()}
    return rows


@pytest.mark.parametrize("where", described())
def test_everything_is_said_in_german_and_english(where):
    row = described()[where]
    assert row["en"].strip()
    assert row["de"].strip()
    assert row["en"] != row["de"]


def test_every_field_names_its_unit():
    assert all("unit" in row for table in schema.measurements().values() for row in table["fields"].values())


# -- what is refused


@pytest.mark.parametrize(
    ("point", "named"),
    [
        (replace(GOOD, measurement="people_per_second"), "people_per_second"),
        (replace(GOOD, tags={}), "[]"),
        (replace(GOOD, tags={"gateway": "gw", "fw": "1"}), "fw"),
        (replace(PEOPLE, tags={"node": "n", "site": "s", "sensor": "r"}), "['node', 'site', 'sensor']"),
        (replace(PEOPLE, tags={"site": "s", "node": "n"}), "['site', 'node']"),
        (with_field(GOOD, mac="x"), "mac"),
        (with_field(GOOD, outbox_points=1.0), "outbox_points"),
        (with_field(GOOD, outbox_points=True), "outbox_points"),
        (with_field(GOOD, outbox_points="1"), "outbox_points"),
        (with_field(GOOD, outbox_points=None), "outbox_points"),
        (with_field(GOOD, outbox_points=1 << 63), "outbox_points"),
        (with_field(GOOD, outbox_points=-(1 << 63) - 1), "outbox_points"),
        (with_field(PEOPLE, people=1), "people.people"),
        (with_field(PEOPLE, people=math.nan), "people.people"),
        (with_field(PEOPLE, people=math.inf), "people.people"),
        (with_field(PEOPLE, people=-math.inf), "people.people"),
        (with_field(PEOPLE, cal=5), "people.cal"),
        (replace(GOOD, fields={"outbox_points": 1}), "dead_letters"),
        (replace(GOOD, fields={}), "outbox_points"),
        (replace(GOOD, time_s=1.5), "1.5"),
        (replace(GOOD, time_s=True), "True"),
        (replace(GOOD, time_s=-60), "-60"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_by_name(point, named):
    assert named in refused(point)


@pytest.mark.parametrize("value", ["", "a\nb", "a\rb", "a\\b", "end\\", "\x00", "tab\t", 5, None])
def test_a_tag_that_not_everyone_can_read_back_is_refused(value):
    refused(replace(GOOD, tags={"gateway": value}))


def test_optional_fields_may_be_missing_and_all_others_may_not():
    for name, table in schema.measurements().items():
        fields = {field: {"int": 1, "float": 1.0, "string": "x"}[row["type"]] for field, row in table["fields"].items()}
        point = Point(name, dict.fromkeys(table["tags"], "x"), fields, T0)
        schema.render(point)
        for field, row in table["fields"].items():
            less = replace(point, fields={key: value for key, value in fields.items() if key != field})
            if row.get("optional"):
                schema.render(less)
            else:
                assert field in refused(less)


# -- the line


def test_a_line_in_full():
    line = schema.render(with_field(PEOPLE, cal='a "b" \\', people=2.0, rev=-7))
    assert line == (
        b"people,site=bahnhof,node=tr-a3f1c2,sensor=radar people=2.0,people_lo=1.0,people_hi=2.0,coverage=1.0,q=0i,rev=-7i,"
        b'cal="a \\"b\\" \\\\",schema=1i 1800000000'
    )


def test_commas_blanks_and_equal_signs_in_tags_are_escaped():
    line = schema.render(replace(GOOD, tags={"gateway": "a b,c=d"}))
    assert line.startswith(rb"gateway_status,gateway=a\ b\,c\=d outbox_points=")


def test_tags_of_gives_the_frozen_order():
    known = {"sensor": "s", "node": "n", "window": "1m", "site": "x"}
    assert list(schema.tags_of("passages_rolling", known)) == ["site", "node", "sensor", "window"]


ANY_TAG = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\")
TAGS = st.text(' ,="#ai1{}', min_size=1, max_size=6) | st.text(ANY_TAG, min_size=1, max_size=12)
TEXTS = st.text(' ,="#ai1{}\\\n\r\t\0', max_size=6) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e200, max_value=1e200)
INTS = st.integers(-(1 << 63), (1 << 63) - 1)
POINTS = st.builds(
    lambda tag, text, number, integer: replace(
        with_field(PEOPLE, cal=text, people=number, rev=integer), tags={**PEOPLE.tags, "site": tag}
    ),
    TAGS, TEXTS, FLOATS, INTS,
)  # fmt: skip


def comes_back(point: Point, uplink) -> None:
    """Whatever stands in a point is read back as it was; only line ends in texts become blanks."""
    assert uplink.send([schema.render(point)]).outcome is Outcome.STORED
    rows = uplink.read(point.measurement, point.time_s, point.time_s + 1)
    (row,) = [row for row in rows if row.tags["site"] == point.tags["site"]]
    expected = {name: v.replace("\n", " ") if isinstance(v, str) else v for name, v in point.fields.items()}
    found = {name: type(expected[name])(v) for name, v in row.fields.items()}  # JSON writes 2.0 as 2
    assert (row.tags, found) == (point.tags, expected)


NUMBERS = itertools.count(T0)


@given(POINTS)
def test_every_point_can_be_read_back_from_a_file(tmp_path_factory, point):
    comes_back(point, FileUplink(tmp_path_factory.mktemp("points")))


@needs("influxd")
def test_every_point_can_be_read_back_from_a_real_server(influxd, database):
    uplink = InfluxV1(influxd.url, database)

    @settings(max_examples=60, database=None)
    @given(POINTS)
    def check(point):
        comes_back(replace(point, time_s=next(NUMBERS)), uplink)

    check()
    uplink.close()


@needs("victoria-metrics")
def test_every_tag_can_be_read_back_from_victoriametrics(victoria):
    uplink = InfluxV2(victoria.url, "", "trottoir")
    numbers = itertools.count(T0 - 1000 * 86_400)  # it drops what lies ahead of its clock

    @settings(max_examples=60, database=None)
    @given(TAGS, st.integers(-(1 << 50), 1 << 50))
    def check(tag, number):
        point = replace(GOOD, tags={"gateway": tag}, time_s=next(numbers))
        assert uplink.send([schema.render(with_field(point, outbox_points=number))]).outcome is Outcome.STORED
        victoria.flush()
        (row,) = uplink.read(point.measurement, point.time_s, point.time_s + 1)
        assert (row.tags, row.fields["outbox_points"]) == (point.tags, number)

    check()
    uplink.close()
