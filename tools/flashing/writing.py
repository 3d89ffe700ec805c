"""Everything that a board needs, written through its bootloader in ROM: esptool as a process of its own, listened to.

Its words are English, but what it quotes of the system is not: an error is told by names and numbers in it. Files come first, the
bootloader last, so that a board that was not written to its end does not start. A stretch that holds the right bytes already
is passed over: what a pulled cable has cost is all that a second run writes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import DeviceError, PermissionDenied, TrottoirError
from tools.flashing.errors import FlashError, StoppedError
from tools.flashing.image import NodeImage
from tools.flashing.interpreter import CHIP, Interpreter
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, FILES, TABLE_AT, pack_table

BAUD = 460_800
SLOW_BAUD = 115_200
HELP_S = 30.0
MAX_LINES = 400  # of what esptool says, kept for finding out what went wrong
CONNECTING = ("flash-no-bootloader", "flash-nonsense")

_CHIP = re.compile(r"Chip type:\s+(\S.*?)\s*(?:\(|$)")
_MAC = re.compile(r"MAC:\s+((?:[0-9a-f]{2}:){5}[0-9a-f]{2})")
_BEGINS = re.compile(r"(?:Writing|Skipping) .*?at 0x([0-9a-f]{8})\b")
_SHARE = re.compile(r"at 0x[0-9a-f]{8}\b.*?(\d+(?:\.\d+)?)%")
# What esptool says, and the error that it is; the first that fits. `{}` in a pattern's groups becomes `found`.
_ERRORS: tuple[tuple[str, type[TrottoirError], str], ...] = (
    (r"This chip is (\S+?),? not ESP32", FlashError, "flash-chip"),
    (r"PermissionError\(13, .*None, 5\)|\[Errno (?:11|16)\]|exclusively lock", DeviceError, "port-busy"),
    (r"\[Errno 13\]", PermissionDenied, "port-denied"),
    (r"FileNotFoundError|\[Errno 2\]", DeviceError, "port-missing"),
    (r"MD5|[Vv]erif\w+ fail|does not match", FlashError, "flash-verify"),
    (r"[Ss]ecure [Bb]oot|[Ff]lash [Ee]ncryption", FlashError, "flash-locked"),
    (r"(?:doesn't|not|n't) fit|exceeds|flash size|too large", FlashError, "flash-small"),
    (r"Invalid head of packet|serial noise|Packet content transfer|Wrong direction", FlashError, "flash-nonsense"),
    (r"readiness to read|\[Errno (?:5|6|19)\]|ClearCommError|WriteFile|port is not open", DeviceError, "port-lost"),
    (r"[Cc]ould not open", DeviceError, "port-lost"),
    (r"stopped responding|stopped\.|timed out|[Tt]imeout waiting|No more data", FlashError, "flash-stalled"),
    (r"Failed to connect|No serial data|Wrong boot mode", FlashError, "flash-no-bootloader"),
)  # fmt: skip
_LATE = {"flash-no-bootloader": "flash-stalled"}  # once it had answered


@dataclass(frozen=True)
class Parts:
    """The files that esptool is given, by address, in the order in which they are written; `weights` are their shares of the
    time."""

    files: tuple[tuple[int, Path], ...]
    weights: dict[int, float]


@dataclass
class Heard:
    """What esptool has told of a board."""

    chip: str = ""
    mac: str = ""
    is_connected: bool = False
    lines: list[str] = field(default_factory=list)


def prepare(image: NodeImage, interpreter: Interpreter, folder: Path) -> Parts:
    """Writes what is to be flashed into a folder of this run's own."""
    contents = {
        FILES.offset: image.file_system,
        APP_AT: interpreter.app,
        TABLE_AT: pack_table(),
        BOOTLOADER_AT: interpreter.bootloader,
    }
    sizes = {at: len(zlib.compress(content)) + 4096 for at, content in contents.items()}
    files = []
    for at, content in contents.items():
        path = folder / f"{at:06x}.bin"
        path.write_bytes(content)
        files.append((at, path))
    return Parts(tuple(files), {at: size / sum(sizes.values()) for at, size in sizes.items()})


class Prepared:
    """Parts that are made once, by whoever asks first."""

    def __init__(self, image: NodeImage, interpreter: Interpreter, folder: Path) -> None:
        self._make = lambda: prepare(image, interpreter, folder)
        self._lock = threading.Lock()
        self._made: Parts | None = None

    def __call__(self) -> Parts:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def write(port: str, parts: Parts, baud: int, told: Callable[[float], None], stop: threading.Event, wait_s: float = 0) -> Heard:
    """All parts, each compared with its hash afterwards. `told` gets the share that is done. `wait_s`: the board is being put
    into its bootloader by hand, and that is waited for. The errors of _ERRORS; StoppedError once `stop` is set."""
    heard = Heard()
    command = [sys.executable, "-m", "esptool", "--chip", CHIP, "--port", port, "--baud", str(baud)]
    command += ["--connect-attempts", "0", "--before", "no-reset"] if wait_s else ["--connect-attempts", "3"]
    command += ["write-flash", "--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep", "--skip-flashed"]
    command += [word for at, path in parts.files for word in (hex(at), str(path))]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        encoding="utf-8", errors="replace", start_new_session=os.name == "posix",  # Ctrl-C is ours to pass on
    )  # fmt: skip
    guard = _Guard(process, heard, stop, wait_s)
    try:
        done = 0.0
        for line in process.stdout or ():
            done = max(done, listen(line, heard, parts.weights, done))
            told(done)
        code = process.wait()
    finally:
        guard.end()
    if stop.is_set():
        raise StoppedError("flash-stopped", port=port)
    if guard.is_late:
        raise FlashError("flash-no-bootloader", port=port)
    if code:
        raise error_of("\n".join(heard.lines), heard.is_connected, port)
    return heard


def listen(line: str, heard: Heard, weights: dict[int, float], done: float) -> float:
    """A line that esptool has said; the share that is done after it. Pure but for `heard`."""
    heard.lines = [*heard.lines, line.rstrip()][-MAX_LINES:]
    if line.startswith("Connected to"):
        heard.is_connected = True
    if chip := _CHIP.match(line):
        heard.chip = chip[1]
    if mac := _MAC.match(line):
        heard.mac = mac[1]
    begins = _BEGINS.match(line)
    if begins is None:
        return done
    at = int(begins[1], 16)
    starts = [start for start in weights if start <= at]
    if not starts:
        return done
    part = max(starts)
    order = list(weights)
    before = sum(weights[start] for start in order[: order.index(part)])
    share = _SHARE.search(line)
    return min(before + weights[part] * (float(share[1]) / 100 if share else 0), 1.0)


def error_of(said: str, is_connected: bool, port: str) -> TrottoirError:
    """What esptool's words mean. Pure."""
    fatal = said[said.rfind("rror") :] if "rror" in said else said
    for text in (fatal, said):
        for pattern, kind, key in _ERRORS:
            match = re.search(pattern, text)
            if match:
                found = match[1] if match.groups() and match[1] else _last(said)
                return kind(_LATE.get(key, key) if is_connected else key, port=port, found=found)
    return FlashError("flash-esptool", port=port, found=_last(said))


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if "rror" in line]
    return (fatal or lines or ["-"])[-1][:160]


class _Guard:
    """Ends the process when it is to stop, or when nobody has brought the board into its bootloader in time."""

    def __init__(self, process: subprocess.Popen[str], heard: Heard, stop: threading.Event, wait_s: float) -> None:
        self._process = process
        self._over = threading.Event()
        self.is_late = False
        self._thread = threading.Thread(target=self._watch, args=(heard, stop, wait_s), daemon=True)
        self._thread.start()

    def _watch(self, heard: Heard, stop: threading.Event, wait_s: float) -> None:
        waited_s = 0.0
        while not self._over.wait(0.1):
            waited_s += 0.1
            self.is_late = bool(wait_s) and waited_s > wait_s and not heard.is_connected
            if stop.is_set() or self.is_late:
                self._process.kill()
                return

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
