"""What stands on a board, as the board itself tells it at its prompt; and what is told is read.

Lines of words: what a board says may be anything, so what does not fit is an error and nothing is made of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from gateway.model import node_name
from tools.flashing.errors import FlashError
from tools.flashing.interpreter import DIGEST_SIZE, Interpreter
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, FILES, TABLE_AT, TABLE_SIZE

NVS_NAME = "trottoir"
MAX_FILES = 1000
_DIGITS = re.compile(r"[0-9a-f]{64}")
_MAC = re.compile(r"[0-9a-f]{12}")

# Said to the prompt; whatever is missing there is told as `-`.
SCRIPT = """
import binascii, hashlib, os, sys, machine
def hex(data):
    return binascii.hexlify(data).decode()
def flash(name, at, size):
    try:
        import esp
        digest, left = hashlib.sha256(), size
        while left:
            data = bytearray(min(left, 4096))
            esp.flash_read(at + size - left, data)
            digest.update(data)
            left -= len(data)
        print(name, hex(digest.digest()))
    except (ImportError, AttributeError, OSError):
        print(name, "-")
def file(path, size):
    digest, data = hashlib.sha256(), bytearray(512)
    with open(path, "rb") as content:
        while True:
            n = content.readinto(data)
            if not n:
                break
            digest.update(memoryview(data)[:n])
    print("file", hex(digest.digest()), size, path)
def folder(path):
    for row in os.ilistdir(path):
        name, kind, size = path + row[0], row[1], row[3] if len(row) > 3 else 0
        if kind == 0x4000:
            folder(name + "/") if row[0] != "host" else None
        else:
            file(name, size)
def nvs():
    try:
        import esp32
        values = esp32.NVS(NVS_NAME)
    except (ImportError, AttributeError, OSError):
        print("nvs -")
        return
    for name, size in (("key", 16), ("counter", 4)):
        value = bytearray(size)
        try:
            n = values.get_blob(name, value)
        except OSError:
            n = 0
        print("nvs", name, hex(hashlib.sha256(value).digest()[:4]) if n == size else "-")
print("begin 1")
print("mac", hex(machine.unique_id()))
print("mpy", getattr(sys.implementation, "_mpy", 0) & 255)
flash("bootloader", BOOTLOADER)
flash("table", TABLE)
flash("app", APP)
for row in os.ilistdir("/"):
    if row[1] != 0x4000:
        file(row[0], row[3] if len(row) > 3 else 0)
try:
    with open("slots.json") as content:
        print("slots", hex(content.read(256).encode()))
except (OSError, ValueError):
    print("slots -")
for slot in ("a", "b"):
    try:
        folder(slot + "/")
    except OSError:
        pass
stats = os.statvfs("/")
print("free", stats[0] * stats[3])
nvs()
print("end")
"""


@dataclass(frozen=True)
class Survey:
    """`bootloader`, `table`, `app` are SHA-256 of what stands there, of the app its own digest alone; "" where the board cannot
    tell. `files`: path -> SHA-256. `slots` is what slots.json says, None without one that is sound. `key` tells which key the
    node has (radio/keys: key_id), None where it has none."""

    mac: bytes
    mpy: int
    bootloader: str
    table: str
    app: str
    files: dict[str, str]
    slots: dict[str, object] | None
    free_bytes: int
    key: int | None
    has_counter: bool
    has_nvs: bool = True

    @property
    def node(self) -> str:
        """Its name, `tr-a3f1c2`."""
        return node_name(int.from_bytes(self.mac[-3:], "big"))

    @property
    def address(self) -> str:
        """Of its radio: an ESP32 counts the last byte of its own address up by two, and carries nothing over."""
        return (self.mac[:5] + bytes(((self.mac[5] + 2) & 0xFF,))).hex(":").upper()

    @property
    def slot(self) -> str | None:
        """From which it starts, None where it has no slots."""
        slot = (self.slots or {}).get("slot")
        return slot if slot in ("a", "b") else None


def script(image: Interpreter) -> str:
    """SCRIPT for a board that is to have this image."""
    places = {
        "BOOTLOADER": (BOOTLOADER_AT, len(image.bootloader)),
        "TABLE": (TABLE_AT, TABLE_SIZE),
        "APP": (APP_AT + len(image.app) - DIGEST_SIZE, DIGEST_SIZE),
    }
    text = SCRIPT.replace("NVS_NAME", repr(NVS_NAME))
    for name, (at, size) in places.items():
        text = text.replace(f", {name})", f", {at}, {size})")
    return text


def read(told: str, port: str) -> Survey:
    """What a board has said to the script. FlashError where it is no answer to it."""
    lines = [line.split(" ", 3) for line in told.replace("\r", "").split("\n") if line]
    words = {line[0]: line[1] for line in lines if len(line) == 2}
    nvs = {line[1]: line[2] for line in lines if line[0] == "nvs" and len(line) == 3}
    files = {line[3]: line[1] for line in lines if line[0] == "file" and len(line) == 4}
    try:
        is_whole = words["begin"] == "1" and lines[-1] == ["end"] and len(files) <= MAX_FILES
        is_sound = _MAC.fullmatch(words["mac"]) and all(_DIGITS.fullmatch(digest) for digest in files.values())
        if not is_whole or not is_sound:
            raise ValueError
        return Survey(
            bytes.fromhex(words["mac"]),
            int(words["mpy"]),
            words["bootloader"].replace("-", ""),
            words["table"].replace("-", ""),
            words["app"].replace("-", ""),
            files,
            _slots(words["slots"]),
            _free(int(words["free"])),
            int(nvs["key"], 16) if nvs.get("key", "-") != "-" else None,
            nvs.get("counter", "-") != "-",
            words.get("nvs") != "-",
        )
    except (ValueError, KeyError, IndexError) as error:
        raise FlashError("flash-answer", port=port) from error


def _free(told: int) -> int:
    """LittleFS counts what two folders share twice: of a full file system MicroPython tells less than nothing, as 32 bits."""
    return told if 0 <= told <= FILES.size else 0


def _slots(digits: str) -> dict[str, object] | None:
    try:
        state = json.loads(bytes.fromhex(digits)) if digits != "-" else None
    except (ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) else None
