"""What a gateway asks of BlueZ, over a real D-Bus."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from dbus_fast import Variant

from gateway.drivers.bluez import ADAPTER, MONITORS, SERVICE, Adapter, is_on_uart, look, power_cycle, rfkill_block
from gateway.errors import EXIT_NO_ADAPTER, AdapterError, PermissionDenied, TrottoirError
from tests.gateway.drivers.bluez_bench import HANG, NOBODY_SPEAKS_TO_BLUEZ, SECRET, VANISH, FakeBluez, dbus_daemon, powered_adapter
from tests.real_parts import needs

OFF, ON = "Set Powered False", "Set Powered True"
SHORT_S = 0.3


@pytest.fixture
def bus(tmp_path):
    with dbus_daemon(tmp_path) as address:
        yield address


@pytest.fixture
def fake(bus):
    served = FakeBluez()
    with served.on(bus):
        yield served


def refused(visit) -> TrottoirError:
    with pytest.raises(TrottoirError) as caught:
        asyncio.run(visit)
    return caught.value


@needs("dbus-daemon")
class TestLooking:
    def test_an_adapter_as_it_is(self, bus, fake):
        assert asyncio.run(look("hci0", bus)) == Adapter("hci0", True, False, ("central", "peripheral"), True)
        fake.adapters["hci0"][ADAPTER] |= {"Powered": Variant("b", False), "Discovering": Variant("b", True)}
        fake.adapters["hci0"][MONITORS]["SupportedMonitorTypes"] = Variant("as", [])
        assert asyncio.run(look("hci0", bus)) == Adapter("hci0", False, True, ("central", "peripheral"), False)

    def test_an_old_bluez_knows_neither_roles_nor_monitors(self, bus, fake):
        del fake.adapters["hci0"][MONITORS], fake.adapters["hci0"][ADAPTER]["Roles"]
        assert asyncio.run(look("hci0", bus)) == Adapter("hci0", True, False, (), False)

    def test_nobodys_address_is_asked_for(self, bus, fake):
        found = asyncio.run(look("hci0", bus))
        assert fake.asked == ["Introspect", "Get Powered", "Get Discovering", "Get Roles", "Get SupportedMonitorTypes"]
        assert SECRET not in repr(found)

    def test_an_adapter_that_is_not_there_and_those_that_are(self, bus, fake):
        fake.adapters = {"hci1": powered_adapter(), "hci2": powered_adapter()}
        error = refused(look("hci0", bus))
        assert (error.key, error.data) == ("ble-other-adapter", {"adapter": "hci0", "found": "hci1, hci2"})
        fake.adapters.clear()
        assert refused(look("hci0", bus)).key == "ble-no-adapter"

    def test_an_adapter_that_goes_while_we_look(self, bus, fake):
        fake.answers["Get Discovering"] = VANISH
        assert refused(look("hci0", bus)).key == "ble-no-adapter"

    @pytest.mark.parametrize("asked", ["Introspect", "Get Powered", "Get SupportedMonitorTypes"])
    def test_a_bluez_that_does_not_answer_is_waited_for_and_left(self, bus, fake, asked):
        fake.answers[asked] = HANG
        error = refused(look("hci0", bus, SHORT_S))
        assert (error.key, error.exit_code) == ("ble-hangs", EXIT_NO_ADAPTER)

    def test_without_bluez(self, bus):
        assert refused(look("hci0", bus)).key == "ble-no-bluez"

    def test_looking_starts_no_bluez(self, tmp_path):
        started = tmp_path / "started"
        service = f"[D-BUS Service]\nName={SERVICE}\nExec=/usr/bin/touch {started}\n"
        (tmp_path / "org.bluez.service").write_text(service)
        with dbus_daemon(tmp_path, f"<servicedir>{tmp_path}</servicedir>") as address:
            assert refused(look("hci0", address)).key == "ble-no-bluez"
        assert not started.exists()

    def test_whom_the_bus_does_not_let_speak(self, tmp_path):
        with dbus_daemon(tmp_path, NOBODY_SPEAKS_TO_BLUEZ) as address, FakeBluez().on(address):
            for visit in (look("hci0", address), power_cycle("hci0", address)):
                error = refused(visit)
                assert isinstance(error, PermissionDenied)
                assert error.key == "ble-denied"


@needs("dbus-daemon")
class TestPowerCycle:
    def test_off_and_then_on(self, bus, fake):
        asyncio.run(power_cycle("hci0", bus))
        assert fake.asked == [OFF, ON]
        assert fake.adapters["hci0"][ADAPTER]["Powered"].value is True

    @pytest.mark.parametrize("answer", [HANG, "org.bluez.Error.Failed"])
    def test_what_does_not_go_off_is_switched_on_all_the_same_and_said(self, bus, fake, answer):
        fake.answers[OFF] = answer
        assert refused(power_cycle("hci0", bus, SHORT_S)).key == ("ble-hangs" if answer == HANG else "ble-refused")
        assert fake.asked == [OFF, ON]

    @pytest.mark.parametrize(
        ("answer", "key"),
        [
            (HANG, "ble-hangs"), ("org.bluez.Error.Busy", "ble-refused"), ("org.bluez.Error.Blocked", "ble-blocked-soft"),
            ("org.freedesktop.DBus.Error.NoReply", "ble-no-bluez"), ("org.bluez.Error.NotAuthorized", "ble-denied"),
        ],
    )  # fmt: skip
    def test_what_does_not_come_on_is_said_in_our_words_only(self, bus, fake, answer, key):
        fake.answers[ON] = answer
        error = refused(power_cycle("hci0", bus, SHORT_S))
        assert error.key == key
        assert SECRET not in error.line()

    def test_an_adapter_that_is_pulled_out_between(self, bus, fake):
        fake.answers[OFF] = VANISH
        assert refused(power_cycle("hci0", bus)).key == "ble-no-adapter"

    def test_a_gateway_that_stops_meanwhile_leaves_the_adapter_on(self, bus, fake):
        fake.answers[OFF] = HANG

        async def stop_while_off_is_waited_for() -> None:
            cycle = asyncio.create_task(power_cycle("hci0", bus))
            while fake.asked != [OFF]:
                await asyncio.sleep(0.01)
            cycle.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cycle

        asyncio.run(stop_while_off_is_waited_for())
        assert fake.asked == [OFF, ON]

    def test_a_bus_that_dies_meanwhile(self, tmp_path):
        served = FakeBluez()
        served.answers[OFF] = HANG

        async def lose_the_bus(address: str, kill) -> None:
            cycle = asyncio.create_task(power_cycle("hci0", address))
            while served.asked != [OFF]:
                await asyncio.sleep(0.01)
            kill()
            with pytest.raises(AdapterError, match="no D-Bus"):
                await cycle

        with ExitStack() as daemon:
            address = daemon.enter_context(dbus_daemon(tmp_path))
            with served.on(address):
                asyncio.run(lose_the_bus(address, daemon.close))


def test_without_a_bus(tmp_path):
    assert refused(look("hci0", f"unix:path={tmp_path}/none")).key == "ble-no-bus"
    assert refused(power_cycle("hci0", "no address")).key == "ble-no-bus"


def test_a_bus_that_takes_us_and_says_nothing(tmp_path):
    async def visit() -> None:
        async with await asyncio.start_unix_server(lambda *_: None, tmp_path / "mute"):
            await look("hci0", f"unix:path={tmp_path}/mute", SHORT_S)

    assert refused(visit()).key == "ble-no-bus"


# -- the kernel's own files


def rfkill(folder: Path, number: int, **files: str) -> None:
    switch = folder / f"rfkill{number}"
    switch.mkdir(parents=True)
    for name, line in files.items():
        (switch / name).write_text(line + "\n")


def test_who_blocks_the_radio(tmp_path):
    assert rfkill_block("hci0", tmp_path) is None
    rfkill(tmp_path, 0, type="wlan", name="phy0", soft="1", hard="1")
    rfkill(tmp_path, 1, type="bluetooth", name="hci1", soft="1", hard="1")
    rfkill(tmp_path, 2, type="bluetooth", name="hci0", soft="0", hard="0")
    assert rfkill_block("hci0", tmp_path) is None
    rfkill(tmp_path, 3, type="bluetooth", name="laptop_switch", soft="1", hard="0")
    assert rfkill_block("hci0", tmp_path) == "soft"
    (tmp_path / "rfkill2/hard").write_text("1\n")
    assert rfkill_block("hci0", tmp_path) == "hard"  # the one that no command lifts


@pytest.mark.parametrize(
    ("device", "is_uart"),
    [
        ("platform/soc/fe201000.serial/serial0/serial0-0/bluetooth/hci0", True),
        ("platform/soc/3f201000.serial/tty/ttyAMA0/hci0", True),
        ("platform/scb/fd500000.pcie/pci0000:00/0000:01:00.0/usb1/1-1/1-1.3/1-1.3:1.0/bluetooth/hci0", False),
        ("platform/soc/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0/hci0", False),
    ],
)
def test_the_pis_own_radio_hangs_on_a_serial_line(tmp_path, device, is_uart):
    (tmp_path / "devices" / device).mkdir(parents=True)
    (tmp_path / "hci0").symlink_to(tmp_path / "devices" / device)
    assert is_on_uart("hci0", tmp_path) is is_uart
    assert not is_on_uart("hci7", tmp_path)
