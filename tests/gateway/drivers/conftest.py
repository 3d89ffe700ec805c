"""What tests of the serial driver share: a line, short pauses, and what the driver logs."""

from __future__ import annotations

import pytest

from gateway.drivers import serial as room


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(room, "MAX_PAUSE_S", 0.05)
    monkeypatch.setattr(room, "WRITE_TIMEOUT_S", 0.2)


@pytest.fixture
def said(monkeypatch):
    """(event, data) of everything that the driver logs."""
    lines = []

    class Log:
        def __getattr__(self, _level):
            return lambda event, **data: lines.append((event, data))

    monkeypatch.setattr(room, "_log", Log())
    return lines
