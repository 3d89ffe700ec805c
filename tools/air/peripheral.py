"""A node's radio: what MicroPython's `bluetooth` gives to the firmware, on Bumble's GATT server and the air.

Theory of operation
    `Peripheral` is `bluetooth.BLE` as ESP32 has it (docs.micropython.org, library/bluetooth; NimBLE below): calls do their work at
    once or raise OSError, events come to the handler given to `irq`. Adverts go to the controller directly; services, writes and
    notifications are real ATT over the air. A connection ends connectable advertising, as a controller does it.
    Of the limits of NimBLE two are here: so many notifications under way, beyond which `gatts_notify` raises ENOMEM, and
    buffers of 20 bytes that silently cut what is written to them until `gatts_set_buffer` makes them larger.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

from bumble import att, core, hci
from bumble.device import Connection, Device, LegacyAdvertiser
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tools.air.controller import CONNECTABLE, NOT_CONNECTABLE, SLOT_S, Radio
from tools.air.link import Air

IRQ_CENTRAL_CONNECT = 1
IRQ_CENTRAL_DISCONNECT = 2
IRQ_GATTS_WRITE = 3
IRQ_MTU_EXCHANGED = 21
FLAG_READ = 0x02
FLAG_WRITE_NO_RESPONSE = 0x04
FLAG_WRITE = 0x08
FLAG_NOTIFY = 0x10

PUBLIC = 0  # of `addr_mode`
DEFAULT_BUFFER = 20  # bytes of a value (MP_BLUETOOTH_DEFAULT_ATTR_LEN)
DEFAULT_MTU = 256  # that NimBLE prefers (BT_NIMBLE_ATT_PREFERRED_MTU)
MAX_ADVERT = 31
MAX_UNDER_WAY = 12  # blocks of 256 bytes in NimBLE's first pool (BT_NIMBLE_MSYS_1_BLOCK_COUNT): each notification takes one
NOTIFY_HEAD = 3

Handler = Callable[[int, tuple[Any, ...]], object]


class UUID:
    """`bluetooth.UUID`: of 16 bits as a number, of 128 as a text."""

    def __init__(self, value: int | str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"UUID({self.value!r})"


class _Value:
    """What the database of attributes holds for one handle."""

    def __init__(self) -> None:
        self.data = b""
        self.size = DEFAULT_BUFFER
        self.appends = False

    def take(self, data: bytes) -> None:
        """From the other side; what finds no room is cut off without a word, as in MicroPython's `characteristic_access_cb`."""
        self.data = ((self.data if self.appends else b"") + data)[: self.size]


class Peripheral:
    """`await power_on()` first; from then on nothing here has to be awaited. `mac` are six bytes as they are read; more than
    `max_under_way` packets do not wait."""

    def __init__(self, air: Air, mac: bytes, max_under_way: int = MAX_UNDER_WAY) -> None:
        self.address = mac.hex(":").upper()
        self.air = air
        self.radio = Radio(air, self.address)
        self._mac = mac
        self._max_under_way = max_under_way
        random_address = hci.Address("C0" + self.address[2:], hci.Address.RANDOM_DEVICE_ADDRESS)
        self._device = Device("node", random_address, host=Host(self.radio, AsyncPipeSink(self.radio)))
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)
        self._handler: Handler | None = None
        self._connections: dict[int, Connection] = {}
        self._values: dict[int, _Value] = {}
        self._characteristics: dict[int, Characteristic] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those of asyncio that nobody else holds
        self._is_active = False
        self._advert = b""

    async def power_on(self) -> None:
        await self._device.power_on()
        self.config(mtu=DEFAULT_MTU)

    # -- bluetooth.BLE

    def active(self, active: bool | None = None) -> bool:
        if active is not None and active != self._is_active:
            self._is_active = active
            if active:
                self.air.switch_on(self.address)
            else:
                self.air.switch_off(self.address)
        return self._is_active

    def config(self, name: str | None = None, **settings: Any) -> Any:
        """`config("mac")` is (0, six bytes): a public address, and `addr_mode` can ask for no other. `config(mtu=...)` bounds what
        is agreed upon."""
        if name == "mac":
            return (0, self._mac)
        if settings.pop("addr_mode", PUBLIC) != PUBLIC:
            raise _error(errno.EINVAL)
        self._device.gatt_server.max_mtu = settings.pop("mtu", self._device.gatt_server.max_mtu)
        if name is not None or settings:
            raise ValueError("unknown config param")
        return None

    def irq(self, handler: Handler | None) -> None:
        self._handler = handler

    def gap_advertise(
        self, interval_us: int | None, adv_data: bytes | None = None, *, resp_data: bytes | None = None, connectable: bool = True
    ) -> None:
        """None ends it. Data that are not given stay as they were. Nobody asks for `resp_data`: scanning is passive."""
        self._check_active()
        advertiser = self.radio.le_legacy_advertiser
        advertiser.stop()
        if interval_us is None:
            return
        if adv_data is not None:
            if len(adv_data) > MAX_ADVERT:
                raise _error(errno.EINVAL)
            self._advert = bytes(adv_data)
        advertiser.advertising_type = CONNECTABLE if connectable else NOT_CONNECTABLE
        advertiser.advertising_interval_min = round(interval_us / 1e6 / SLOT_S)
        advertiser.advertising_data = self._advert
        # Bumble's host asks whose advert a central has answered.
        self._device.legacy_advertiser = LegacyAdvertiser(
            self._device, CONNECTABLE, hci.OwnAddressType.PUBLIC, hci.Address.ANY, auto_restart=False
        )
        advertiser.start()

    def gatts_register_services(self, services: Sequence[tuple[Any, Sequence[tuple[Any, ...]]]]) -> tuple[tuple[int, ...], ...]:
        """((uuid, ((uuid, flags), ...)), ...) -> the handles of values, in the same form."""
        self._check_active()
        return tuple(self._register(kind, characteristics) for kind, characteristics in services)

    def gatts_set_buffer(self, value_handle: int, size: int, append: bool = False) -> None:
        value = self._value(value_handle)
        value.size, value.appends = size, append
        value.data = value.data[:size]

    def gatts_read(self, value_handle: int) -> bytes:
        """The value; one that is appended to is empty afterwards."""
        value = self._value(value_handle)
        data = value.data
        if value.appends:
            value.data = b""
        return data

    def gatts_write(self, value_handle: int, data: bytes, send_update: bool = False) -> None:
        value = self._value(value_handle)
        value.data = bytes(data)
        value.size = max(value.size, len(data))

    def gatts_notify(self, conn_handle: int, value_handle: int, data: bytes | None = None) -> None:
        """OSError ENOTCONN where the connection is gone, ENOMEM where too much is under way. What is longer than the MTU allows is
        cut."""
        connection = self._connection(conn_handle)
        value = self._value(value_handle)
        if self.under_way >= self._max_under_way:
            raise _error(errno.ENOMEM)
        content = bytes(value.data if data is None else data)[: connection.att_mtu - NOTIFY_HEAD]
        notification = att.ATT_Handle_Value_Notification(attribute_handle=value_handle, attribute_value=content)
        self._device.gatt_server.send_gatt_pdu(connection, bytes(notification))

    def gap_disconnect(self, conn_handle: int) -> bool:
        """False where there is no such connection."""
        if conn_handle not in self._connections:
            return False
        task = asyncio.ensure_future(self._hang_up(self._connections[conn_handle]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    # -- below

    @property
    def is_connected(self) -> bool:
        return bool(self._connections)

    @property
    def under_way(self) -> int:
        """Packets that have not left the controller yet."""
        queue = self._device.host.le_acl_packet_queue
        return queue.pending if queue is not None else 0

    async def _hang_up(self, connection: Connection) -> None:
        with contextlib.suppress(core.BaseBumbleError):  # it has gone meanwhile
            await connection.disconnect()

    def _check_active(self) -> None:
        if not self._is_active:
            raise _error(errno.ENODEV)

    def _value(self, value_handle: int) -> _Value:
        self._check_active()
        if value_handle not in self._values:
            raise _error(errno.EINVAL)
        return self._values[value_handle]

    def _connection(self, conn_handle: int) -> Connection:
        if conn_handle not in self._connections:
            raise _error(errno.ENOTCONN)
        return self._connections[conn_handle]

    def _register(self, kind: Any, characteristics: Sequence[tuple[Any, ...]]) -> tuple[int, ...]:
        ours = [self._characteristic(kind_of_one, flags) for kind_of_one, flags, *_descriptors in characteristics]
        self._device.gatt_server.add_service(Service(_bumble_uuid(kind), ours))
        for characteristic in ours:
            self._values[characteristic.handle] = _Value()
        return tuple(characteristic.handle for characteristic in ours)

    def _characteristic(self, kind: Any, flags: int) -> Characteristic:
        def read(_connection: Connection) -> bytes:
            return self._values[characteristic.handle].data

        def write(connection: Connection, data: bytes) -> None:
            if not flags & (FLAG_WRITE | FLAG_WRITE_NO_RESPONSE):
                raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
            self._values[characteristic.handle].take(data)
            self._tell(IRQ_GATTS_WRITE, (connection.handle, characteristic.handle))

        permissions = Characteristic.READABLE | Characteristic.WRITEABLE
        value = CharacteristicValue(read=read, write=write)
        characteristic = Characteristic(_bumble_uuid(kind), Characteristic.Properties(flags), permissions, value)
        return characteristic

    def _on_connection(self, connection: Connection) -> None:
        self._connections[connection.handle] = connection
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._on_disconnection(connection))
        connection.on(
            Connection.EVENT_CONNECTION_ATT_MTU_UPDATE,
            lambda: self._tell(IRQ_MTU_EXCHANGED, (connection.handle, connection.att_mtu)),
        )
        self._tell(IRQ_CENTRAL_CONNECT, (connection.handle, 0, _as_read(connection.peer_address)))

    def _on_disconnection(self, connection: Connection) -> None:
        del self._connections[connection.handle]
        self._tell(IRQ_CENTRAL_DISCONNECT, (connection.handle, 0, _as_read(connection.peer_address)))

    def _tell(self, event: int, data: tuple[Any, ...]) -> None:
        if self._handler is not None and self._is_active:
            self._handler(event, data)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _as_read(address: hci.Address) -> memoryview:
    return memoryview(bytes(reversed(bytes(address))))


def _bumble_uuid(kind: Any) -> core.UUID:
    value = kind.value if isinstance(kind, UUID) else kind
    return core.UUID.from_16_bits(value) if isinstance(value, int) else core.UUID(value)
