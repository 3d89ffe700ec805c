"""What real servers do with what they do not like."""

from __future__ import annotations

import pytest

from gateway.errors import EXIT_CHECK_FAILED
from gateway.uplink.base import Outcome
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.uplink.hostile import cause
from tests.gateway.uplink.test_contract import T0, counts, passages
from tests.real_parts import needs
from tools.street.influxd import Influxd
from tools.street.victoria import Victoria


@needs("influxd")
def test_a_database_that_is_not_there_is_held(influxd):
    uplink = InfluxV1(influxd.url, "nowhere")
    answer = uplink.send([passages(0, 1)])
    assert answer.outcome is Outcome.HOLD
    assert "404" in answer.reason
    uplink.close()


@needs("influxd")
def test_a_type_conflict_refuses_its_line_and_stores_the_others(influxd, database):
    uplink = InfluxV1(influxd.url, database)
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED
    answer = uplink.send([passages(1, 2), passages(2, 3).replace(b"count=3i", b"count=3.0"), passages(3, 4)])
    assert answer.outcome is Outcome.REFUSED
    assert "count" in answer.reason
    assert counts(uplink) == {0: 1, 1: 2, 3: 4}
    uplink.close()


@needs("influxd")
def test_a_wrong_password_a_user_without_rights_and_a_missing_database_are_told_apart(tmp_path):
    server = Influxd(tmp_path, auth=True)
    server.start()
    server.query("CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES")
    users = ("CREATE USER guest WITH PASSWORD 'g'", "CREATE USER reader WITH PASSWORD 'r'", "GRANT READ ON d TO reader")
    for change in ("CREATE DATABASE d", *users):
        server.query(change, u="root", p="r")
    for database, user, password, status, read_key in (
        ("d", "root", "wrong", 401, "uplink-denied"), ("d", "guest", "g", 403, "uplink-forbidden"), ("d", "reader", "r", 403, None),
        ("nowhere", "root", "r", 404, "uplink-missing"), ("d", "root", "r", 204, None),
    ):  # fmt: skip
        uplink = InfluxV1(server.url, database, user, password)
        assert uplink.send([passages(0, 1)]).status == status
        if read_key:
            assert cause(lambda uplink=uplink: uplink.read("passages", T0, T0 + 60))[0] == read_key
        else:
            uplink.read("passages", T0, T0 + 60)
        uplink.close()
    server.stop()


@needs("influxd")
@pytest.mark.parametrize(
    ("org", "bucket", "token", "status", "text", "read_key"),
    [
        (None, None, "writer", 204, "", None),
        (None, None, "nobody", 401, "unauthorized access", "uplink-denied"),
        (None, None, "reader", 403, "insufficient permissions for write", None),
        (None, None, "blind", 204, "", "uplink-forbidden"),
        (None, "nowhere", "writer", 404, 'HTTP 404 bucket "nowhere" not found', "uplink-missing"),
        ("nobody", None, "writer", 404, 'HTTP 404 organization name "nobody" not found', None),
    ],
)  # fmt: skip
def test_what_influxdb_2_answers_is_held_and_told_apart(adapter, database, org, bucket, token, status, text, read_key):
    uplink = InfluxV2(adapter.url, org or adapter.org, bucket or database, getattr(adapter, token, token))
    answer = uplink.send([passages(0, 1)])
    assert answer.status == status
    assert answer.outcome is (Outcome.STORED if status == 204 else Outcome.HOLD)
    assert text in answer.reason
    if read_key:
        assert cause(lambda: uplink.read("passages", T0, T0 + 60))[0] == read_key
    uplink.close()


@needs("influxd")
def test_a_type_conflict_is_refused_over_v2_as_well(adapter, database):
    uplink = InfluxV2(adapter.url, adapter.org, database, adapter.writer)
    assert uplink.send([passages(0, 1)]).outcome is Outcome.STORED
    answer = uplink.send([passages(1, 2), passages(2, 3).replace(b"count=3i", b"count=3.0")])
    assert (answer.outcome, answer.status) == (Outcome.REFUSED, 422)
    assert counts(uplink) == {0: 1, 1: 2}
    uplink.close()


@needs("victoria-metrics")
def test_a_victoriametrics_that_keeps_copies_is_found_out_when_it_is_read(tmp_path):
    server = Victoria(tmp_path, keeps_copies=True)
    server.start()
    uplink = InfluxV2(server.url, "", "trottoir")
    for _ in range(2):
        uplink.send([passages(0, 1)])
        server.flush()
    assert cause(lambda: uplink.read("passages", T0, T0 + 60)) == ("uplink-copies", EXIT_CHECK_FAILED)
    uplink.close()
    server.stop()


@needs("victoria-metrics")
def test_points_written_by_v1_and_by_v2_do_not_mix_on_victoriametrics(victoria):
    v1, v2 = InfluxV1(victoria.url, "trottoir"), InfluxV2(victoria.url, "", "trottoir")
    v1.send([passages(0, 1)])
    v2.send([passages(1, 2)])
    victoria.flush()
    assert (counts(v1), counts(v2)) == ({0: 1}, {1: 2})
    v1.close()
    v2.close()
