"""bleak's client on the air: connecting, discovering, reading, writing, notifications, with Bumble's GATT."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, hci
from bumble.device import Connection, ConnectionParametersPreferences, Peer

from tools.air.contact import SUPERVISION_S

if TYPE_CHECKING:
    from bumble.gatt_client import ServiceProxy

    from tools.air.backend import Adapter

BLUEZ_MTU = 517  # what BlueZ asks for when it connects
BLUEZ_MTU_SAID = 23  # what bleak says of it
WRITE_HEAD = 3  # bytes of an MTU that a write's head takes
_Answer = TypeVar("_Answer")


def _text(kind: core.UUID) -> str:
    return str(uuid.UUID(bytes=bytes(reversed(kind.to_bytes(force_128=True)))))


class AirClient(BaseBleakClient):
    """Made by bleak: `Adapter.client_backend` is the class to hand out."""

    adapter: ClassVar[Adapter]

    def __init__(self, address_or_ble_device: BLEDevice | str, **others: Any) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=others["disconnected_callback"], timeout=others["timeout"])
        self._is_heard = isinstance(address_or_ble_device, BLEDevice)
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return BLUEZ_MTU_SAID

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    # -- connecting

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """BleakDeviceNotFoundError where an address was given and nobody answers to it, TimeoutError where a device was."""
        self.adapter.check()
        if self._connection is not None or self.adapter.host.is_le_connecting:
            raise BleakError("Operation already in progress")
        try:
            async with asyncio.timeout(self._timeout):
                self._connection = await self._connected()
                self._connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
                self.services = await self._discovered(Peer(self._connection))
        except TimeoutError:
            await self.disconnect()
            if self._is_heard:
                raise
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.") from None
        except BaseException:
            await self.disconnect()
            raise

    async def _connected(self) -> Connection:
        host = self.adapter.host
        address = hci.Address(self.address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        own = hci.OwnAddressType.PUBLIC
        interval_ms = self.adapter.air.interval_s * 1000
        wishes = ConnectionParametersPreferences(interval_ms, interval_ms, supervision_timeout=round(SUPERVISION_S * 1000))
        connecting = asyncio.ensure_future(host.connect_le(address, {hci.Phy.LE_1M: wishes}, own, timeout=None))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            self.adapter.radio.give_up_connecting()
            with contextlib.suppress(core.BaseBumbleError):
                await (await connecting).disconnect()  # it had come about at the last moment
            raise
        except core.BaseBumbleError as error:
            raise BleakError(f"failed to connect: {error}") from error

    async def _discovered(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        await self._ask(peer.request_mtu(BLUEZ_MTU))
        for service in await self._ask(peer.discover_services()):
            ours = BleakGATTService(service, service.handle, _text(service.uuid))
            found.add_service(ours)
            await self._discover_characteristics(service, ours, found)
        return found

    async def _discover_characteristics(
        self, service: ServiceProxy, ours: BleakGATTService, found: BleakGATTServiceCollection
    ) -> None:
        for one in await self._ask(service.discover_characteristics()):
            properties = list(gatt_char_props_to_strs(one.properties))
            characteristic = BleakGATTCharacteristic(one, one.handle, _text(one.uuid), properties, self._room, ours)
            found.add_characteristic(characteristic)
            for descriptor in await self._ask(one.discover_descriptors()):
                kind = _text(descriptor.type)
                found.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, kind, characteristic))

    def _room(self) -> int:
        return self._connection.att_mtu - WRITE_HEAD if self._connection is not None else BLUEZ_MTU_SAID - WRITE_HEAD

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(core.BaseBumbleError):  # it has gone meanwhile
                await connection.disconnect()

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("the air has no pairing")

    async def unpair(self) -> None:
        raise NotImplementedError("the air has no pairing")

    # -- once connected

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **kwargs: Any) -> bytearray:
        return bytearray(await self._ask(self._peer().read_value(characteristic.obj)))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **kwargs: Any) -> bytearray:
        return bytearray(await self._ask(self._peer().read_value(descriptor.obj)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """BleakError where more is written without response than fits into the MTU, or when the connection is gone;
        BleakGATTProtocolError where the other side refuses."""
        peer = self._peer()
        if not response and len(data) > self._room():
            raise BleakError(f"Failed to initiate write: {len(data)} bytes, {self._room()} fit")
        await self._ask(peer.write_value(characteristic.obj, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._ask(self._peer().write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any) -> None:
        await self._ask(self._peer().subscribe(characteristic.obj, lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._ask(self._peer().unsubscribe(characteristic.obj))

    def _peer(self) -> Any:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection.gatt_client

    async def _ask(self, request: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Awaits a request with bleak's errors. Bumble cancels what is under way when the connection goes."""
        task = asyncio.ensure_future(request)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise BleakError("Not connected") from None
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except core.BaseBumbleError as error:
            raise BleakError(str(error)) from error
