"""A real InfluxDB server for every test of this room that wants one: started once, each test in a database of its own."""

from __future__ import annotations

import itertools

import pytest

from tools.street.influxd import Influxd

_numbers = itertools.count()


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
