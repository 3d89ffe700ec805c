"""Which port a node is on: the one that was named, where the gateway hears it, the only one, or where it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serial.tools import list_ports

from gateway.config import Config
from gateway.errors import DeviceError
from gateway.ownership import is_owned
from tools import page_client
from tools.wired import MEET_S, Wired

LOOK_S = 13.0  # a node says something every ten


@contextmanager
def at_work(
    settings: Config, node: str | None, port: str | None, on_bytes: Callable[[bytes], object] = lambda data: None
) -> Iterator[Wired]:
    """The node of that number, or the one on that port, once it has said who it is. DeviceError where it is not there or where
    somebody has its port open."""
    ports = candidates(settings, node, port)
    if node is None and len(ports) != 1:
        raise DeviceError("node-which", found=", ".join(ports) or "-")
    problem: DeviceError | None = None
    for place in ports:
        try:
            wired = Wired(place, on_bytes=on_bytes)
        except DeviceError as error:
            is_gateways = error.is_busy and is_owned(settings.gateway.state_dir)
            problem = DeviceError("port-gateway", port=place) if is_gateways else error
            continue
        try:
            wired.meet(MEET_S if len(ports) == 1 else LOOK_S)
        except DeviceError as error:
            problem = problem or error
            wired.close()
            continue
        if node is not None and wired.node != node:
            problem = DeviceError("node-other", port=place, found=wired.node, node=node) if len(ports) == 1 else problem
            wired.close()
            continue
        with wired:
            yield wired
        return
    if problem is not None and len(ports) == 1:
        raise problem
    raise DeviceError("node-not-found", node=node, found=", ".join(ports) or "-") from problem


def candidates(settings: Config, node: str | None, port: str | None) -> list[str]:
    """Ports on which it may be, the likeliest first."""
    if port is not None:
        return [port]
    heard = _heard_at(settings, node) if node is not None else None
    if heard is not None:
        return [heard]
    plugged = [found.device for found in list_ports.comports() if found.vid is not None]
    return list(dict.fromkeys([*settings.serial.ports, *plugged]))


def _heard_at(settings: Config, node: str) -> str | None:
    view = page_client.ask(settings)
    links = {found["node"]: found["health"]["link"] for found in view["nodes"]} if view is not None else {}
    link = links.get(node) or ""
    return link.removeprefix("serial:") if link.startswith("serial:") else None
