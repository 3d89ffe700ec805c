"""For all tests of this room: a desk that knows a node, a serial line, and real servers with a place of their own for each test."""

from __future__ import annotations

import itertools

import pytest

from tests.gateway.parts import T0, Desk, hello
from tests.gateway.ptys import Line
from tools.street.adapter import Adapter
from tools.street.influxd import Influxd
from tools.street.victoria import Victoria

_numbers = itertools.count()


@pytest.fixture
def desk():
    """A session and its store; at T0 a node has begun and introduced itself."""
    desk = Desk()
    desk.hear(hello(), T0)
    return desk


@pytest.fixture
def line(tmp_path):
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


@pytest.fixture(scope="session")
def influxd(tmp_path_factory):
    server = Influxd(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(influxd):
    """Name of a new and empty database."""
    name = f"test_{next(_numbers)}"
    influxd.create_database(name)
    return name


@pytest.fixture(scope="session")
def adapter(influxd):
    """InfluxDB 2's wire in front of influxd; buckets are its databases."""
    adapter = Adapter(influxd.url)
    yield adapter
    adapter.close()


@pytest.fixture(scope="session")
def victoria_server(tmp_path_factory):
    server = Victoria(tmp_path_factory.mktemp("victoria"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def victoria(victoria_server):
    """The VictoriaMetrics, without a point."""
    victoria_server.forget()
    return victoria_server
