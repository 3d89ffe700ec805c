"""What is done to a gateway and its server at work, and how long it takes until they are at work again.

`ack_s` ends with the first acknowledgement of a record that its node had not sent when the fault had come, `point_s` with the
first minute on the server that no node had begun by then. Both begin when what was ended is started again, or the fault is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.uplink.base import UplinkError
from gateway.uplink.influx_v1 import InfluxV1
from tools.kill.gateway import Gateway
from tools.kill.nodes import Load
from tools.street.server_process import ServerProcess

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.005
ASK_EVERY_S = 0.025
IN_START_UP = 0.2  # share of a gateway's kills after which it is killed again while it starts
AFTER_A_POINT = 0.1  # share after which it is left alone until points flow
HALF = 0.5
DARK_S = 0.5  # longest time for which a killed server stays away
FROZEN_S = 10.0
FULL_S = 5.0
LATE_S = 1 << 33


class NotStopped(RuntimeError):
    """A node was told that something is kept which cannot have been."""


class NotRecovered(RuntimeError):
    """Nothing new came within PATIENCE_S."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds; None where it was not waited for."""

    ack_s: float | None = None
    point_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs. `reader` asks the server beside the gateway."""

    load: Load
    gateway: Gateway
    server: ServerProcess
    reader: InfluxV1
    chance: random.Random

    def has_point_from(self, start_s: int) -> bool:
        try:
            return bool(self.reader.read("passages", start_s, LATE_S))
        except UplinkError:
            return False


def until(is_so: Callable[[], bool], what: str, every_s: float) -> float:
    """The moment at which it was so, on the monotonic clock."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise NotRecovered(what)
        time.sleep(every_s)
    return time.monotonic()


def kill_gateway(scene: Scene) -> Recovery:
    """Kills it, starts it again, and leaves it alone for a drawn while: a blink, some records, or until points flow."""
    scene.gateway.kill()
    sent, fresh_s = scene.load.marks()
    scene.gateway.start()
    kind = scene.chance.random()
    if kind < IN_START_UP:
        time.sleep(scene.chance.uniform(0.0, 0.6))
        return Recovery()
    ack_s = _first_ack(scene, sent) - scene.gateway.started_s
    point_s = None
    if kind > 1 - AFTER_A_POINT:
        point_s = _first_point(scene, fresh_s) - scene.gateway.started_s
    time.sleep(scene.chance.uniform(0.0, 0.5))
    return Recovery(ack_s, point_s)


def kill_server(scene: Scene) -> Recovery:
    """Kills it, leaves it away for a drawn while, starts it, and waits until points flow."""
    scene.server.kill()
    _, fresh_s = scene.load.marks()
    time.sleep(scene.chance.uniform(0.0, DARK_S))
    scene.server.start()
    back_s = time.monotonic()
    return Recovery(point_s=_first_point(scene, fresh_s) - back_s)


def kill_both(scene: Scene) -> Recovery:
    """As a power cut of the whole machine would; in half of the cases points flow before the next fault."""
    for victim in scene.chance.sample([scene.gateway.kill, scene.server.kill], 2):
        victim()
    sent, fresh_s = scene.load.marks()
    scene.gateway.start()
    scene.server.start()
    back_s = time.monotonic()
    ack_s = _first_ack(scene, sent) - scene.gateway.started_s
    is_awaited = scene.chance.random() < HALF
    return Recovery(ack_s, _first_point(scene, fresh_s) - back_s if is_awaited else None)


def terminate(scene: Scene) -> Recovery:
    """SIGTERM under load: it must end in order and with 0."""
    scene.gateway.terminate()
    sent, _ = scene.load.marks()
    scene.gateway.start()
    recovery = Recovery(_first_ack(scene, sent) - scene.gateway.started_s)
    time.sleep(scene.chance.uniform(0.0, 1.5))
    return recovery


def freeze_server(scene: Scene) -> Recovery:
    """A black hole: connections open, nothing is answered. Counting goes on meanwhile."""
    scene.server.freeze()
    sent, fresh_s = scene.load.marks()
    try:
        _first_ack(scene, sent)
        time.sleep(FROZEN_S)
    finally:
        scene.server.thaw()
    thawed_s = time.monotonic()
    return Recovery(point_s=_first_point(scene, fresh_s) - thawed_s)


def fill_disk(scene: Scene) -> Recovery:
    """The gateway's disk is full: nothing may be acknowledged. Then there is space again, and nobody tells the gateway."""
    scene.gateway.fill_disk()
    time.sleep(FULL_S / 2)
    acked = scene.load.acked()
    time.sleep(FULL_S / 2)
    if scene.load.acked() != acked:
        raise NotStopped("acknowledged while nothing could be written")
    sent, fresh_s = scene.load.marks()
    scene.gateway.free_disk()
    free_s = time.monotonic()
    ack_s = _first_ack(scene, sent) - free_s
    return Recovery(ack_s, _first_point(scene, fresh_s) - free_s)


FAULTS: dict[str, Callable[[Scene], Recovery]] = {
    "gateway": kill_gateway,
    "server": kill_server,
    "both": kill_both,
    "terminate": terminate,
    "freeze": freeze_server,
    "disk-full": fill_disk,
}


def _first_ack(scene: Scene, sent: dict[int, int]) -> float:
    return until(lambda: scene.load.has_acked_beyond(sent), "no new record acknowledged", LOOK_EVERY_S)


def _first_point(scene: Scene, fresh_s: int) -> float:
    return until(lambda: scene.has_point_from(fresh_s), "no new point on the server", ASK_EVERY_S)
