"""Nodes on serial ports, by aioserial.

Theory of operation
    opening   again and again with a growing pause, until the port is there and ours. A port that is missing is waited for;
              said once. DTR and RTS stay low: on many boards they are wired to the reset line, and a gateway that
              starts must not restart its nodes.
    reading   what has arrived, in one piece; frames are put together by streetwire. Emitting may wait, and then the operating
              system's buffer, the node's port and in the end its flash hold the data.
    lost      the port vanished (unplugged, or the node was reset): close, and open again.
"""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import serial
import structlog
from aioserial import AioSerial

import streetwire
from gateway.drivers.base import Clock, Emit, LinkStats, Opened, say_nothing
from gateway.errors import DeviceError, PermissionDenied
from gateway.model import Received

BAUD = 115200
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 15.0
MAX_READ = 4096
WRITE_TIMEOUT_S = 2.0

_log = structlog.get_logger("serial")


class SerialDriver:
    """`rest` is the port, `/dev/ttyUSB0` or `COM3`. `clock` is UTC, `steady` one that nobody sets, if there is one."""

    def __init__(self, rest: str, clock: Clock, steady: Clock | None = None) -> None:
        self.link = f"serial:{rest}"
        self.stats = LinkStats()
        self._path = rest
        self._clock = clock
        self._steady = steady or clock
        self._port: AioSerial | None = None

    def probe(self) -> None:
        """Opens and closes the port. DeviceError where another program has it, PermissionDenied where we may not."""
        if Path(self._path).exists():
            open_port(self._path).close()

    async def run(self, emit: Emit, opened: Opened = say_nothing) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                port = open_port(self._path)
            except (DeviceError, PermissionDenied) as error:
                if pause_s == FIRST_PAUSE_S:
                    _log.warning("port not open", link=self.link, problem=error.line())
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
                continue
            await self._serve(port, emit, opened)
            if self.stats.rx_bytes:
                pause_s = FIRST_PAUSE_S
            else:  # a port that opens and gives nothing would open for ever
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def fetch(self, node: int) -> None:
        """A cable is open all the time: nodes on it say what they have."""

    async def send(self, message: streetwire.Message) -> bool:
        port = self._port
        if port is None:
            return False
        frame = streetwire.encode_frame(message.encode())
        try:
            await port.write_async(frame)
        except (serial.SerialException, OSError, TypeError):
            _end_if_cancelled()
            return False  # the reader finds out as well, and opens the port again; TypeError as in _serve
        self.stats.tx_bytes += len(frame)
        return True

    async def _serve(self, port: AioSerial, emit: Emit, opened: Opened) -> None:
        deframer = streetwire.Deframer()
        stats = self.stats
        stats.opens += 1
        stats.rx_bytes = stats.tx_bytes = 0
        bad_before = stats.bad_frames
        self._port = port
        stats.is_open = True
        _log.info("port open", link=self.link)
        try:
            await opened(self.link, None)
            while True:
                data = await port.read_async(max(1, min(port.in_waiting, MAX_READ)))
                stats.rx_bytes += len(data)
                for payload in deframer.feed(data):
                    await emit(Received(payload, self.link, self._clock(), self._steady()))
                stats.bad_frames = bad_before + deframer.bad_frames
        except (serial.SerialException, OSError, TypeError) as error:
            # TypeError: pyserial reads from a descriptor that a close on another thread has just taken away.
            _end_if_cancelled()
            _log.warning("port lost", link=self.link, problem=str(error))
        finally:
            self._port = None
            stats.is_open = False
            port.close()


def open_port(path: str, baud: int = BAUD) -> AioSerial:
    """A port that is ours alone, and whose board goes on as it was. DeviceError where it is missing or another program has it,
    PermissionDenied where we may not."""
    port = AioSerial(baudrate=baud, exclusive=True, write_timeout=WRITE_TIMEOUT_S)
    port.dtr = False
    port.rts = False
    port.port = path
    try:
        port.open()
    except serial.SerialException as error:
        raise _blame(path, error) from error
    return port


def _end_if_cancelled() -> None:
    # aioserial, cancelled, stops its thread first; what goes wrong there takes the place of the cancellation.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _blame(path: str, error: serial.SerialException) -> DeviceError | PermissionDenied:
    number = error.errno or getattr(error.__context__, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY) or "exclusively lock" in str(error):
        return DeviceError("port-busy", port=path)
    if number == errno.EACCES:
        return PermissionDenied("port-denied", port=path)
    if Path(path).exists():
        return DeviceError("port-none", port=path, found=error)
    return DeviceError("port-missing", port=path)
