"""A real node, its firmware in a slot, at the other end of a pty: a thread lets its time run many times faster than ours."""

from __future__ import annotations

import os
import pty
import select
import sys
import threading
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "node"))

from slots_desk import SlotsDesk

TURN_S = 0.01
TURN_MS = 200  # of the node's time


class PacedNode:
    """`port` is the name to open. `desk` is the node on its desk; look at it only once closed."""

    def __init__(self, folder: Path, walks=()) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.desk = PortDesk(folder, self._write, walks)
        self._is_running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> PacedNode:
        return self

    def __exit__(self, *error: object) -> None:
        self.unplug()
        self.desk.node.power_cut()

    def unplug(self) -> None:
        """The port is gone; the node has no power any more."""
        if self._is_running:
            self._is_running = False
            self._thread.join()
            os.close(self._slave)
            os.close(self._master)

    def _run(self) -> None:
        while self._is_running:
            if select.select([self._master], [], [], TURN_S)[0]:
                self.desk.node.hear(os.read(self._master, 256))
            self.desk.run_until(self.desk.now_ms + TURN_MS)

    def _write(self, data: bytes) -> None:
        if data:
            os.write(self._master, data)


class PortDesk(SlotsDesk):
    """What the node says goes out as it is; nobody answers but who has the port open."""

    def __init__(self, folder: Path, write, walks=()) -> None:
        self._write = write
        super().__init__(folder, walks, acks=False)

    def _listen(self) -> None:
        self._write(self.node.take_output())
