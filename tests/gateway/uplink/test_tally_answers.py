"""Sums from whoever answers what: the tally of exactly that answer, or one clear error; never a wrong number."""

from __future__ import annotations

import copy
import json
import random
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import EXIT_UPLINK_UNREACHABLE
from gateway.uplink import reading, tallying
from gateway.uplink.base import Tally, UplinkError
from gateway.uplink.file import FileUplink
from gateway.uplink.tallying import DAY_S, HOUR_S, Steps, from_influxql, from_over_time, portions, steps
from tests.gateway.uplink.hostile import cause, pings_like_influxdb, reply

FIELDS = ["count", "count_ab"]
START, END = 1_713_600_000, 1_713_600_000 + 3 * HOUR_S
SOME = Steps(START, HOUR_S, 3)
TAGS = {"node": "tr-a3f1c2", "site": "bahnhof"}
COLUMNS = ["time", "sum_count", "count_count", "sum_count_ab", "count_count_ab"]
VICTORIA = {"X-Server-Hostname": "vm"}
VALUES = [[START, 90, 60, 50, 60], [START + HOUR_S, 0, 2, 0, 2]]
REFUSALS = (*reading._NO_ROWS,)

INFLUXQL = {
    "results": [
        {
            "statement_id": 0,
            "series": [{"name": "passages", "tags": TAGS, "columns": COLUMNS, "values": VALUES}],
        }
    ]
}  # fmt: skip


def matrix(kind: str, field: str, *values: str) -> dict:
    rows = [[START + (n + 1) * HOUR_S - 0.001, value] for n, value in enumerate(values)]
    return {"metric": {"__name__": f"passages_{field}", **TAGS, "over_time": kind}, "values": rows}


OVER_TIME = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            matrix("sum", "count", "90", "0"), matrix("count", "count", "60", "2"),
            matrix("sum", "count_ab", "50", "0"), matrix("count", "count_ab", "60", "2"),
        ],
    },
}  # fmt: skip
GOOD = {
    (tuple(TAGS.items()), START): Tally(60, {"count": 90, "count_ab": 50}),
    (tuple(TAGS.items()), START + HOUR_S): Tally(2, {"count": 0, "count_ab": 0}),
}
ANSWERS = {"influxql": INFLUXQL, "over_time": OVER_TIME}


def understood(kind: str, data: bytes):
    if kind == "influxql":
        return from_influxql(data, FIELDS, START, END)
    return from_over_time(data, "passages", FIELDS, SOME)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_understood(kind):
    assert understood(kind, json.dumps(ANSWERS[kind]).encode()) == GOOD


def places(value, path=()):
    """Every place inside a document, as the keys that lead there."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def changed(document, path, change):
    """A copy in which `change(parent, key)` was done to one place."""
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return json.dumps(document).encode()


def put(value):
    def change(parent, key):
        parent[key] = value

    return change


def drop(parent, key):
    del parent[key]


def double(parent, key):
    parent.insert(key, copy.deepcopy(parent[key]))


FREE = {"name", "statement_id", "tags", "metric"}  # what may be missing or another without a wrong number
WRONG = [float("nan"), float("inf"), -1, 0.5, 1e300, 10**30, True, "", "x", "NaN", "1e400", [], {}, [[]], {"time": 1}]


def is_free(path) -> bool:
    return any(key in FREE for key in path)


@pytest.mark.parametrize("kind", ANSWERS)
def test_nothing_can_be_taken_away_and_nothing_be_there_twice(kind):
    answer = ANSWERS[kind]
    tried = 0
    for path in places(answer):
        if not path or is_free(path):
            continue
        if "values" in path and path[-1] != "values" and len(path) == path.index("values") + 2:
            with pytest.raises(REFUSALS):  # the same hour twice
                understood(kind, changed(answer, path, double))
        if path[-1] in ("series", "data") or (isinstance(path[-1], int) and path[-2] in ("values", "series")):
            continue  # fewer hours or series: a server that has less says just that
        with pytest.raises(REFUSALS):
            understood(kind, changed(answer, path, drop))
        tried += 1
    assert tried > 10


@pytest.mark.parametrize("kind", ANSWERS)
def test_another_value_anywhere_is_refused_or_is_exactly_that_value(kind):
    answer = ANSWERS[kind]
    for path in places(answer):
        for wrong in WRONG if path and not is_free(path) else []:
            try:
                found = understood(kind, changed(answer, path, put(wrong)))
            except REFUSALS:
                continue
            if wrong == -1:  # a sum of numbers that may be below zero
                assert -1 in [total for tally in found.values() for total in tally.sums.values()], path
            else:  # fewer series or hours: a server that has less says just that
                assert (wrong, path) == ({}, ("results", 0)) or (wrong == [] and path[-1] in ("series", "values", "result"))
                assert found.items() < GOOD.items(), path


@pytest.mark.parametrize("kind", ANSWERS)
def test_any_damage_to_the_bytes_is_an_error_or_a_tally_on_the_grid(kind):
    whole = json.dumps(ANSWERS[kind]).encode()
    chance = random.Random(3)
    refused = 0
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data) or 1)
            data += b" " * (not data)
            how = chance.randrange(4)
            if how == 0:
                data[at] = chance.choice(b'0123456789.-e"[]{},:nul')
            elif how == 1:
                del data[at : at + chance.randrange(1, 30)]
            elif how == 2:
                data[at:at] = data[chance.randrange(len(data)) :][: chance.randrange(1, 40)]
            else:
                del data[at:]
                data += b"}" * chance.randrange(3) or b" "
        try:
            found = understood(kind, bytes(data))
        except REFUSALS:
            refused += 1
            continue
        for (tags, hour_s), tally in found.items():
            assert hour_s in range(START, END, HOUR_S)
            assert tags == tuple(sorted(tags))
            assert type(tally.points) is int
            assert tally.points >= 0
            assert set(tally.sums) == set(FIELDS)
            assert all(type(total) is int for total in tally.sums.values())
    assert refused > 10_000


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from(["results", "series", "data", "result"]), some),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_no_answer_at_all_is_an_error_or_says_nothing(data):
    for kind in ANSWERS:
        try:
            assert understood(kind, data) == {}
        except REFUSALS:
            continue


@pytest.mark.parametrize(
    "page",
    [
        b"<html>", b"", b"[]", b"{}", b'{"results": []}', b'{"results": [{}, {}]}', b'{"results": [{"error": "timeout"}]}',
        b'{"results": [{"statement_id": 0, "partial": true}]}', b"[" * 100_000, b'{"results": [{"series": [{}]}]}',
        b'{"status": "error", "data": {}}',
        b'{"status": "success", "isPartial": true, "data": {"resultType": "matrix", "result": []}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": []}}', b"9" * 10_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("server", [{}, VICTORIA], ids=["influxdb", "victoria"])
def test_over_the_wire_it_is_one_clear_error(hostile, uplink, page, server):
    hostile.answer = pings_like_influxdb(200, page, **server)
    key, exit_code = cause(lambda: uplink.tally("passages", FIELDS, START, END))
    assert (key, exit_code) == ("query-failed", EXIT_UPLINK_UNREACHABLE)


@pytest.mark.parametrize(
    ("status", "key"), [(204, "uplink-page"), (302, "uplink-redirect"), (401, "uplink-denied"), (503, "uplink-trouble")]
)
@pytest.mark.parametrize("server", [{}, VICTORIA], ids=["influxdb", "victoria"])
def test_another_status_is_no_tally(hostile, uplink, status, key, server):
    hostile.answer = pings_like_influxdb(status, b'{"results": [{}]}', **server)
    assert cause(lambda: uplink.tally("passages", FIELDS, START, END))[0] == key


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_beyond_the_limit_is_no_shorter_tally(hostile, uplink, kind, monkeypatch):
    page = json.dumps(ANSWERS[kind]).encode()
    hostile.answer = pings_like_influxdb(200, page, **({} if kind == "influxql" else VICTORIA))
    monkeypatch.setattr(reading, "MAX_TALLY", len(page))
    assert uplink.tally("passages", FIELDS, START, END) == GOOD
    monkeypatch.setattr(reading, "MAX_TALLY", len(page) - 1)
    assert cause(lambda: uplink.tally("passages", FIELDS, START, END))[0] == "query-failed"


@pytest.mark.parametrize("kind", ["influxql", "over_time"])
def test_forty_days_are_asked_for_a_day_at_a_time(hostile, uplink, kind):
    empty = b'{"results": [{}]}' if kind == "influxql" else b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
    hostile.answer = pings_like_influxdb(200, empty, **({} if kind == "influxql" else VICTORIA))
    start = START - START % DAY_S + 1800
    assert uplink.tally("passages", FIELDS, start, start + 40 * DAY_S) == {}
    asked = [path for _, path, _, _ in hostile.requests if not path.startswith(("/ping", "/metrics"))]
    assert len(asked) == (41 if kind == "influxql" else 42)  # and an hour that is cut at either end
    if kind == "over_time":
        for path in asked:
            of = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
            assert of["nocache"] == "1"
            assert (float(of["end"]) - float(of["start"])) / int(of["step"][:-1]) <= 24


def test_who_takes_the_place_of_another_server_is_asked_anew_what_it_is(hostile, uplink):
    hostile.answer = pings_like_influxdb(200, b'{"results": [{}]}')
    assert uplink.tally("passages", FIELDS, START, END) == {}
    empty = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
    victoria = pings_like_influxdb(200, empty, **VICTORIA)
    hostile.answer = lambda handler: reply(handler, 404) if handler.path.startswith("/query?") else victoria(handler)
    assert cause(lambda: uplink.tally("passages", FIELDS, START, END))[0] == "uplink-missing"
    assert uplink.tally("passages", FIELDS, START, END) == {}


# -- how a span is cut


@given(st.integers(0, 10**7), st.integers(-10, 4 * DAY_S))
def test_portions_and_steps_cover_every_second_once_and_reach_over_no_border(start, length):
    covered = []
    for first, last in portions(start, start + length):
        assert first // DAY_S == (last - 1) // DAY_S
        for some in steps(first, last):
            for n in range(some.n):
                at = some.start_s + n * some.window_s
                assert at // HOUR_S == (at + some.window_s - 1) // HOUR_S
                covered.append((at, at + some.window_s))
    assert [end for _, end in covered[:-1]] == [begin for begin, _ in covered[1:]]
    assert (covered[0][0], covered[-1][1]) == (start, start + length) if length > 0 else covered == []


# -- files


def test_a_file_that_somebody_wrote_into_gives_no_wrong_sum(tmp_path):
    uplink = FileUplink(tmp_path)
    uplink.send([b"passages,site=a,node=b count=5i,count_ab=5i %d" % START])
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    tally = {((("node", "b"), ("site", "a")), START): Tally(1, {"count": 5, "count_ab": 5})}
    no_number = b"passages,site=a,node=b count=abc %d\n" % START
    for noise in (b"\xff\xfe\x00\n", no_number, b"=,= \n", b"passages,site=\xff count=1i x\n"):
        path.write_bytes(good + noise)
        assert uplink.tally("passages", FIELDS, START, END) == tally
    (tmp_path / "passages-2024-99-99.lp").write_bytes(b"whatever\n")
    assert uplink.tally("passages", FIELDS, 0, END) == tally
    for value in (b"0.5", b"1e300", b'"5"'):
        path.write_bytes(good.replace(b"count=5i", b"count=" + value))
        with pytest.raises(UplinkError) as caught:
            uplink.tally("passages", FIELDS, START, END)
        assert caught.value.key == "query-failed"


def test_whole_floats_are_exact_up_to_where_floats_are():
    assert tallying.whole(float(2**53 - 1)) == 2**53 - 1
    for wrong in (float(2**53), -float(2**53), 2**63, None, True, "1", 1.5):
        with pytest.raises(tallying.TallyError):
            tallying.whole(wrong)
