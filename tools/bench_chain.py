"""From a node's payload to a point on a server: records a second on one machine, against the client library's own ways.

Ours is all of it: payload, session, commit, rendering, uplink, settled; safe from the commit on, whatever happens afterwards. The
peers are `influxdb_client`'s `Point` objects with its batching and its synchronous `WriteApi`, fed with the same payloads and
writing the same fields; they decode and shape, but keep nothing, know no duplicate and add up nothing. The server is influxd 1.x,
which has no `/api/v2/write`: all go through the adapter of the street, in a process of its own; ours also straight, as the gateway
does it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import streetwire
from gateway.config import UplinkConfig
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK
from gateway.intake import BATCH
from gateway.model import PERIOD_S, Q_UNCALIBRATED, GiveTime, Note, Received, Reply, node_name
from gateway.pipeline import Pipeline
from gateway.sending import Sending
from gateway.session import Session
from gateway.store import Store
from gateway.uplink.base import Uplink
from gateway.uplink.file import FileUplink
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tools.bench_city import SENSORS, City, only_errors, site_of
from tools.street import influxd
from tools.street.adapter import Adapter
from tools.terminal import decimal, say, show, t

if TYPE_CHECKING:
    from influxdb_client.client.write.point import Point

ROOT = Path(__file__).resolve().parent.parent
START_S = 1_800_000_000
ORG = "stadt"
SLOW_SHARE = 20  # who waits for an answer to each record gets a twentieth of them
LEAST = {"batching": 0.1, "synchronous": 2.0}  # times as fast as these, or something is wrong
T = TypeVar("T")


def payloads(city: City, records: int) -> list[Received]:
    """Minute by minute, all nodes in turn."""
    return [city.record(number % city.nodes, number // city.nodes) for number in range(records)]


# -- ours


async def through_gateway(folder: Path, uplink: Uplink, city: City, heard: Sequence[Received]) -> None:
    """As in the service: the store in one thread, the uplink in another, until all is on the server."""
    session, store = Session(city.rules), Store(folder / f"{uplink.name}.db")
    with closing(store), ThreadPoolExecutor(1, "store") as thread:  # what the thread has begun ends before the store is closed

        async def in_store(work: Callable[..., T], *arguments: Any) -> T:
            return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)

        sending = Sending(store, Pipeline(), uplink, UplinkConfig(), lambda: int(time.time()), lambda: 0.0, in_store)
        sending.may_publish.set()
        task = asyncio.create_task(sending.run())
        try:
            for batch in [city.hellos(), *(heard[first : first + BATCH] for first in range(0, len(heard), BATCH))]:
                effects = [effect for received in batch for effect in session.hear(received)]
                kept = [effect for effect in effects if not isinstance(effect, (Reply, GiveTime, Note))]
                await in_store(store.commit, kept, START_S)
                sending.wake()
            while await in_store(store.waiting, 1):
                await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            sending.close()


# -- the client library's ways


def through_client(url: str, bucket: str, heard: Sequence[Received], is_batching: bool) -> None:
    """What its documentation says first. Returns when everything has been sent."""
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions

    options = WriteOptions() if is_batching else SYNCHRONOUS
    with InfluxDBClient(url, token=Adapter.writer, org=ORG) as client, client.write_api(write_options=options) as api:
        for received in heard:
            api.write(bucket, record=points(received))


def points(received: Received) -> list[Point]:
    """The same two points as ours, built its way."""
    from influxdb_client.client.write.point import Point
    from influxdb_client.domain.write_precision import WritePrecision

    message = streetwire.decode(received.payload)
    assert isinstance(message, streetwire.RecordMessage)
    record, name = message.record, node_name(message.node)
    at_s = received.received_ms // 1000
    fields = {
        "passages": {
            "count": record.d_ab + record.d_ba, "count_ab": record.d_ab, "count_ba": record.d_ba, "period_s": 60,
            "coverage": record.covered_s / 60, "q": Q_UNCALIBRATED, "rev": 0, "revised_at": at_s, "schema": 1,
            "incarnation": message.incarnation, "seq": record.seq,
        },
        "climate": {
            "temperature_c": record.temperature_centi / 100, "humidity_pct": record.humidity_half / 2, "n": record.n_climate,
            "q": 0, "rev": 0, "revised_at": at_s, "schema": 1,
        },
    }  # fmt: skip
    found = []
    for (measurement, values), sensor in zip(fields.items(), SENSORS.split(","), strict=True):
        point = Point(measurement).tag("site", site_of(name)).tag("node", name).tag("sensor", sensor)
        for key, value in values.items():
            point = point.field(key, value)
        found.append(point.time(record.bin_start, WritePrecision.S))
    return found


# -- the servers


@contextmanager
def adapter_beside(upstream: str) -> Iterator[str]:
    """The adapter in a process of its own, so that its work is nobody's; its URL."""
    command = [sys.executable, "-P", "-m", "tools.street.adapter", upstream]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        yield process.stdout.readline().strip()
        process.stdin.close()


def against_clients(folder: Path, city: City, records: int) -> dict[str, Any]:
    """On a real influxd. `stored` says how many minutes are there in the end."""
    server = influxd.Influxd(folder / "influxd")
    server.start()
    heard = payloads(city, records)
    some = heard[: records // SLOW_SHARE]
    try:
        with adapter_beside(server.url) as url:
            ways: dict[str, tuple[Callable[[str], None], int]] = {
                "ours": (lambda bucket: _run(folder, InfluxV2(url, ORG, bucket, Adapter.writer), city, heard), records),
                "straight": (lambda bucket: _run(folder, InfluxV1(server.url, bucket), city, heard), records),
                "batching": (lambda bucket: through_client(url, bucket, heard, is_batching=True), records),
                "synchronous": (lambda bucket: through_client(url, bucket, some, is_batching=False), len(some)),
            }
            rates: dict[str, float] = {}
            stored: dict[str, bool] = {}
            for name, (send, count) in ways.items():
                server.create_database(name)
                begin = time.perf_counter()
                send(name)
                rates[name] = count / (time.perf_counter() - begin)
                stored[name] = _stored(InfluxV1(server.url, name), city, count) == count
    finally:
        server.stop()
    return {"server": f"influxd {server.version}", "rates": rates, "stored": stored}


def _run(folder: Path, uplink: Uplink, city: City, heard: Sequence[Received]) -> None:
    asyncio.run(through_gateway(folder, uplink, city, heard))


def _stored(reader: Uplink, city: City, records: int) -> int:
    end_s = city.start_s + (records // city.nodes + 1) * PERIOD_S
    with closing(reader):
        return sum(tally.points for tally in reader.tally("passages", ("count",), city.start_s, end_s).values())


def into_files(folder: Path, city: City, records: int) -> dict[str, Any]:
    """Where there is no influxd: ours alone."""
    uplink, heard = FileUplink(folder / "points"), payloads(city, records)
    begin = time.perf_counter()
    _run(folder, uplink, city, heard)
    rate = records / (time.perf_counter() - begin)
    return {"server": "file", "rates": {"ours": rate}, "stored": {"ours": _stored(uplink, city, records) == records}}


def measure(folder: Path, records: int, nodes: int) -> dict[str, Any]:
    city = City(nodes, START_S)
    found = against_clients(folder, city, records) if influxd.find() else into_files(folder, city, records)
    rates = found["rates"]
    ratios = {name: round(rates["ours"] / rate, 2) for name, rate in rates.items() if name != "ours"}
    return {
        "records": records,
        "server": found["server"],
        "records_per_s": {name: round(rate) for name, rate in rates.items()},
        "ratios": ratios,
        "stored": found["stored"],
        "ok": all(found["stored"].values()) and all(ratios.get(name, least) >= least for name, least in LEAST.items()),
    }


def run_bench(records: int, nodes: int) -> int:
    """Exit code 1 where something is missing on the server, or ours is slower than it may be."""
    if influxd.find() is None:
        say(t("bench.chain-files"))
    with tempfile.TemporaryDirectory(prefix="trottoir-bench-") as folder, only_errors():
        result = measure(Path(folder), records, nodes)
    show(result, _text(result))
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def _text(result: dict[str, Any]) -> str:
    lines = [t("bench.chain-run", records=result["records"], server=result["server"])]
    for name, rate in result["records_per_s"].items():
        ratio = decimal(result["ratios"].get(name, 1.0), 2)
        lines.append(t("bench.row", what=t(f"bench.chain-{name}"), rate=decimal(rate), ratio=ratio))
    missing = [name for name, is_whole in result["stored"].items() if not is_whole]
    lines += [t("bench.chain-missing", what=t(f"bench.chain-{name}")) for name in missing]
    return "\n".join(lines)
