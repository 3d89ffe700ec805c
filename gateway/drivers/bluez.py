"""What a gateway asks of BlueZ, Linux's Bluetooth service, by D-Bus: how an adapter is, and to switch it off and on.

Theory of operation
    connected   to the bus that is handed in, for one visit; every reply is waited for `patience_s` at most, since a controller
                that hangs makes BlueZ hang.
    look        single properties of one adapter, read by name. BlueZ's list of all objects would bring the addresses and names
                of everybody's devices in reach, and an adapter's own list its address: neither is ever asked for.
    power cycle off, then on. On comes last whatever became of off, also when the wait is cancelled: an adapter that is left off
                would be worse than one that hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dbus_fast import BusType, DBusFastError, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.introspection import Node

from gateway.errors import AdapterError, PermissionDenied, TrottoirError

PATIENCE_S = 10.0
SERVICE = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"

_DENIED = {"org.freedesktop.DBus.Error.AccessDenied", "org.bluez.Error.NotAuthorized", "org.bluez.Error.NotPermitted"}
_NOBODY = {f"org.freedesktop.DBus.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply")}
_GONE = {f"org.freedesktop.DBus.Error.{name}" for name in ("UnknownObject", "UnknownMethod")}
_BLOCKED = "org.bluez.Error.Blocked"
_NO_SUCH = {f"org.freedesktop.DBus.Error.{name}" for name in ("InvalidArgs", "UnknownInterface", "UnknownProperty")}

Block = Literal["soft", "hard"]


@dataclass(frozen=True)
class Adapter:
    """`is_discovering`: some program searches actively. `roles` is empty where BlueZ does not say."""

    name: str
    is_powered: bool
    is_discovering: bool
    roles: tuple[str, ...]
    hears_passively: bool


async def look(adapter: str, bus_address: str | None = None, patience_s: float = PATIENCE_S) -> Adapter:
    """How `adapter` (`hci0`) is. The system's bus where no address is given.

    AdapterError: no bus, no BlueZ, no such adapter, or no answer; PermissionDenied: this user may not ask.
    """
    async with _connected(adapter, bus_address, patience_s) as bluez:
        present = await bluez.adapters()
        if adapter not in present:
            raise AdapterError("ble-other-adapter", adapter=adapter, found=", ".join(present)) if present else bluez.missing()
        return Adapter(
            adapter,
            bool(await bluez.read(ADAPTER, "Powered")),
            bool(await bluez.read(ADAPTER, "Discovering")),
            tuple(await bluez.read(ADAPTER, "Roles") or ()),
            "or_patterns" in (await bluez.read(MONITORS, "SupportedMonitorTypes") or ()),
        )


async def power_cycle(adapter: str, bus_address: str | None = None, patience_s: float = PATIENCE_S) -> None:
    """Switches `adapter` off and on. AdapterError where it was not both, PermissionDenied where this user may not."""
    async with _connected(adapter, bus_address, patience_s) as bluez:
        try:
            await bluez.switch(False)
        finally:
            await bluez.switch(True)


def rfkill_block(adapter: str, folder: Path = Path("/sys/class/rfkill")) -> Block | None:
    """Whether the kernel keeps the radio silent: `soft` is lifted by a command, `hard` by a switch or the firmware only."""
    blocks = set()
    for switch in folder.glob("rfkill*"):
        name, kind = _line(switch / "name"), _line(switch / "type")
        if kind == "bluetooth" and (name == adapter or not name.startswith("hci")):  # a laptop's switch is for all of them
            blocks |= {block for block in ("soft", "hard") if _line(switch / block) == "1"}
    return "hard" if "hard" in blocks else "soft" if "soft" in blocks else None


def is_on_uart(adapter: str, folder: Path = Path("/sys/class/bluetooth")) -> bool:
    """Whether the radio hangs on a serial line of the board, as a Raspberry Pi's own does, and not on USB."""
    parts = (folder / adapter).resolve().parts
    return any("serial" in part or part.startswith("tty") for part in parts) and not any(part.startswith("usb") for part in parts)


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""  # unplugged while we looked


@asynccontextmanager
async def _connected(adapter: str, bus_address: str | None, patience_s: float) -> AsyncIterator[_Bluez]:
    try:
        async with asyncio.timeout(patience_s):
            bus = await MessageBus(bus_address, BusType.SYSTEM).connect()
    except PermissionError as error:
        raise PermissionDenied("ble-denied") from error
    except (OSError, EOFError, DBusFastError) as error:
        raise AdapterError("ble-no-bus") from error
    try:
        yield _Bluez(bus, adapter, patience_s)
    finally:
        bus.disconnect()


class _Bluez:
    """BlueZ and one of its adapters, behind a bus."""

    def __init__(self, bus: MessageBus, adapter: str, patience_s: float) -> None:
        self._bus = bus
        self._adapter = adapter
        self._path = f"/org/bluez/{adapter}"
        self._patience_s = patience_s

    def missing(self) -> AdapterError:
        return AdapterError("ble-no-adapter", adapter=self._adapter)

    async def adapters(self) -> list[str]:
        """The names below /org/bluez: adapters only, since devices are one level deeper."""
        answer = await self._call("/org/bluez", INTROSPECTABLE, "Introspect")
        if answer.message_type is MessageType.ERROR:
            raise self._blame(answer.error_name)
        return sorted(node.name for node in Node.parse(answer.body[0]).nodes if node.name)

    async def read(self, interface: str, name: str) -> Any:
        """One property; None where this BlueZ does not have it."""
        answer = await self._call(self._path, PROPERTIES, "Get", "ss", [interface, name])
        if answer.error_name in _NO_SUCH:
            return None
        if answer.message_type is MessageType.ERROR:
            raise self._blame(answer.error_name)
        return answer.body[0].value

    async def switch(self, is_on: bool) -> None:
        answer = await self._call(self._path, PROPERTIES, "Set", "ssv", [ADAPTER, "Powered", Variant("b", is_on)])
        if answer.message_type is MessageType.ERROR:
            raise self._blame(answer.error_name)

    async def _call(self, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None) -> Message:
        question = Message(SERVICE, path, interface, member, flags=MessageFlag.NO_AUTOSTART, signature=signature, body=body or [])
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._bus.call(question)
        except TimeoutError as error:
            raise AdapterError("ble-hangs", adapter=self._adapter, seconds=round(self._patience_s)) from error
        except (OSError, EOFError, DBusFastError) as error:
            raise AdapterError("ble-no-bus") from error

    def _blame(self, error_name: str | None) -> TrottoirError:
        """Only the error's name: its text is BlueZ's, and may quote whatever it likes."""
        if error_name in _DENIED:
            return PermissionDenied("ble-denied")
        if error_name in _NOBODY:
            return AdapterError("ble-no-bluez")
        if error_name in _GONE:
            return self.missing()
        if error_name == _BLOCKED:
            return AdapterError("ble-blocked-soft", adapter=self._adapter)
        return AdapterError("ble-refused", adapter=self._adapter, found=error_name)
