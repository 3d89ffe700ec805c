"""The scanner, over bleak: passive where the system can, without a memory of whom it hears, started again when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from functools import lru_cache
from typing import Literal

import structlog
from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import (
    AdvertisementData,
    AdvertisementDataCallback,
    BaseBleakScanner,
    get_platform_scanner_backend_type,
)

import streetwire
from gateway.drivers.base import PowerCycle

START_S = 10.0  # a system's service that hangs answers never
STOP_S = 5.0
Mode = Literal["passive", "active"]
MODES: dict[str, tuple[Mode, ...]] = {"auto": ("passive", "active"), "passive": ("passive",), "active": ("active",)}
PATTERN = OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, streetwire.BTHOME_UUID.to_bytes(2, "little"))

_log = structlog.get_logger("ble")


class Scanner:
    """`scan` is auto, passive or active; what it hears goes to `callback`."""

    def __init__(
        self, adapter: str, scan: str, callback: AdvertisementDataCallback, backend: type[BaseBleakScanner] | None
    ) -> None:
        self._adapter = adapter
        self._modes = MODES[scan]
        self._callback = callback
        self._backend = _forgetful(backend or get_platform_scanner_backend_type()[0])
        self._scanner: BleakScanner | None = None
        self._said = ""
        self.starts = 0

    @property
    def is_open(self) -> bool:
        return self._scanner is not None

    async def start(self) -> None:
        """Where no mode works it stays closed."""
        problem = ""
        for mode in self._modes:
            try:
                scanner = self._made(mode)
                async with asyncio.timeout(START_S):
                    await scanner.start()
            except Exception as error:  # whatever the system says: bleak hands on errors of its own, of D-Bus and of its code
                problem = problem or str(error) or type(error).__name__
                continue
            self._scanner = scanner
            self.starts += 1
            if problem:
                action = "nodes are asked for scan responses; what passive scanning needs says trottoir doctor"
                self._say("scanning actively", adapter=self._adapter, problem=problem, action=action)
            return
        self._say("scanner not started", adapter=self._adapter, problem=problem, action="see trottoir doctor")

    async def stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with contextlib.suppress(Exception):  # BlueZ may have forgotten that we scan
                async with asyncio.timeout(STOP_S):
                    await scanner.stop()

    async def restart(self, power_cycle: PowerCycle | None = None) -> None:
        """With the adapter switched off and on between, where that is handed in."""
        await self.stop()
        if power_cycle is not None:
            try:
                await power_cycle(self._adapter)
            except Exception as error:  # whatever the system says: the next step comes anyway
                _log.warning("adapter not switched", adapter=self._adapter, problem=str(error))
        await self.start()

    def _made(self, mode: Mode) -> BleakScanner:
        bluez: BlueZScannerArgs = {"adapter": self._adapter}
        if mode == "passive":
            bluez["or_patterns"] = [PATTERN]
        return BleakScanner(self._callback, scanning_mode=mode, bluez=bluez, backend=self._backend)

    def _say(self, event: str, **about: object) -> None:
        # Once, until something else is to be said.
        if event != self._said:
            self._said = event
            _log.warning(event, **about)


@lru_cache
def _forgetful(backend: type[BaseBleakScanner]) -> type[BaseBleakScanner]:
    """The same scanner, but without a memory of whom it has heard."""

    class Forgetful(backend):
        def call_detection_callbacks(self, device: BLEDevice, advertisement_data: AdvertisementData) -> None:
            super().call_detection_callbacks(device, advertisement_data)
            self.seen_devices.clear()

    return Forgetful
