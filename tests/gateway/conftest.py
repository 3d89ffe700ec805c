"""For all tests of this room: a serial line, and a real InfluxDB server, started once, with a database for each test."""

from __future__ import annotations

import itertools

import pytest

from tests.gateway.ptys import Line
from tools.street.influxd import Influxd

_numbers = itertools.count()


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
