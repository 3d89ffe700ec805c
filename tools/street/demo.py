"""The demo: a simulated street through the real path, with everything that can go wrong, and the books at the end.

Real here: the firmware in MicroPython on ptys, its flash log, the wire, aioserial, the gateway as a process that is killed, its
SQLite store, HTTP, and influxd where it is installed. Simulated: people, radar waves, weather, the board's pins, and the clock.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.model import node_name
from gateway.reading import Reader
from gateway.window import COMPILED
from gateway.words import Say
from tools.street import books, radar, walkers
from tools.street.cable import Cable
from tools.street.climate import Weather
from tools.street.day_curve import site_curve
from tools.street.gateway_process import GatewayProcess
from tools.street.node import Identity, NodeProcess
from tools.street.server import InfluxServer, Server, choose_server
from tools.street.world import Post, World

DAY_MS = int(datetime(2026, 5, 12, tzinfo=UTC).timestamp() * 1000)  # a Tuesday
MINUTE_MS = 60_000
LAST_BATCH_MS = 20_000
PACE_STEP_S = 0.1  # so often a street that keeps a pace waits for real time
SETTLE_MS = 30 * MINUTE_MS  # what the path may take at most after the last passer-by
PAVEMENT = walkers.Pavement()

Done = Callable[[dict[str, object], str], None]  # the result, where the points are


@dataclass(frozen=True)
class Plan:
    """What to run. `start_s` is the second of the day; the outage is in street time. What cannot change the result: the
    page's port (0: no page), `pace` in street seconds per real second (0: as fast as it goes), and whether page and server
    stay until `done` returns."""

    seed: int = 7
    nodes: int = 2
    start_s: int = 10 * 3600
    duration_ms: int = 6 * 3600 * 1000
    outage_ms: tuple[int, int] = (0, 0)
    interpreter: str = "auto"
    port: int = 0
    pace: float = 0
    stays: bool = False

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def calendar(self) -> dict[str, tuple[int, int]]:
        """When each fault begins and ends."""
        at = self.duration_ms
        return {
            "garble": (at * 15 // 100, at * 15 // 100 + min(10 * MINUTE_MS, at // 12)),
            "unplug": (at * 28 // 100, at * 28 // 100 + min(12 * MINUTE_MS, at // 10)),
            "outage": self.outage_ms,
            "kill": (at * 70 // 100, at * 70 // 100 + min(2 * MINUTE_MS, at // 20)),
            "refuse": (at * 80 // 100, at * 80 // 100),
        }


@dataclass(frozen=True)
class NodeStanding:
    """People of one node so far: passed in truth, counted by the node, accepted by the gateway."""

    street: str
    node: str
    passed: int
    counted: int
    accepted: int


@dataclass(frozen=True)
class Standing:
    """Where the street stands; `waiting` are points that the server has not taken yet."""

    rows: list[NodeStanding]
    waiting: int


class Onlooker(Protocol):
    """Whoever watches a run: is told of faults, may ask where the street stands, hears of a folder that was kept."""

    def tell(self, at_ms: int, what: Say) -> None: ...
    def progress(self, now_ms: int, look: Callable[[], Standing]) -> None: ...
    def keep(self, folder: Path) -> None: ...


class Street:
    """Everything that runs. Call `start`, and `close` whatever happens, also when `start` failed half-way."""

    def __init__(self, plan: Plan, folder: Path, onlooker: Onlooker) -> None:
        self.plan = plan
        self.folder = folder
        self.onlooker = onlooker
        self.start_ms = DAY_MS + plan.start_s * 1000
        self.crossings: list[list[walkers.Crossing]] = []  # of each node
        self.posts: list[Post] = []
        self.world = World(self.posts)
        self._config = folder / "trottoir.toml"
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        assert self._server is not None, "start() comes first"
        return self._server

    def start(self) -> None:
        self._server = choose_server(self.folder / "server")
        self._server.start()
        for index in range(self.plan.nodes):
            self.posts.append(self._post(index))
        self._config.write_text(self._toml(), encoding="utf-8")
        self.start_gateway()
        self._schedule_faults()

    def _post(self, index: int) -> Post:
        plan = self.plan
        rng = random.Random(f"{plan.seed}/{index}")
        people = walkers.walk_day(rng, site_curve(index)[2], plan.start_s, plan.duration_ms // 1000, PAVEMENT)
        self.crossings.append(walkers.crossings(people))
        phase_ms = rng.randrange(100)
        identity = Identity(f"24dcc351a{index:03x}", self.folder / f"flash{index}.bin", phase_ms, seed=rng.getrandbits(32))
        node = NodeProcess(identity, 0, plan.interpreter)
        cable = Cable(self.folder / f"ttyNODE{index}", node.hear, random.Random(f"{plan.seed}/cable/{index}"))
        frames = radar.frames(rng, people, plan.duration_ms, phase_ms)
        return Post(node, cable, frames, Weather(random.Random(f"{plan.seed}/weather"), plan.start_s))

    def _toml(self) -> str:
        # JSON's strings are strings of TOML too, whatever a folder is called.
        ports = json.dumps([post.cable.link.removeprefix("serial:") for post in self.posts])
        text = f'[gateway]\nid = "demo"\nstate_dir = {json.dumps(str(self.folder / "state"))}\nlog = "json"\ntimezone = "UTC"\n'
        text += "keep_received_days = 40\n"
        text += f'page = "127.0.0.1:{self.plan.port}"\n' if self.plan.port else 'page = "off"\n'
        text += f"[serial]\nports = {ports}\n[uplink]\n{self.server.toml()}"
        for index, post in enumerate(self.posts):
            name = node_name(post.node.identity.node)
            text += f'[sites.{self.site(index)}]\nname = "{site_curve(index)[0]}"\n[nodes.{name}]\nsite = "{self.site(index)}"\n'
        return text

    @staticmethod
    def site(index: int) -> str:
        return f"street-{index}"

    # -- faults

    def start_gateway(self) -> None:
        cables = [post.cable for post in self.posts]
        self.world.gateway = GatewayProcess(
            self._config, self.folder / "gateway.log", cables, self.start_ms, self.world.now_ms, self.plan.seed
        )

    def _kill_gateway(self) -> None:
        assert self.world.gateway is not None
        self.world.gateway.kill()
        self.world.gateway = None

    def _schedule_faults(self) -> None:
        when = self.plan.calendar()
        first, last = self.posts[0].cable, self.posts[-1].cable
        self._say_and_do(when["garble"][0], "cable-bad", lambda: _garble(first, True))
        self._say_and_do(when["garble"][1], "cable-good", lambda: _garble(first, False))
        self._say_and_do(when["unplug"][0], "node-unplugged", last.pull_out)
        self._say_and_do(when["unplug"][1], "node-plugged", last.plug_in)
        if when["outage"][1] > when["outage"][0]:
            self._say_and_do(when["outage"][0], "server-away", self.server.go_away)
            self._say_and_do(when["outage"][1], "server-back", self.server.come_back)
        self._say_and_do(when["kill"][0], "gateway-killed", self._kill_gateway)
        self._say_and_do(when["kill"][1], "gateway-starts", self.start_gateway)
        server = self.server
        if isinstance(server, InfluxServer):  # files refuse nothing
            prefix = f"climate,site={self.site(len(self.posts) - 1)},".encode()
            refuse = partial(server.refuse_one, lambda line: line.startswith(prefix))
            self._say_and_do(when["refuse"][0], "line-refused", refuse)

    def _say_and_do(self, at_ms: int, what: str, action: Callable[[], None]) -> None:
        def happen() -> None:
            self.onlooker.tell(self.world.now_ms, Say(f"demo.{what}"))
            action()

        self.world.at(at_ms, happen)

    # -- the run

    def run(self) -> None:
        duration = self.plan.duration_ms
        step_ms = MINUTE_MS if not self.plan.pace else min(MINUTE_MS, round(self.plan.pace * 1000 * PACE_STEP_S) or 1)
        began = time.monotonic()
        while self.world.now_ms < duration:
            self.onlooker.progress(self.world.now_ms, self.standing)
            self.world.run_until(min(duration, self.world.now_ms + step_ms))
            if self.plan.pace:
                ahead_s = self.world.now_ms / 1000 / self.plan.pace - (time.monotonic() - began)
                time.sleep(max(0.0, ahead_s))
        self.onlooker.progress(duration, self.standing)
        end_s = (self.start_ms + duration) // 1000
        while not books.is_settled(self.folder / "state", self.posts, end_s):
            if self.world.now_ms > duration + SETTLE_MS:
                return  # the books will say what is missing
            self.world.run_until(self.world.now_ms + MINUTE_MS)
        self.world.run_until(self.world.now_ms + LAST_BATCH_MS)  # what the last minute has queued goes out too

    def standing(self) -> Standing:
        reader = Reader(self.folder / "state" / "store.db")
        accepted = {series.node: counted.ab + counted.ba for series, counted in reader.since(0).items()}
        waiting = reader.outbox().waiting
        reader.close()
        rows = []
        for index, post in enumerate(self.posts):
            name = node_name(post.node.identity.node)
            passed = bisect_right([crossing.t_ms for crossing in self.crossings[index]], self.world.now_ms)
            counted = max(sum(post.cable.witness.counted()), sum(post.cable.witness.live))
            rows.append(NodeStanding(site_curve(index)[0], name, passed, counted, accepted.get(name, 0)))
        return Standing(rows, waiting)

    def stop_gateway(self) -> None:
        if self.world.gateway is not None:
            self.world.gateway.stop()
            self.world.gateway = None

    def close(self) -> None:
        if self.world.gateway is not None:
            self.world.gateway.kill()
        for post in self.posts:
            post.node.power_cut()
            post.cable.close()
        if self._server is not None:
            self._server.close()


def _garble(cable: Cable, on: bool) -> None:
    cable.is_garbling = on


def run(plan: Plan, onlooker: Onlooker, done: Done | None = None) -> dict[str, object]:
    """Runs the plan and closes the books; the result is what `demo --json` prints.

    `done` gets the result and where the points are, while the server, and the page of a plan that stays, are still up. The folder
    with logs and store is removed when all is well or the run was interrupted; the onlooker is told of it otherwise.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="trottoir-demo-"))
    street = Street(plan, folder, onlooker)
    is_worth_keeping = True
    try:
        street.start()
        interpreters = {post.node.interpreter for post in street.posts}
        street.run()
        if not plan.stays:
            street.stop_gateway()
        crossings = [crossing for of_node in street.crossings for crossing in of_node]
        result = books.close(street.posts, crossings, folder / "state", street.server, street.start_ms, plan.duration_ms)
        result |= {
            "server": street.server.name,
            "outage_s": (plan.outage_ms[1] - plan.outage_ms[0]) // 1000,
            "interpreter": "/".join(sorted(interpreters)),
            "core": "compiled" if COMPILED else "pure",
            "seed": plan.seed,
            "simulated_s": plan.duration_ms // 1000,
            "wall_s": round(time.monotonic() - began, 1),
        }
        is_worth_keeping = not result["ok"]
        if done is not None:
            done(result, street.server.where)
        return result
    except KeyboardInterrupt:
        is_worth_keeping = False
        raise
    finally:
        street.close()
        if is_worth_keeping:
            onlooker.keep(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
