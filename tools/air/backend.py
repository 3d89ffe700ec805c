"""bleak on the air: an adapter whose scanner and client classes are given to bleak as its `backend`.

What bleak's callers get here is what its BlueZ backend gives them: passive scanning needs or-patterns, `mtu_size` stays 23 (ask a
characteristic for `max_write_without_response_size`), the callback for a lost connection comes for one's own hanging up too. What
BlueZ adds is not here: its memory of devices, reports that are left out because nothing has changed, D-Bus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from bleak.uuids import normalize_uuid_16
from bumble import hci
from bumble.device import Device
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tools.air.client import AirClient
from tools.air.controller import Radio
from tools.air.link import Air


class _Host(Device):
    """Bumble's host without its memory of everybody who was ever heard."""

    def __init__(self, name: str, radio: Radio, hear: Callable[[Any], None]) -> None:
        # The random address is used by nobody, but Bumble would draw one that no seed repeats.
        random_address = hci.Address("C0" + radio.text[2:], hci.Address.RANDOM_DEVICE_ADDRESS)
        super().__init__(name, random_address, host=Host(radio, AsyncPipeSink(radio)))
        self._hear = hear

    def on_advertising_report(self, report: Any) -> None:
        self._hear(report)


class Adapter:
    """A gateway's radio. `scanner_backend` and `client_backend` are what bleak takes as `backend`."""

    def __init__(self, air: Air, address: str) -> None:
        self.air = air
        self.address = address
        self.radio = Radio(air, address)
        self.host = _Host("gateway", self.radio, self._hear)
        self.scanners: list[AirScanner] = []
        self.scanner_backend = type("BoundScanner", (AirScanner,), {"adapter": self})
        self.client_backend = type("BoundClient", (AirClient,), {"adapter": self})

    async def power_on(self) -> None:
        """Before anything else."""
        await self.host.power_on()

    async def restart(self) -> None:
        """Off and on again: connections and scans are over, a stall is cured. Raises bleak's error where the adapter is gone."""
        self.check()
        self.air.switch_off(self.address)
        self.scanners.clear()
        self.air.switch_on(self.address)

    def check(self) -> None:
        """Raises bleak's error where the adapter is gone."""
        if not self.radio.is_on:
            reason = BleakBluetoothNotAvailableReason.POWERED_OFF
            raise BleakBluetoothNotAvailableError("No powered Bluetooth adapters found.", reason)

    async def scan(self) -> None:
        await self.host.start_scanning(legacy=True, active=False, own_address_type=hci.OwnAddressType.PUBLIC)

    async def stop_scanning(self) -> None:
        if self.radio.is_on:
            await self.host.stop_scanning(legacy=True)

    def _hear(self, report: hci.HCI_LE_Advertising_Report_Event.Report) -> None:
        fields = advert_fields(report.data)
        for scanner in list(self.scanners):
            scanner.hear(report.address.to_string(False), fields, report.rssi)


def advert_fields(data: bytes) -> list[tuple[int, bytes]]:
    """An advert -> [(type, content), ...]; what runs past the end is left out."""
    fields = []
    at = 0
    while at + 1 < len(data) and data[at] and at + 1 + data[at] <= len(data):
        fields.append((data[at + 1], data[at + 2 : at + 1 + data[at]]))
        at += 1 + data[at]
    return fields


class AirScanner(BaseBleakScanner):
    """Made by bleak. Without an adapter of its own: `Adapter.scanner_backend` is the class to hand out."""

    adapter: ClassVar[Adapter]

    def __init__(
        self, detection_callback: Any, service_uuids: list[str] | None, scanning_mode: str, *, bluez: Any = None, **_others: Any
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._patterns: Sequence[tuple[int, int, bytes]] = [tuple(row) for row in (bluez or {}).get("or_patterns", ())]
        if scanning_mode == "passive" and not self._patterns:
            raise BleakError("passive scanning mode requires bluez or_patterns")

    async def start(self) -> None:
        self.adapter.check()
        self.seen_devices = {}
        self.adapter.scanners.append(self)
        await self.adapter.scan()

    async def stop(self) -> None:
        if self in self.adapter.scanners:
            self.adapter.scanners.remove(self)
        if not self.adapter.scanners:
            await self.adapter.stop_scanning()

    def hear(self, address: str, fields: list[tuple[int, bytes]], rssi_dbm: int) -> None:
        if self._patterns and not any(self._fits(pattern, fields) for pattern in self._patterns):
            return
        data = _advertisement(fields, rssi_dbm)
        if self.is_allowed_uuid(data.service_uuids):
            device = self.create_or_update_device(address, address, data.local_name, {"adapter": self.adapter.address}, data)
            self.call_detection_callbacks(device, data)

    @staticmethod
    def _fits(pattern: tuple[int, int, bytes], fields: list[tuple[int, bytes]]) -> bool:
        start, kind, content = pattern
        return any(field == kind and data[start : start + len(content)] == content for field, data in fields)


def _advertisement(fields: list[tuple[int, bytes]], rssi_dbm: int) -> AdvertisementData:
    name: str | None = None
    makers: dict[int, bytes] = {}
    services: dict[str, bytes] = {}
    uuids: list[str] = []
    for kind, data in fields:
        if kind in (0x08, 0x09):
            name = data.decode(errors="replace")
        elif kind == 0xFF and len(data) >= 2:
            makers[int.from_bytes(data[:2], "little")] = data[2:]
        elif kind == 0x16 and len(data) >= 2:
            services[normalize_uuid_16(int.from_bytes(data[:2], "little"))] = data[2:]
        elif kind in (0x02, 0x03):
            uuids += [normalize_uuid_16(int.from_bytes(data[at : at + 2], "little")) for at in range(0, len(data) - 1, 2)]
    return AdvertisementData(name, makers, services, uuids, None, rssi_dbm, ())
