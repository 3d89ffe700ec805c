"""doctor on nodes without a cable: each trouble of a radio with its answer, BlueZ over a real D-Bus."""

from __future__ import annotations

import stat

import pytest
from dbus_fast import Variant

from gateway import config
from gateway.drivers import bluez
from gateway.drivers.bluez import ADAPTER, MONITORS
from gateway.radio.keys import KeyStore
from tests.gateway.drivers.bluez_bench import NOBODY_SPEAKS_TO_BLUEZ, FakeBluez, dbus_daemon
from tests.real_parts import needs
from tests.tools.test_cli import no_environment, trottoir  # noqa: F401
from tools import doctor_ble
from tools.doctor_ble import examine_ble
from tools.finding import BAD, GOOD, NOTE

pytestmark = needs("dbus-daemon")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A BlueZ without fault on what takes the place of the system's bus, of a machine on which nothing is wrong."""
    monkeypatch.setattr(doctor_ble, "_bluetoothctl", lambda: "bluetoothctl: 5.66\n")
    monkeypatch.setattr(doctor_ble, "_installed", lambda _package: "3.1.0")
    monkeypatch.setattr(bluez, "rfkill_block", lambda _adapter: None)
    monkeypatch.setattr(bluez, "is_on_uart", lambda _adapter: False)
    with dbus_daemon(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        served = FakeBluez()
        with served.on(address):
            yield served


@pytest.fixture
def found(tmp_path):
    """(level, key) of all findings."""
    KeyStore(tmp_path / "keys").make("tr-a3f1c2", "24:DC:C3:51:A0:02", bytes)

    def look(ble: str = "enabled = true", is_running: bool = False) -> list[tuple[str, str]]:
        settings = config.parse(f'[gateway]\nstate_dir = "{tmp_path}"\n[ble]\n{ble}\n', "test", {})
        return [(finding.level, finding.detail.key) for finding in examine_ble(settings, is_running)]

    return look


ALL_GOOD = (GOOD, "doctor.ble-adapter")


def test_where_nothing_is_wrong(fake, found):
    assert found() == [ALL_GOOD]


def test_what_is_off_is_not_looked_at(fake, found):
    assert found("enabled = false") == [(NOTE, "doctor.ble-off")]
    assert fake.asked == []


@pytest.mark.parametrize(
    ("interface", "name", "value", "finding"),
    [
        (ADAPTER, "Powered", Variant("b", False), (BAD, "doctor.ble-unpowered")),
        (ADAPTER, "Roles", Variant("as", ["peripheral"]), (BAD, "doctor.ble-no-central")),
        (ADAPTER, "Discovering", Variant("b", True), (NOTE, "doctor.ble-in-progress")),
        (MONITORS, "SupportedMonitorTypes", Variant("as", []), (NOTE, "doctor.ble-active-instead")),
    ],
)
def test_an_adapter_with_a_fault(fake, found, interface, name, value, finding):
    fake.adapters["hci0"][interface][name] = value
    assert found() == [ALL_GOOD, finding]


def test_passive_scanning_that_was_asked_for_and_that_nobody_asked_for(fake, found):
    del fake.adapters["hci0"][MONITORS]
    assert found('enabled = true\nscan = "passive"') == [ALL_GOOD, (BAD, "doctor.ble-no-passive")]
    assert found('enabled = true\nscan = "active"') == [ALL_GOOD]


def test_the_gateways_own_search_is_nobody_elses(fake, found, monkeypatch):
    monkeypatch.setattr(doctor_ble.page_client, "ask", lambda _settings: None)
    fake.adapters["hci0"][ADAPTER]["Discovering"] = Variant("b", True)
    assert found('enabled = true\nscan = "active"', is_running=True) == [ALL_GOOD]
    assert found(is_running=True) == [ALL_GOOD, (NOTE, "doctor.ble-in-progress")]  # a passive one is no search


@pytest.mark.parametrize(("block", "key"), [("soft", "error.ble-blocked-soft"), ("hard", "error.ble-blocked-hard")])
def test_a_blocked_radio(fake, found, monkeypatch, block, key):
    monkeypatch.setattr(bluez, "rfkill_block", lambda _adapter: block)
    assert found() == [(BAD, key)]


def test_the_boards_own_radio_is_named(fake, found, monkeypatch):
    monkeypatch.setattr(bluez, "is_on_uart", lambda _adapter: True)
    assert found() == [ALL_GOOD, (NOTE, "doctor.ble-uart")]


@pytest.mark.parametrize(
    ("version", "finding"),
    [("5.55", ALL_GOOD), ("5.54", (BAD, "doctor.ble-old-bluez")), ("", ALL_GOOD)],
)
def test_the_version_of_bluez(fake, found, monkeypatch, version, finding):
    monkeypatch.setattr(doctor_ble, "_bluetoothctl", lambda: version)
    assert found() == [finding]


@pytest.mark.parametrize("version", ["0.18.1", "3.0.2", ""])
def test_a_bleak_that_a_32_bit_system_got(fake, found, monkeypatch, version):
    monkeypatch.setattr(doctor_ble, "_installed", lambda _package: version)
    assert found() == [(BAD, "doctor.ble-old-bleak")]


def test_another_system_is_not_asked_for_bluez(fake, found, monkeypatch):
    monkeypatch.setattr(doctor_ble.sys, "platform", "darwin")
    assert found() == [(NOTE, "doctor.ble-elsewhere")]


@pytest.mark.parametrize(("waits", "key"), [(False, "error.ble-denied"), (True, "doctor.ble-log-in-again")])
def test_a_user_whom_bluez_does_not_hear(tmp_path, fake, found, monkeypatch, waits, key):
    monkeypatch.setattr(doctor_ble, "waits_for_login", lambda group: waits and group == "bluetooth")
    (tmp_path / "strict").mkdir()
    with dbus_daemon(tmp_path / "strict", NOBODY_SPEAKS_TO_BLUEZ) as address, FakeBluez().on(address):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert found() == [(BAD, key)]


@pytest.mark.parametrize(("silent_s", "is_said"), [(3599, False), (3600, True)])
def test_hours_of_silence(fake, found, monkeypatch, silent_s, is_said):
    nodes = [("ble:hci0", 10_000 - silent_s), ("ble:hci0", 1000), ("serial:/dev/ttyUSB0", 10_000), (None, None)]
    view = {
        "gateway": {"now_s": 10_000},
        "nodes": [{"health": {"link": link, "heard_s": heard_s}} for link, heard_s in nodes],
    }
    monkeypatch.setattr(doctor_ble.page_client, "ask", lambda _settings: view)
    assert ((BAD, "doctor.ble-silent") in found(is_running=True)) is is_said


def test_keys_that_are_none_or_open(tmp_path, fake, found):
    file = tmp_path / "keys" / "tr-a3f1c2.key"
    file.chmod(0o644)
    assert found() == [(BAD, "config.key-open"), ALL_GOOD]
    file.unlink()
    assert found() == [(NOTE, "doctor.ble-no-keys"), ALL_GOOD]


def test_an_open_key_is_closed_when_asked(tmp_path, fake, found, trottoir):  # noqa: F811
    file = tmp_path / "keys" / "tr-a3f1c2.key"
    file.chmod(0o644)
    toml = f'[gateway]\nstate_dir = "{tmp_path}"\npage = "off"\n[ble]\nenabled = true\n'
    assert trottoir("doctor", toml=toml)[0] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert trottoir("doctor", "--fix", toml=toml)[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_an_adapter_the_exit_code_says_so(tmp_path, fake, found, trottoir):  # noqa: F811
    fake.adapters.clear()
    toml = f'[gateway]\nstate_dir = "{tmp_path}"\npage = "off"\n[ble]\nenabled = true\n'
    code, out, _ = trottoir("doctor", toml=toml)
    assert code == 10
    assert "there is no Bluetooth adapter hci0" in out
    assert trottoir("doctor", toml=toml.replace("true", "false"))[0] == 0


def test_what_the_machine_itself_tells():
    assert doctor_ble._version_in(doctor_ble._installed("bleak")) >= doctor_ble.OLDEST_BLEAK
    assert doctor_ble._installed("no-such-package") == ""
