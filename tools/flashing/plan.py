"""What a board lacks, and in which order it gets it. Pure.

Theory of operation
    whole    the interpreter, the table or the bootloader is missing or another, or the board does not answer: everything is
             written through the bootloader in ROM, NVS and records excepted.
    files    only some files differ: these are written, each under another name and then renamed. The manifest goes first and
             comes back last, so a slot with a manifest that fits is a slot that was written to its end: wherever the cable is
             pulled, the next run sees what is missing.
    settled  firmware on trial, or a slot that was given up: what was written at a bench is what starts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from tools.flashing.image import FIRST_SLOT, MANIFEST, NodeImage
from tools.flashing.interpreter import MPY_MAJOR, Interpreter
from tools.flashing.layout import BLOCK_SIZE, pack_table
from tools.flashing.survey import Survey
from tools.slots_image import SLOTS_FILE

NEW = ".new"  # behind the name of a file that is being written
SPARE_BLOCKS = 4  # folders and LittleFS' own


@dataclass(frozen=True)
class Plan:
    """`whole` says why everything is written, "" where files are enough; `remove` and `write` are in order; `needs_key`: the node
    has none that the gateway knows."""

    whole: str = ""
    remove: tuple[str, ...] = ()
    write: tuple[tuple[str, bytes], ...] = ()
    needs_key: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.whole or self.remove or self.write or self.needs_key)

    @property
    def bytes_needed(self) -> int:
        """Room on the file system for what is written, while what it replaces is still there."""
        return sum(-(-len(content) // BLOCK_SIZE) for _, content in self.write) * BLOCK_SIZE + SPARE_BLOCKS * BLOCK_SIZE


def plan(found: Survey | None, image: NodeImage, interpreter: Interpreter, known_key: int | None) -> Plan:
    """`found` is None for a board that does not answer; `known_key` tells which key the gateway has for this node."""
    if found is None:
        return Plan("silent", needs_key=True)
    needs_key = found.has_nvs and (found.key is None or not found.has_counter or found.key != known_key)
    whole = _missing(found, interpreter)
    if whole:
        return Plan(whole, needs_key=needs_key)
    return Plan("", *_files(found, image), needs_key)


def _missing(found: Survey, interpreter: Interpreter) -> str:
    """The first that is another than it should be."""
    if found.mpy != MPY_MAJOR or found.app != hashlib.sha256(interpreter.app_digest).hexdigest():
        return "interpreter"
    if found.table != hashlib.sha256(pack_table()).hexdigest():
        return "table"
    if found.bootloader != hashlib.sha256(interpreter.bootloader).hexdigest():
        return "bootloader"
    return ""


def _files(found: Survey, image: NodeImage) -> tuple[tuple[str, ...], tuple[tuple[str, bytes], ...]]:
    slot = found.slot or FIRST_SLOT
    wanted = image.in_slot(slot)
    manifest = f"{slot}/{MANIFEST}"
    stale = sorted(path for path in found.files if path.startswith(f"{slot}/") and path not in wanted)
    changed = sorted(path for path, content in wanted.items() if found.files.get(path) != hashlib.sha256(content).hexdigest())
    left = [path for path in found.files if "/" not in path and path.endswith(NEW)]  # by a cut
    of_slot = [path for path in changed if "/" in path and path != manifest]
    of_root = [path for path in changed if "/" not in path]
    if of_slot or stale:
        changed = [*changed, manifest] if manifest not in changed else changed
    write = [(path, wanted[path]) for path in (*of_slot, *of_root)]
    remove = [manifest] if (of_slot or stale) and manifest in found.files else []
    if manifest in changed:
        write.append((manifest, wanted[manifest]))
    if found.slots != {"slot": slot} and (found.slot is None or {"tries", "failed"} & set(found.slots or {})):
        write.append((SLOTS_FILE, json.dumps({"slot": slot}).encode()))
    return (*remove, *stale, *left), tuple(write)
