"""A node's radio as MicroPython's module `bluetooth` shows it to the firmware, on the simulated air; and the node's NVS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.air.board import Nvs
from tools.simulate.air import Air
from tools.simulate.flash import PowerCut
from tools.simulate.timeline import Timeline

if TYPE_CHECKING:
    from tools.simulate.air import Connection

CONNECTED, DISCONNECTED, WRITTEN, MTU_EXCHANGED = 1, 2, 3, 21
TO_NODE, TO_GATEWAY = 1, 2  # handles
MTU = 247


class Antenna:
    """`woken` is called when the stack has told the firmware something. Both the module and its `BLE()`."""

    FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, FLAG_NOTIFY = 8, 4, 16

    def __init__(self, timeline: Timeline, air: Air, address: str, woken: Callable[[], None]) -> None:
        self._timeline = timeline
        self._air = air
        self._address = address
        self._woken = woken
        self._note: Callable[[int, tuple[int, ...]], None] = lambda event, data: None
        self._connection: Connection | None = None
        self._handle = 0
        self._written = b""
        self._advert: bytes | None = None
        self._turn = 0  # of advertising: who has begun anew broadcasts no more what was before
        self._is_connectable = False
        air.antennas[address] = self

    def power_off(self) -> None:
        self._advert = None
        self._turn += 1
        self._note = lambda event, data: None
        if self._connection is not None:
            self._connection.end()

    # -- the air

    @property
    def can_be_connected(self) -> bool:
        return self._advert is not None and self._is_connectable and self._connection is None

    def connected(self, connection: Connection) -> None:
        self._connection = connection
        self._handle += 1
        self._written = b""
        self._note(CONNECTED, (self._handle,))
        self._note(MTU_EXCHANGED, (self._handle, MTU))
        self._timeline.after(0, self._woken)

    def disconnected(self) -> None:
        self._connection = None
        self._note(DISCONNECTED, (self._handle,))

    def written(self, chunk: bytes) -> None:
        self._written += chunk
        self._note(WRITTEN, (self._handle, TO_NODE))
        self._woken()

    def _broadcast(self, turn: int, every_ms: int) -> None:
        if turn == self._turn and self._advert is not None:
            self._air.broadcast(self._address, self._advert)
            self._timeline.after(every_ms, self._broadcast, turn, every_ms)

    # -- MicroPython's bluetooth

    def UUID(self, text: str) -> str:  # noqa: N802  its name there
        return text

    def BLE(self) -> Antenna:  # noqa: N802  its name there
        return self

    def active(self, is_active: bool) -> None:
        """It always is."""

    def config(self, name: str = "", **settings: int) -> Any:
        return (0, bytes.fromhex(self._address.replace(":", ""))) if name == "mac" else None

    def irq(self, note: Callable[[int, tuple[int, ...]], None]) -> None:
        self._note = note

    def gatts_register_services(self, services: Any) -> tuple[tuple[int, int]]:
        return ((TO_NODE, TO_GATEWAY),)

    def gatts_set_buffer(self, handle: int, size: int, append: bool) -> None:
        """Nothing here writes more than the firmware asks for."""

    def gatts_read(self, handle: int) -> bytes:
        written, self._written = self._written, b""
        return written

    def gatts_notify(self, handle: int, value_handle: int, data: bytes) -> None:
        if self._connection is None or handle != self._handle:
            raise OSError
        self._connection.up(bytes(data))

    def gap_disconnect(self, handle: int) -> None:
        if self._connection is None or handle != self._handle:
            raise OSError
        self._timeline.after(0, self._connection.end)

    def gap_advertise(
        self, interval_us: int | None, data: bytes | None = None, resp_data: bytes = b"", connectable: bool = True
    ) -> None:
        self._turn += 1
        self._advert = data if interval_us else None
        self._is_connectable = connectable
        if interval_us:
            self._broadcast(self._turn, interval_us // 1000)


class FailingNvs(Nvs):
    """The supply may fail while something is committed: then it is kept or it is not."""

    def __init__(self) -> None:
        super().__init__()
        self.cut_at_commit: bool | None = None  # True: behind the write

    def commit(self) -> None:
        cut, self.cut_at_commit = self.cut_at_commit, None
        if cut is not False:
            super().commit()
        if cut is not None:
            raise PowerCut
