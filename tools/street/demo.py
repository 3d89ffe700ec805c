"""The demo: a simulated street through the real path, with everything that can go wrong, and the books at the end.

Real here: the firmware in MicroPython on ptys, its flash log, the wire, aioserial, the gateway as a process that is killed, its
SQLite store, HTTP, and influxd where it is installed. Simulated: people, what reaches the sensors of
them, weather, the board's pins, and the clock.
"""

from __future__ import annotations

import json
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
from tools.board import compiled, image, pins_of
from tools.street import books
from tools.street.cable import Cable
from tools.street.day_curve import site_name
from tools.street.gateway_process import GatewayProcess
from tools.street.node import NodeProcess, is_real
from tools.street.plan import MINUTE_MS, Plan
from tools.street.posts import make_post
from tools.street.server import InfluxServer, Server, choose_server
from tools.street.world import Post, World

DAY_MS = int(datetime(2026, 5, 12, tzinfo=UTC).timestamp() * 1000)  # a Tuesday
LAST_BATCH_MS = 20_000
PACE_STEP_S = 0.1  # so often a street that keeps a pace waits for real time
SETTLE_MS = 30 * MINUTE_MS  # what the path may take at most after the last passer-by

Done = Callable[[dict[str, object], str], None]  # the result, where the points are


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
        self.posts: list[Post] = []
        self.world = World([])
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
            self.posts.append(make_post(self.plan, index, self.folder, self.folder / "state"))
        for index, post in enumerate(self.posts):
            if post.from_ms:
                self._put_up_later(index)
            else:
                self._put_up(index)
        self._config.write_text(self._toml(), encoding="utf-8")
        self.start_gateway()
        self._schedule_faults()

    def _put_up(self, index: int) -> None:
        """Switches a node on."""
        post = self.posts[index]
        firmware = image(post.kit.name, self.folder / f"image{index}")
        if is_real(self.plan.interpreter):
            compiled(firmware)
        post.node = NodeProcess(post.identity, self.world.now_ms, self.plan.interpreter, firmware)
        self.world.posts.append(post)

    def _put_up_later(self, index: int) -> None:
        post = self.posts[index]
        if isinstance(post.link, Cable):
            post.link.pull_out()

        def happen() -> None:
            what = "node-put-up" if post.kit.has_cable else "node-on-air"
            about = {"site": site_name(index), "sensor": post.kit.sensor}
            self.onlooker.tell(self.world.now_ms, Say(f"demo.{what}", about))
            self._put_up(index)
            if isinstance(post.link, Cable):
                post.link.plug_in()

        self.world.at(post.from_ms, happen)

    def _toml(self) -> str:
        # JSON's strings are strings of TOML too, whatever a folder is called.
        ports = json.dumps([cable.link.removeprefix("serial:") for cable in self._cables()])
        text = f'[gateway]\nid = "demo"\nstate_dir = {json.dumps(str(self.folder / "state"))}\nlog = "json"\ntimezone = "UTC"\n'
        text += "keep_received_days = 40\n"
        text += f'page = "127.0.0.1:{self.plan.port}"\n' if self.plan.port else 'page = "off"\n'
        text += f"[serial]\nports = {ports}\n[uplink]\n{self.server.toml()}"
        if len(self._cables()) < len(self.posts):
            text += '[ble]\nenabled = true\nscan = "passive"\n'
        for index, post in enumerate(self.posts):
            name = node_name(post.identity.node)
            text += f'[sites.{self.site(index)}]\nname = "{site_name(index)}"\n[nodes.{name}]\nsite = "{self.site(index)}"\n'
        return text

    @staticmethod
    def site(index: int) -> str:
        return f"street-{index}"

    # -- faults

    def start_gateway(self) -> None:
        log, now_ms = self.folder / "gateway.log", self.world.now_ms
        self.world.start_gateway(GatewayProcess(self._config, log, self._cables(), self.start_ms, now_ms, self.plan.seed))

    def _cables(self) -> list[Cable]:
        return [post.link for post in self.posts if isinstance(post.link, Cable)]

    def _kill_gateway(self) -> None:
        assert self.world.gateway is not None
        self.world.gateway.kill()
        self.world.end_gateway()

    def _schedule_faults(self) -> None:
        when = self.plan.calendar()
        there = [index for index, post in enumerate(self.posts) if not post.from_ms]  # all the time
        cables = [post.link for post in self.posts if isinstance(post.link, Cable) and not post.from_ms]
        first, last = cables[0], cables[-1]
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
            prefix = f"climate,site={self.site(there[-1])},".encode()
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
        if len(self._cables()) < len(self.posts):
            self._restart_gateway()
        end_s = (self.start_ms + duration) // 1000
        while not books.is_settled(self.folder / "state", self.posts, end_s):
            if self.world.now_ms > duration + SETTLE_MS:
                return  # the books will say what is missing
            self.world.run_until(self.world.now_ms + MINUTE_MS)
        self.world.run_until(self.world.now_ms + LAST_BATCH_MS)  # what the last minute has queued goes out too

    def _restart_gateway(self) -> None:
        """A gateway speaks to nodes without a cable once an hour, and soon after its start: so nobody waits for the hour to end."""
        self.stop_gateway()
        self.start_gateway()

    def standing(self) -> Standing:
        reader = Reader(self.folder / "state" / "store.db")
        accepted = {series.node: counted.ab + counted.ba for series, counted in reader.since(0).items()}
        waiting = reader.outbox().waiting
        reader.close()
        rows = []
        for index, post in enumerate(self.posts):
            name = node_name(post.identity.node)
            passed = bisect_right([crossing.t_ms for crossing in post.crossings], self.world.now_ms)
            counted = max(sum(post.link.witness.counted()), sum(post.link.witness.live))
            rows.append(NodeStanding(site_name(index), name, passed, counted, accepted.get(name, 0)))
        return Standing(rows, waiting)

    def stop_gateway(self) -> None:
        if self.world.gateway is not None:
            self.world.gateway.stop()
            self.world.end_gateway()

    def close(self) -> None:
        if self.world.gateway is not None:
            self.world.gateway.kill()
        for post in self.world.posts:
            post.node.power_cut()
        for cable in self._cables():
            cable.close()
        if self._server is not None:
            self._server.close()


def _garble(cable: Cable, on: bool) -> None:
    cable.is_garbling = on


def _heard_of(post: Post) -> set[str]:
    """The parts of this node that had something to say."""
    parts, witness = pins_of(post.kit.name)["parts"], post.link.witness
    is_heard = {"counter": any(witness.live), "climate": witness.has_climate, "probe": witness.has_probe}
    return {part for role, part in parts.items() if is_heard[role]}


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
        street.run()
        if not plan.stays:
            street.stop_gateway()
        result = books.close(street.posts, folder / "state", street.server, street.start_ms, plan.duration_ms)
        result |= {
            "server": street.server.name,
            "outage_s": (plan.outage_ms[1] - plan.outage_ms[0]) // 1000,
            "interpreter": "/".join(sorted({post.node.interpreter for post in street.posts})),
            "parts": sorted({part for post in street.posts for part in _heard_of(post)}),
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
