"""A real node whose firmware is in a slot, as it is after flashing: it restarts as a board does, whatever ended it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from node_desk import AIR, START_MS, walk

import streetwire
from gateway.bundle import Firmware, manifest_of
from gateway.radio.keys import NodeKey
from gateway.updating import Step, Updater
from tools.slots_image import files_of, flash_files, write
from tools.street.node import Identity, NodeDied, NodeProcess

NODE = 0xC30A01
KEY = bytes(range(16))
KIT = "pavement-radar"
START_PAUSE_MS = 3000


def node_key(key: bytes = KEY, number: int = NODE) -> NodeKey:
    return NodeKey(f"tr-{number:06x}", "24:DC:C3:C3:0A:03", key)


def firmware(version: str, kit: str = KIT, **changed: bytes) -> Firmware:
    """What is here, as if it were of that version; `changed` files by the first word of their name."""
    _, files = files_of(kit)
    files["main.py"] = files["main.py"].replace(b'FIRMWARE = "0.1.0"', f'FIRMWARE = "{version}"'.encode())
    for name, content in changed.items():
        files[next(path for path in files if name in path)] = content
    manifest = manifest_of(version, kit, files)
    return Firmware(version, kit, manifest, tuple(content for _, content in sorted(files.items())))


class SlotsDesk:
    """`acks`: whether a gateway acknowledges. `walks` are the times, in ms of the desk, at which somebody sets out."""

    def __init__(self, folder: Path, walks=(), acks: bool = True, kit: str = KIT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.root = write(flash_files(kit), folder / "flash")
        nvs = folder / "nvs"
        nvs.write_text(f"key {KEY.hex()}\ncounter 00000000\n")
        self._identity = Identity("24dcc3c30a01", folder / "log", first_tick=2**30 - 90_000, kit=kit, nvs=nvs)
        self.acks = acks
        self.said: list[tuple[int, streetwire.Message]] = []
        self.accepted: dict[int, streetwire.Record] = {}
        self.watermark = 0
        self.starts = 0
        self.deaths: list[str] = []
        self.now_ms = 0
        self.updater: Updater | None = None
        self._due = sorted([AIR, *(event for t_ms in walks for event in walk(t_ms))])
        self._start()

    def __enter__(self) -> SlotsDesk:
        return self

    def __exit__(self, *error: object) -> None:
        self.node.power_cut()

    @property
    def state(self) -> bytes:
        return (self.root / "slots.json").read_bytes()

    def power_cut(self) -> None:
        """And power on again."""
        self.node.power_cut()
        self._start()

    def update(self, image: Firmware, key: bytes = KEY) -> Updater:
        self.updater = Updater(node_key(key), image)
        hello = next(message for _, message in reversed(self.said) if isinstance(message, streetwire.Hello))
        self._do(self.updater.begin(hello, self.now_ms / 1000))
        return self.updater

    def run_until(self, until_ms: int, stop=lambda: False) -> SlotsDesk:
        while self.now_ms < until_ms and not stop():
            limit = min(until_ms, self.now_ms + 1000)
            due = [event for event in self._due if event[0] <= limit]
            self._due = self._due[len(due) :]
            try:
                self.node.grant(limit, due)
                self.node.wait()
            except NodeDied as death:
                self.deaths.append(str(death))
                self.now_ms = max(self.now_ms, self.node.local_ms)
                self._listen()
                self.node.power_cut()
                self._start()
                continue
            self.now_ms = self.node.local_ms
            self._listen()
            if self.updater is not None:
                self._do(self.updater.on_time(self.now_ms / 1000))
        return self

    def messages(self, kind):
        return [message for _, message in self.said if isinstance(message, kind)]

    def hear(self, *messages: streetwire.Message) -> None:
        for message in messages:
            self.node.hear(streetwire.encode_frame(message.encode()))

    def _start(self) -> None:
        self.starts += 1
        self._deframer = streetwire.Deframer()
        self.node = NodeProcess(self._identity, self.now_ms, "micropython", self.root)
        self._listen()

    def _do(self, steps: list[Step]) -> None:
        for step in steps:
            last = self.said[-1][1]
            self.hear(step.kind(last.node, last.incarnation, *step.fields))

    def _listen(self) -> None:
        for payload in self._deframer.feed(self.node.take_output()):
            message = streetwire.decode(payload)
            self.said.append((self.node.local_ms, message))
            self._answer(message)
            if self.updater is not None:
                self._do(self.updater.on_message(message, self.now_ms / 1000))

    def _answer(self, message: streetwire.Message) -> None:
        address = (message.node, message.incarnation)
        if not self.acks:
            return
        if isinstance(message, streetwire.RecordMessage):
            record = message.record
            if record.seq > self.watermark and message.previous <= self.watermark:
                self.accepted[record.seq] = record
                self.watermark = record.seq
            self.hear(streetwire.Ack(*address, self.watermark))
        elif isinstance(message, streetwire.Hello):
            now = streetwire.Time(*address, START_MS + self.node.local_ms)
            self.hear(streetwire.Ack(*address, self.watermark), now)


def digest_of(folder: Path) -> str:
    """Of everything below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
