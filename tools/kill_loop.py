"""Kills the gateway, the server and both, again and again under load, and compares what nodes wrote with what the server holds.

    .venv/bin/python -m tools.kill_loop --gateway 500 --server 100 --both 100 [--seed 7] [--json]

Everything is real: `trottoir run` as a process, a database server, ptys, the firmware's log, sender and link, real time. Only
the minutes are of the past, so that a node can close several a second. Needs Linux and influxd. Ends with 0 when every minute
of every node stands on the server exactly once, minutes without anybody included, and no loss was claimed. Where a node started
anew the gateway has to flag that it may have counted what it told nobody: so many such flags are right, and no more.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway.uplink.base import UplinkError
from gateway.uplink.influx_v1 import InfluxV1
from tools.amount import at_least
from tools.kill.books import Balance, compare
from tools.kill.faults import FAULTS, LATE_S, Recovery, Scene, until
from tools.kill.gateway import DATABASE, Gateway
from tools.kill.nodes import Load
from tools.street.influxd import Influxd
from tools.street.victoria import Victoria

NODES = 4
RATE = 50.0  # records a second, of all nodes together
CALM_S = 1.0  # before the first fault and after the last
DELIVERY_S = 120.0
GOAL_S = 0.45  # median recovery after a kill, beyond the interpreter's own start


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each fault happens, in an order drawn from `seed`."""

    faults: Mapping[str, int]
    seed: int = 7
    database: str = "influxd"
    page: str = "off"
    rate: float = RATE
    calm_s: float = CALM_S


@dataclass(slots=True)
class Result:
    """`records` were written by nodes; `flagged` are people that the gateway claims to be lost, `unknown` its flags for what a
    node may have counted before it started anew and told nobody."""

    recoveries: dict[str, list[Recovery]]
    records: int = 0
    minutes: int = 0
    empty_minutes: int = 0
    people: int = 0
    restarts: int = 0
    flagged: int = 0
    unknown: int = 0
    wall_s: float = 0.0
    interpreters_s: list[float] = field(default_factory=list)
    balance: Balance = field(default_factory=lambda: Balance([], []))

    @property
    def is_good(self) -> bool:
        is_flagged_too_much = self.flagged > 0 or self.unknown > self.restarts
        return self.balance.is_equal and not is_flagged_too_much and self.records > 0


def run(plan: Plan) -> Result:
    """Raises NotRecovered, GatewayEnded or ServerFailed where something does not come back at all."""
    began_s = time.monotonic()
    result = Result({name: [] for name, count in plan.faults.items() if count})
    with tempfile.TemporaryDirectory(prefix="trottoir-kills-") as folder, ExitStack() as opened:
        scene = _set_up(Path(folder), plan, opened)
        time.sleep(plan.calm_s)
        for name in _order(plan, scene.chance):
            result.recoveries[name].append(FAULTS[name](scene))
            result.interpreters_s.append(_interpreter_s())
        time.sleep(plan.calm_s)
        scene.load.stop_making()
        _close_books(scene, result)
    result.wall_s = time.monotonic() - began_s
    return result


def _set_up(folder: Path, plan: Plan, opened: ExitStack) -> Scene:
    server = Victoria(folder / "server") if plan.database == "victoria-metrics" else Influxd(folder / "server")
    server.start()
    opened.callback(server.stop)
    if isinstance(server, Influxd):
        server.create_database(DATABASE)
    load = opened.enter_context(Load(folder, NODES, plan.rate, plan.seed))
    gateway = Gateway(folder, [(node.number, node.path) for node in load.nodes], server.url, plan.page)
    opened.callback(gateway.close)
    reader = InfluxV1(server.url, DATABASE)
    opened.callback(reader.close)
    gateway.start()
    until(lambda: load.has_acked_beyond({node.number: 0 for node in load.nodes}), "gateway did not start", 0.01)
    return Scene(load, gateway, server, reader, random.Random(plan.seed))  # noqa: S311  to be repeated, not secret


def _order(plan: Plan, chance: random.Random) -> list[str]:
    names = [name for name, count in plan.faults.items() for _ in range(count)]
    chance.shuffle(names)
    return names


def _close_books(scene: Scene, result: Result) -> None:
    """Waits until the server holds everything, stops the gateway in order, and looks once more."""
    deadline = time.monotonic() + DELIVERY_S
    while time.monotonic() < deadline and not (scene.load.is_delivered and _balance(scene).is_equal):
        time.sleep(0.25)
    scene.gateway.terminate()
    truth = scene.load.truth()
    result.balance = _balance(scene)
    result.records = scene.load.records
    result.minutes = len(truth)
    result.empty_minutes = sum(not any(people) for people in truth.values())
    result.people = sum(map(sum, truth.values()))
    result.restarts = scene.load.restarts
    claims = [int(str(row.fields["people"])) for row in scene.reader.read("losses", 0, LATE_S)]
    result.flagged = sum(people for people in claims if people > 0)
    result.unknown = sum(people < 0 for people in claims)


def _balance(scene: Scene) -> Balance:
    try:
        return compare(scene.load.truth(), scene.reader.read("passages", 0, LATE_S))
    except UplinkError:  # it has just been started
        return compare(scene.load.truth(), [])


def _interpreter_s() -> float:
    """What every Python program costs before its first line, on the machine as busy as it is now."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-P", "-c", "pass"], check=True)
    return time.monotonic() - began_s


def summary(result: Result) -> dict[str, object]:
    """As data. Times in seconds; `beyond_interpreter` is the median recovery after a gateway's kill, the interpreter's start
    taken off, as a share of GOAL_S."""
    acks = [r.ack_s for r in result.recoveries.get("gateway", []) if r.ack_s is not None]
    interpreter_s = statistics.median(result.interpreters_s or [0.0])
    ratio = round((statistics.median(acks) - interpreter_s) / GOAL_S, 2) if acks else None
    return {
        "records": result.records,
        "minutes": result.minutes,
        "empty_minutes": result.empty_minutes,
        "people": result.people,
        "node_restarts": result.restarts,
        "lost": len(result.balance.lost),
        "twice": len(result.balance.twice),
        "flagged": result.flagged,
        "unknown": result.unknown,
        "faults": {name: _spread(recoveries) for name, recoveries in result.recoveries.items()},
        "interpreter_s": round(interpreter_s, 3),
        "beyond_interpreter": ratio,
        "wall_s": round(result.wall_s, 1),
        "ok": result.is_good,
    }


def _spread(recoveries: list[Recovery]) -> dict[str, object]:
    spread: dict[str, object] = {"n": len(recoveries)}
    for name in ("ack_s", "point_s"):
        values = [value for r in recoveries if (value := getattr(r, name)) is not None]
        if values:
            spread[name] = {"n": len(values), "median": round(statistics.median(values), 3), "worst": round(max(values), 3)}
    return spread


def table(found: dict[str, object]) -> str:
    """For people."""
    rows = [f"{'fault':<12}{'times':>6}   {'until a record is acknowledged':<42}until a point is on the server"]
    faults: dict[str, dict[str, object]] = found["faults"]  # type: ignore[assignment]
    for name, spread in faults.items():
        rows.append(f"{name:<12}{spread['n']:>6}   {_times(spread.get('ack_s')):<42}{_times(spread.get('point_s'))}")
    rows += [
        "{records} records in {minutes} minutes ({empty_minutes} of nobody), {people} people, "
        "nodes restarted: {node_restarts}".format_map(found),
        "minutes lost: {lost}, counted twice: {twice}, people claimed lost: {flagged}, "
        "flags without a number: {unknown}".format_map(found),
        "interpreter {interpreter_s} s; median recovery beyond it {beyond_interpreter} of the goal of {goal_s} s; "
        "{wall_s} s in all".format_map({**found, "goal_s": GOAL_S}),
    ]
    return "\n".join(rows)


def _times(spread: object) -> str:
    if not isinstance(spread, dict):
        return "-"
    return "median {median} s, worst {worst} s, of {n}".format_map(spread)


def main(words: list[str] | None = None) -> int:
    """0 when the books are equal, else 1; the minutes at fault are named."""
    parser = argparse.ArgumentParser(prog="kill_loop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in FAULTS:
        about = (FAULTS[name].__doc__ or "").splitlines()[0]
        parser.add_argument(f"--{name}", type=at_least(0), default=0, metavar="TIMES", help=about)
    parser.add_argument("--seed", type=int, default=7, help="of the order and of all that is drawn")
    parser.add_argument("--calm", type=float, default=CALM_S, help="seconds without a fault before and after")
    parser.add_argument("--rate", type=float, default=RATE, help="records a second, of all nodes together")
    parser.add_argument("--database", choices=("influxd", "victoria-metrics"), default="influxd")
    parser.add_argument("--page", default="off", help="address of the gateway's page")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    told = parser.parse_args(words)
    faults = {name: getattr(told, name.replace("-", "_")) for name in FAULTS}
    result = run(Plan(faults, told.seed, told.database, told.page, told.rate, told.calm))
    found = summary(result)
    print(json.dumps(found) if told.json else table(found))
    for what, minutes in (("lost", result.balance.lost), ("twice", result.balance.twice)):
        for node, start_s in minutes[:10]:
            print(f"{what}: node tr-{node:06x}, minute {start_s}", file=sys.stderr)
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
