"""The demo's servers: they go away and come back with what they had, and refuse exactly one line."""

import pytest

from gateway.uplink.base import Outcome, Uplink
from gateway.uplink.influx_v1 import InfluxV1
from tests.real_parts import needs
from tools.street import influxd
from tools.street.server import DATABASE, FileServer, InfluxServer
from tools.street.server_process import ServerFailed

LINES = [b"climate,site=a n=%di %d" % (number, 1_778_580_000 + 60 * number) for number in range(4)]


@pytest.fixture(params=[pytest.param("influxd", marks=needs("influxd")), "file"])
def server(request, tmp_path):
    server = (InfluxServer if request.param == "influxd" else FileServer)(tmp_path / "server")
    server.start()
    yield server
    server.close()


def writer(server) -> Uplink:
    return InfluxV1(server._proxy.url, DATABASE) if isinstance(server, InfluxServer) else server.reader()


def stored(server) -> list[object]:
    return sorted(row.fields["n"] for row in server.reader().read("climate", 0, 2_000_000_000))


def test_away_means_retry_and_back_means_all_is_there(server):
    uplink = writer(server)
    assert uplink.send(LINES[:2]).outcome is Outcome.STORED
    server.go_away()
    assert uplink.send(LINES[2:]).outcome is Outcome.RETRY
    server.come_back()
    assert uplink.send(LINES[2:]).outcome is Outcome.STORED
    assert stored(server) == [0, 1, 2, 3]


@needs("influxd")
def test_one_line_is_refused_for_good_and_only_that_one(tmp_path):
    server = InfluxServer(tmp_path / 'a "folder"')
    server.start()
    uplink = writer(server)
    server.refuse_one(lambda line: line.startswith(b"climate"))
    assert uplink.send(LINES[1:3]).outcome is Outcome.REFUSED
    assert uplink.send(LINES[1:2]).outcome is Outcome.REFUSED
    assert uplink.send(LINES[2:]).outcome is Outcome.STORED
    assert uplink.send(LINES[:1]).outcome is Outcome.STORED
    assert stored(server) == [0, 2, 3]
    server.close()


@needs("influxd")
def test_what_was_acknowledged_survives_a_kill(tmp_path):
    server = influxd.Influxd(tmp_path)
    server.start()
    server.create_database("x")
    uplink = InfluxV1(server.url, "x")
    assert uplink.send(LINES).outcome is Outcome.STORED
    server.kill()
    server.start()
    assert len(uplink.read("climate", 0, 2_000_000_000)) == 4
    server.stop()


def test_a_missing_influxd_is_said_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(influxd, "find", lambda: None)
    with pytest.raises(ServerFailed, match="apt install influxdb"):
        influxd.Influxd(tmp_path)
