"""`trottoir demo` on a terminal: wishes -> plan, what can be watched while it runs, the books at the end."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_ENVIRONMENT, EXIT_OK, TrottoirError
from gateway.words import Say
from tools.terminal import UsageError, decimal, parse_duration, percent, say, shared, show, t

if TYPE_CHECKING:
    from tools.street.demo import Plan

_OUTAGE = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
OUTAGE_MS = 40 * 60_000
SHORTEST_S, LONGEST_S = 600, 7 * 86_400
FEW_PEOPLE = 1000
PAGE_PORT = 8377


class DemoError(TrottoirError):
    """The demo cannot run on this machine."""

    exit_code = EXIT_ENVIRONMENT


@dataclass(frozen=True)
class Wishes:
    """The options of the command. `stay` None: as a terminal would have it."""

    seed: int = 7
    nodes: int = 6
    outage: str | None = None
    duration: str = "6h"
    port: int | None = None
    stay: bool | None = None
    pace: float = 0
    interpreter: str = "auto"


def run_demo(wishes: Wishes) -> int:
    if os.name != "posix":
        raise DemoError("demo-system")
    from tools.demo_screen import Screen
    from tools.street import demo
    from tools.street.gateway_process import GatewayDied
    from tools.street.node import NodeDied
    from tools.street.server_process import ServerFailed

    plan = make_plan(wishes)
    for number in _ENDINGS:
        signal.signal(number, _end)
    screen = Screen(plan)
    is_moved = wishes.port is None and plan.port != PAGE_PORT
    screen.note(t("demo.page-moved", port=PAGE_PORT, page=plan.page_url) if is_moved else t("demo.page", page=plan.page_url))

    def done(result: dict[str, Any], where: str) -> None:
        screen.close()
        show(result, summary(result))
        if plan.stays:
            _wait_for_interrupt(plan.page_url, where)

    try:
        result = demo.run(plan, screen, done)
    except (GatewayDied, NodeDied, ServerFailed) as error:
        raise DemoError("demo-failed", found=error) from error
    except OSError as error:
        raise DemoError("demo-file", file=error.filename or "trottoir demo", found=error) from error
    finally:
        screen.close()
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


_ENDINGS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


def _end(*_: object) -> None:
    # Everything that was started is stopped; who asks twice does not keep that from happening.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def make_plan(wishes: Wishes) -> Plan:
    """UsageError for values that make no street, DemoError where the page's port is taken."""
    from tools.street.demo import Plan

    seconds = int(parse_duration(wishes.duration).total_seconds())
    _expect("--duration", wishes.duration, SHORTEST_S <= seconds <= LONGEST_S, Say("demo.range-duration"))
    _expect("--nodes", wishes.nodes, 1 <= wishes.nodes <= 8, Say("demo.range-nodes"))
    _expect("--port", wishes.port, wishes.port is None or 1 <= wishes.port <= 65_535, Say("demo.range-port"))
    _expect("--pace", f"{wishes.pace:g}", 0 <= wishes.pace < float("inf"), Say("demo.range-pace"))
    known = wishes.interpreter in ("auto", "micropython", "cpython")
    _expect("--interpreter", wishes.interpreter, known, Say("demo.range-interpreter"))
    start_s = 0 if seconds > 12 * 3600 else 10 * 3600
    if wishes.outage is None:
        begin = seconds * 1000 * 2 // 5
        away = (begin, begin + min(OUTAGE_MS, seconds * 1000 // 4))
    else:
        away = _outage(wishes.outage, start_s, seconds)
    stays = sys.stdout.isatty() and not shared.json if wishes.stay is None else wishes.stay
    port = _page_port(wishes.port)
    return Plan(wishes.seed, wishes.nodes, start_s, seconds * 1000, away, wishes.interpreter, port, wishes.pace, stays)


def _expect(option: str, found: object, is_good: bool, expected: Say) -> None:
    if not is_good:
        raise UsageError("usage", option=option, found=found, expected=expected)


def _outage(text: str, start_s: int, seconds: int) -> tuple[int, int]:
    found = _OUTAGE.match(text)
    if not found:
        raise UsageError("usage", option="--outage", found=repr(text), expected=Say("demo.range-outage-form"))
    first, last = (int(found[k]) * 3600 + int(found[k + 1]) * 60 - start_s for k in (1, 3))
    begin, end = clock(start_s), clock(start_s + min(seconds, 86_400 - start_s))
    _expect("--outage", text, 0 <= first < last <= seconds, Say("demo.range-outage", {"begin": begin, "end": end}))
    return first * 1000, last * 1000


def _page_port(wanted: int | None) -> int:
    for port in (wanted or PAGE_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as probe:
                return probe.getsockname()[1]
        except OSError as error:
            if wanted is not None:
                raise DemoError("demo-port", port=wanted, found=error) from error
    raise DemoError("demo-port", port=0, found="")


def clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"


def _wait_for_interrupt(page: str, points: str) -> None:
    say(t("demo.stays", page=page, points=points))
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")


def summary(result: dict[str, Any]) -> str:
    """The books in words."""
    true, counted, stored = (result[name] for name in ("truth", "counted", "stored"))
    people = sum(true.values())
    about = {name: result[name] for name in ("interpreter", "server", "seed")}
    minutes = round(result["simulated_s"] / 60)
    length = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    lines = [
        t("demo.summary-run", length=length, wall_s=decimal(result["wall_s"], 1), **about),
        t("demo.summary-passed", people=people, **true),
        t("demo.summary-counted", people=sum(counted.values()), **counted),
        *_by_kind(result),
        t("demo.summary-stored", people=sum(stored.values()), **stored),
        t(
            "demo.summary-books", lost=result["lost"], twice=result["duplicated"], flagged=result["flagged"],
            minutes=result["outage_s"] // 60,
        ),
        t("demo.summary-points", points=result["points"], rolling=result["rolling"], dead=result["dead_letters"]),
    ]  # fmt: skip
    if result["server"] == "file":
        lines.append(t("demo.summary-file"))
    lines += [t("demo.summary-complaint", complaint=complaint) for complaint in result["complaints"]]
    if result["closed"] and not result["ok"] and people < FEW_PEOPLE:
        lines.append(t("demo.summary-short", people=people))
    lines.append(t("demo.summary-closed" if result["closed"] else "demo.summary-open"))
    return "\n".join(lines)


def _by_kind(result: dict[str, Any]) -> list[str]:
    """What each kind of part counted, its error and what is allowed."""
    lines = []
    for kind in result["kinds"].values():
        found = {sensor: {name: sum(of.values()) for name, of in result["by_sensor"][sensor].items()} for sensor in kind["sensors"]}
        words = [t("demo.summary-sensor", sensor=sensor, people=of["truth"], counted=of["counted"]) for sensor, of in found.items()]
        floor = kind["error_floor"]
        allowed = t("demo.allowed-any") if floor is None else t("demo.allowed", floor=percent(floor))
        lines.append(t("demo.summary-kind", sensors=", ".join(words), error=percent(kind["error"], 1, "+"), allowed=allowed))
    return lines
