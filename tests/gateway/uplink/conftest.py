"""A hostile server, and the uplinks over HTTP to whatever URL."""

from __future__ import annotations

import pytest
import urllib3

from gateway.uplink import http
from gateway.uplink.base import Uplink
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.uplink.hostile import TOKEN, Hostile


@pytest.fixture
def hostile():
    server = Hostile()
    yield server
    server.close()


@pytest.fixture(params=["v1", "v2"])
def open_it(request):
    """Opens an uplink of either kind to a URL."""
    opened: list[Uplink] = []

    def open_one(url: str) -> Uplink:
        is_v1 = request.param == "v1"
        opened.append(InfluxV1(url, "trottoir", "u", TOKEN) if is_v1 else InfluxV2(url, "stadt", "trottoir", TOKEN))
        return opened[-1]

    yield open_one
    for uplink in opened:
        uplink.close()


@pytest.fixture
def uplink(hostile, open_it):
    return open_it(hostile.url)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT", urllib3.Timeout(connect=0.2, read=0.2))
