"""The whole gateway at work in a test: its clock can be moved, its disk held or filled, its server replaced."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import streetwire
from gateway import booking, config, hosting, intake, minutes, publishing, sending, service
from gateway.drivers.base import Driver
from gateway.errors import DeviceError
from gateway.systemd import Systemd
from gateway.uplink.base import Answer, Outcome
from gateway.uplink.file import FileUplink
from tests.gateway.parts import T0
from tests.gateway.ptys import Line, until

TOML = """
[gateway]
state_dir = "{state}"
keep_received_days = 40
page = "{page}"
[serial]
ports = [{ports}]
[uplink]
enabled = {enabled}
api = "file"
folder = "{points}"
[sites.bahnhof]
[nodes.tr-a3f1c2]
site = "bahnhof"
[nodes.tr-0000b2]
site = "bahnhof"
"""


ROOMS = (service, booking, hosting, intake, minutes, publishing, sending)


def in_all_rooms(monkeypatch, name: str, value: object) -> None:
    """Of those that a running gateway is made of, in each that has it."""
    for room in ROOMS:
        if hasattr(room, name):
            monkeypatch.setattr(room, name, value)


class Clock:
    """UTC that runs as fast as real time, from wherever a test puts it."""

    def __init__(self, at_s: float = T0 + 61) -> None:
        self.set(at_s)

    def set(self, at_s: float) -> None:
        self._offset_s = at_s - time.monotonic()

    def __call__(self) -> int:
        return int((time.monotonic() + self._offset_s) * 1000)


class Gateway:
    """`async with Gateway(tmp_path, line) as gateway`; with the same folder it is the same gateway after a restart."""

    def __init__(
        self, folder: Path, *lines: Line, clock: Clock | None = None, uplink=None, enabled: bool = True, wait_s: float = 0,
        systemd: Systemd | None = None, page: str = "off", steady: Clock | None = None, machine: int = 0,
    ) -> None:  # fmt: skip
        self.clock = clock or Clock()
        ports = ", ".join(f'"{line.path}"' for line in lines)
        text = TOML.format(state=folder / "state", points=folder / "points", ports=ports, enabled=str(enabled).lower(), page=page)
        settings = config.parse(text, "test", {})
        settings = settings.model_copy(update={"uplink": settings.uplink.model_copy(update={"batch_wait_s": wait_s})})
        self.service = service.Service(settings, self.clock, lambda: 0.0, systemd, steady=steady, machine=machine)
        if uplink is not None:
            self.service._publishing.sending._uplink = uplink
        self.folder = folder

    async def __aenter__(self):
        self.task = asyncio.create_task(self.service.run())
        await until(lambda: self.task.done() or all(driver.stats.is_open for driver in self.service.drivers.values()))
        if self.task.done():
            self.task.result()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def stop(self) -> None:
        self.service.stop()
        await self.task
        for driver in self.service.drivers.values():
            await until(lambda driver=driver: _is_free(driver))

    def rows(self, query: str) -> list:
        """Straight from the disk, as another program sees it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'state' / 'store.db'}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def records(self) -> list[int]:
        """Sequence numbers that are committed."""
        return [seq for (seq,) in self.rows("SELECT seq FROM received WHERE seq > 0 ORDER BY seq")]

    def stored(self) -> dict[int, int]:
        """What the file uplink holds: time -> count."""
        return {row.time_s: row.fields["count"] for row in FileUplink(self.folder / "points").read("passages", 0, 1 << 40)}

    @contextlib.asynccontextmanager
    async def held_disk(self):
        """Whatever the store does next waits until the block is left."""
        release = threading.Event()
        held = asyncio.create_task(self.service._in_store(release.wait, 10))
        await asyncio.sleep(0)  # it is in the thread now
        try:
            yield release
        finally:
            release.set()
            await held

    async def in_store(self, work: Callable) -> None:
        """Does something to the store, in its thread."""
        await self.service._in_store(work, self.service._store)


def _is_free(driver: Driver) -> bool:
    try:
        driver.probe()
    except DeviceError:  # the thread that was reading is about to wake up, and the lock goes with it
        return False
    return True


class FakeUplink:
    """Stores what `answer` lets through. `sent` are all batches; `table` is what a database would hold."""

    name = "fake"

    def __init__(self, answer: Callable[[Sequence[bytes]], Answer] | None = None, is_local: bool = True) -> None:
        self.is_local = is_local
        self.answer = answer or (lambda _lines: Answer(Outcome.STORED))
        self.sent: list[list[bytes]] = []
        self.table: dict[bytes, bytes] = {}
        self.in_flight = self.most_in_flight = 0
        self.is_closed = False

    def send(self, lines: Sequence[bytes]) -> Answer:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.sent.append(list(lines))
        answer = self.answer(lines)
        if answer.outcome is Outcome.STORED:
            for line in lines:
                head, _, rest = line.partition(b" ")
                fields, _, moment = rest.rpartition(b" ")
                self.table[head + b" " + moment] = fields
        self.in_flight -= 1
        return answer

    @property
    def minutes(self) -> dict[bytes, bytes]:
        """Count bins of the table."""
        return {key: fields for key, fields in self.table.items() if key.startswith(b"passages,")}

    def lines(self, part: bytes) -> list[bytes]:
        return [line for lines in self.sent for line in lines if part in line]

    def close(self) -> None:
        self.is_closed = True


def watermarks(line: Line) -> list[int]:
    """All acknowledgements that the node has heard so far."""
    return [message.watermark for message in line.heard_of(streetwire.ACK)]


async def acked(line: Line, watermark: int) -> None:
    await until(lambda: watermark in watermarks(line))
