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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.model import node_name
from gateway.window import COMPILED
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
SETTLE_MS = 30 * MINUTE_MS  # what the path may take at most after the last passer-by
PAVEMENT = walkers.Pavement()

Tell = Callable[[int, str], None]  # street time in ms, what happens
Progress = Callable[[int, int], None]  # street time and duration in ms
Done = Callable[[dict[str, object], str], None]


@dataclass(frozen=True)
class Plan:
    """What to run. `start_s` is the second of the day; the outage is in street time."""

    seed: int = 7
    nodes: int = 2
    start_s: int = 10 * 3600
    duration_ms: int = 6 * 3600 * 1000
    outage_ms: tuple[int, int] = (0, 0)
    interpreter: str = "auto"

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


class Street:
    """Everything that runs. Call `start`, and `close` whatever happens, also when `start` failed half-way."""

    def __init__(self, plan: Plan, folder: Path, tell: Tell) -> None:
        self.plan = plan
        self.folder = folder
        self.tell = tell
        self.start_ms = DAY_MS + plan.start_s * 1000
        self.crossings: list[walkers.Crossing] = []
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
        self.crossings += walkers.crossings(people)
        phase_ms = rng.randrange(100)
        identity = Identity(f"24dcc351a{index:03x}", self.folder / f"flash{index}.bin", phase_ms, seed=rng.getrandbits(32))
        node = NodeProcess(identity, 0, plan.interpreter)
        cable = Cable(self.folder / f"ttyNODE{index}", node.hear, random.Random(f"{plan.seed}/cable/{index}"))
        frames = radar.frames(rng, people, plan.duration_ms, phase_ms)
        return Post(node, cable, frames, Weather(random.Random(f"{plan.seed}/weather"), plan.start_s))

    def _toml(self) -> str:
        # JSON's strings are strings of TOML too, whatever a folder is called.
        ports = json.dumps([post.cable.link.removeprefix("serial:") for post in self.posts])
        text = f'[gateway]\nid = "demo"\nstate_dir = {json.dumps(str(self.folder / "state"))}\nlog = "json"\n'
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
        self._say_and_do(when["garble"][0], "a bad cable garbles one byte in fifty", lambda: _garble(first, True))
        self._say_and_do(when["garble"][1], "the cable is good again", lambda: _garble(first, False))
        self._say_and_do(when["unplug"][0], "a node is unplugged from the gateway", last.pull_out)
        self._say_and_do(when["unplug"][1], "it is plugged in again", last.plug_in)
        if when["outage"][1] > when["outage"][0]:
            self._say_and_do(when["outage"][0], "the server goes away", self.server.go_away)
            self._say_and_do(when["outage"][1], "the server is back", self.server.come_back)
        self._say_and_do(when["kill"][0], "the gateway is killed", self._kill_gateway)
        self._say_and_do(when["kill"][1], "the gateway starts again", self.start_gateway)
        server = self.server
        if isinstance(server, InfluxServer):  # files refuse nothing
            prefix = f"climate,site={self.site(len(self.posts) - 1)},".encode()
            refuse = partial(server.refuse_one, lambda line: line.startswith(prefix))
            self._say_and_do(when["refuse"][0], "the server refuses one line of a batch", refuse)

    def _say_and_do(self, at_ms: int, what: str, action: Callable[[], None]) -> None:
        def happen() -> None:
            self.tell(self.world.now_ms, what)
            action()

        self.world.at(at_ms, happen)

    # -- the run

    def run(self, progress: Progress) -> None:
        duration = self.plan.duration_ms
        while self.world.now_ms < duration:
            progress(self.world.now_ms, duration)
            self.world.run_until(min(duration, self.world.now_ms + MINUTE_MS))
        progress(duration, duration)
        end_s = (self.start_ms + duration) // 1000
        while not books.is_settled(self.folder / "state", self.posts, end_s):
            if self.world.now_ms > duration + SETTLE_MS:
                return  # the books will say what is missing
            self.world.run_until(self.world.now_ms + MINUTE_MS)

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


def run(plan: Plan, tell: Tell, progress: Progress, keep: Callable[[Path], None], done: Done | None = None) -> dict[str, object]:
    """Runs the plan and closes the books; the result is what `demo --json` prints.

    `done` gets the result and where the points are, while the server is still up. The folder with logs and store is removed when
    all is well or the run was interrupted; `keep` is told of it otherwise.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="trottoir-demo-"))
    street = Street(plan, folder, tell)
    is_worth_keeping = True
    try:
        street.start()
        interpreters = {post.node.interpreter for post in street.posts}
        street.run(progress)
        street.stop_gateway()
        result = books.close(street.posts, street.crossings, folder / "state", street.server, street.start_ms, plan.duration_ms)
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
            keep(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
