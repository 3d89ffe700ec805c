"""What the live page costs: the same gateway in one run, with nobody looking and with ten viewers, in turns.

A real gateway process on a pty gets a record, acknowledges it after its commit, gets the next; every state that a viewer is sent is
read. Turns alternate, so that whatever else the machine does falls on both alike. Needs Linux (/proc).
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streetwire
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from tools.bench_city import BenchError
from tools.terminal import decimal, percent, show, t

VIEWERS = 10
CPU_FLOOR = 0.05  # of one core, for all viewers together
LATENCY_FLOOR = 1.10  # median with viewers over median without
NODE, INCARNATION = 0x51A000, 1
RECORD_EVERY_S = 0.05  # a city's worth of nodes: twenty records a second
ACK_S = 10.0
ROOT = Path(__file__).resolve().parent.parent
TOML = """
[gateway]
state_dir = "{folder}/state"
log = "json"
page = "127.0.0.1:{port}"
[serial]
ports = ["{folder}/port"]
[sites.street]
[nodes.tr-51a000]
site = "street"
"""


class Gateway:
    """`trottoir run` on a pty, and the node that talks to it."""

    def __init__(self, folder: Path) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        (folder / "port").symlink_to(os.ttyname(slave))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        config = folder / "trottoir.toml"
        config.write_text(TOML.format(folder=folder, port=self.port), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "tools.cli", "--config", str(config), "run"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        self._deframer = streetwire.Deframer()
        self._seq = 0
        self._bin_start = int(time.time()) // 60 * 60 - 30 * 86_400
        try:
            self._introduce()
        except BenchError:
            self.close()
            raise

    def _introduce(self) -> None:
        # What is said before the gateway has opened the port is lost, as on a cable.
        hello = streetwire.Hello(NODE, INCARNATION, 1, 0, 0, 1, 0, "0.1.0", "bench", "radar,sht4x", "bench")
        for _ in range(round(ACK_S / 0.2)):
            self._say(hello)
            if select.select([self._master], [], [], 0.2)[0]:
                return
        raise BenchError("bench-silent")

    def record_s(self) -> float:
        """Sends a record; seconds until its acknowledgement is heard."""
        self._seq += 1
        self._bin_start += 60
        record = streetwire.Record(
            self._seq, 1, self._bin_start, self._seq * 60, 60, 3, 2, self._seq * 3, self._seq * 2, 2150, 96, 6, 0
        )
        began = time.perf_counter()
        self._say(streetwire.RecordMessage(NODE, INCARNATION, self._seq - 1, record))
        while time.perf_counter() - began < ACK_S:
            if not select.select([self._master], [], [], 1.0)[0]:
                continue
            for payload in self._deframer.feed(os.read(self._master, 4096)):
                message = streetwire.decode(payload)
                if isinstance(message, streetwire.Ack) and message.watermark >= self._seq:
                    return time.perf_counter() - began
        raise BenchError("bench-silent")

    def cpu_s(self) -> float:
        """Processor seconds that the threads of the process have used."""
        spent_ns = [int(path.read_text().split()[0]) for path in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")]
        return sum(spent_ns) / 1e9

    def _say(self, message: streetwire.Message) -> None:
        os.write(self._master, streetwire.encode_frame(message.encode()))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._master)


@contextlib.contextmanager
def viewers(port: int, count: int) -> Iterator[list[int]]:
    """So many open event streams, all read; how many states have come stands in the list."""
    states = [0]
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    is_over = threading.Event()

    def read_all() -> None:
        while not is_over.is_set():
            for ready in select.select(sockets, [], [], 0.1)[0]:
                states[0] += ready.recv(1 << 20).count(b"event: state")

    for one in sockets:
        one.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    reading = threading.Thread(target=read_all)
    reading.start()
    try:
        yield states
    finally:
        is_over.set()
        reading.join()
        for one in sockets:
            one.close()


def measure(turns: int, turn_s: float) -> dict[str, Any]:
    """So many turns of each kind. Latencies in ms, the page's processor time as a share of one core."""
    if not Path("/proc/self/schedstat").exists():
        raise BenchError("bench-system")
    with tempfile.TemporaryDirectory(prefix="trottoir-bench-") as folder, contextlib.closing(Gateway(Path(folder))) as gateway:
        latencies: dict[int, list[float]] = {0: [], VIEWERS: []}
        cpu_s = {0: 0.0, VIEWERS: 0.0}
        states = 0
        for turn in range(2 * turns):
            count = VIEWERS if turn % 2 else 0
            with viewers(gateway.port, count) as seen:
                time.sleep(0.5)  # those who come do not count as those who look
                before = gateway.cpu_s()
                end = time.perf_counter() + turn_s
                while time.perf_counter() < end:
                    latencies[count].append(gateway.record_s())
                    time.sleep(RECORD_EVERY_S)
                cpu_s[count] += gateway.cpu_s() - before
                states += seen[0]
    alone, watched = ([1000 * value for value in latencies[count]] for count in (0, VIEWERS))
    ratio = statistics.median(watched) / statistics.median(alone)
    page_cpu = (cpu_s[VIEWERS] - cpu_s[0]) / (turns * turn_s)
    return {
        "viewers": VIEWERS,
        "records": len(alone) + len(watched),
        "states": states,
        "latency_ms": {name: _spread(values) for name, values in (("alone", alone), ("watched", watched))},
        "latency_ratio": round(ratio, 3),
        "page_cpu": round(page_cpu, 4),
        "ok": ratio <= LATENCY_FLOOR and page_cpu <= CPU_FLOOR and states > 0,
    }


def _spread(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "max": round(max(values), 2)}


def run_bench(seconds: int) -> int:
    turns = max(1, seconds // 10)
    result = measure(turns, seconds / turns / 2)
    alone, watched = result["latency_ms"]["alone"], result["latency_ms"]["watched"]
    lines = [
        t(f"bench.latency-{name}", p50=decimal(row["p50"], 1), p95=decimal(row["p95"], 1), viewers=VIEWERS)
        for name, row in (("alone", alone), ("watched", watched))
    ]
    lines.append(t("bench.ratio", ratio=decimal(result["latency_ratio"], 2), floor=decimal(LATENCY_FLOOR, 2)))
    lines.append(t("bench.cpu", share=percent(result["page_cpu"], 1), floor=percent(CPU_FLOOR), viewers=VIEWERS))
    show(result, "\n".join(lines))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED
