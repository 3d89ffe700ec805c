"""Which radio a gateway takes that was given none."""

from __future__ import annotations

import sys

import pytest

from gateway import config, service
from gateway.drivers.base import LinkStats, Radio
from gateway.service import Service


class Driver:
    link = "ble:hci0"
    stats = LinkStats()


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """The radio that the driver of nodes without a cable is opened with."""
    settings = config.parse(f'[gateway]\nstate_dir = "{tmp_path}"\npage = "off"\n[ble]\nenabled = true\n', "test", {})
    radios: list[Radio] = []

    def open_driver(_spec, *_clocks, radio, **_air):
        radios.append(radio)
        return Driver()

    monkeypatch.setattr(service, "open_driver", open_driver)

    def open_service(radio: Radio | None = None) -> Radio:
        Service(settings, lambda: 0, radio=radio)
        return radios[-1]

    return open_service


@pytest.mark.skipif(sys.platform != "linux", reason="BlueZ is Linux's")
def test_on_linux_its_adapter_can_be_switched_off_and_on(taken):
    from gateway.drivers.bluez import power_cycle

    assert taken().power_cycle is power_cycle


def test_elsewhere_it_cannot(taken, monkeypatch):
    monkeypatch.setattr(service.sys, "platform", "darwin")
    assert taken() == Radio()


def test_a_radio_that_is_handed_in_is_the_one(taken):
    radio = Radio()
    assert taken(radio) is radio
