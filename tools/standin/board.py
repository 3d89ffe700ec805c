"""One board on its line, from power on to power on: what it starts follows from what stands in its flash, and from nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tools.standin import flash, rom
from tools.standin.line import HungUpError, Line, PulledError
from tools.standin.running import Running, Wired

FAULTS = ("wrong-chip", "nonsense", "silent", "busy", "small", "full", "pulled-at:BYTES[:SECONDS]")
PLUGGED_IN_AFTER_S = 20.0
_SAYS_EVERY_S = 0.2


@dataclass(frozen=True)
class Board:
    """`fault` is one of FAULTS or empty; `baud` as Line has it."""

    wired: Wired
    link: Path
    baud: int
    fault: str = ""

    def run(self) -> None:
        """Until the process ends."""
        name, *numbers = self.fault.split(":")
        pulled_at = int(numbers[0]) if name == "pulled-at" else None
        away_s = float(numbers[1]) if len(numbers) > 1 else PLUGGED_IN_AFTER_S
        rom.prepare(self.wired.mac, self.fault == "small")
        line = Line(self.link, self.baud, pulled_at)
        if self.fault == "busy":
            line.hold()
        asked = b""
        while True:
            try:
                asked = self._serve(line, asked)
            except HungUpError:
                asked = b""
            except PulledError:
                asked = b""
                line.pull()
                time.sleep(away_s)
                line.plug_in()

    def _serve(self, line: Line, asked: bytes) -> bytes:
        """From one reset to the next. Gives what a host that asks for the bootloader has said already."""
        if self.fault in ("silent", "busy"):
            while True:
                line.read(0.1)
        if self.fault == "nonsense":
            rom.babble(line)
        if not asked and flash.starts(self.wired.flash):
            return Running(self.wired).serve(line)
        asked = asked or self._wait_for_host(line)
        chip = "esp32c3" if self.fault == "wrong-chip" else "esp32"
        rom.serve(line, flash.FlashFile(self.wired.flash), chip, asked)
        return b""

    def _wait_for_host(self, line: Line) -> bytes:
        """A bootloader that finds nothing says so again and again."""
        seen, says_s = b"", 0.0
        while True:
            seen = (seen + line.read(0.02))[-4096:]
            if rom.SYNC in seen:
                return seen[seen.rindex(rom.SYNC) :]
            if line.is_open and time.monotonic() >= says_s:
                line.write(rom.BLANK)
                says_s = time.monotonic() + _SAYS_EVERY_S
