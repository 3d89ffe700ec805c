"""`trottoir demo` on a terminal: options -> plan, progress while it runs, the books at the end."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

from gateway.errors import EXIT_CHECK_FAILED, EXIT_ENVIRONMENT, EXIT_OK, TrottoirError
from tools.terminal import UsageError, parse_duration, say, show

if TYPE_CHECKING:
    from pathlib import Path

    from tools.street.demo import Plan

_OUTAGE = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
OUTAGE_MS = 40 * 60_000
SHORTEST_S, LONGEST_S = 600, 7 * 86_400
FEW_PEOPLE = 1000


class DemoError(TrottoirError):
    """The demo cannot run on this machine."""

    exit_code = EXIT_ENVIRONMENT


def run_demo(seed: int, nodes: int, outage: str | None, duration: str, stay: bool, interpreter: str) -> int:
    if os.name != "posix":
        raise DemoError("demo-system")
    from tools.street import demo
    from tools.street.gateway_process import GatewayDied
    from tools.street.node import NodeDied
    from tools.street.server_process import ServerFailed

    plan = make_plan(seed, nodes, outage, duration, interpreter)
    screen = Screen(plan)
    for number in (signal.SIGTERM, signal.SIGHUP):  # like Ctrl-C: everything that was started is stopped
        signal.signal(number, signal.default_int_handler)

    def done(result: dict[str, object], where: str) -> None:
        screen.close()
        show(result, summary(result))
        if stay:
            _wait_for_interrupt(where)

    try:
        result = demo.run(plan, screen.tell, screen.progress, screen.keep, done)
    except (GatewayDied, NodeDied, ServerFailed) as error:
        raise DemoError("demo-failed", found=error) from error
    except OSError as error:
        raise DemoError("demo-file", file=error.filename, found=error) from error
    finally:
        screen.close()
    return EXIT_OK if result["ok"] else EXIT_CHECK_FAILED


def make_plan(seed: int, nodes: int, outage: str | None, duration: str, interpreter: str) -> Plan:
    """UsageError for values that make no street."""
    from tools.street.demo import Plan

    seconds = int(parse_duration(duration).total_seconds())
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UsageError("usage", option="--duration", found=duration, expected="10m to 7d")
    if not 1 <= nodes <= 8:
        raise UsageError("usage", option="--nodes", found=nodes, expected="1 to 8")
    if interpreter not in ("auto", "micropython", "cpython"):
        raise UsageError("usage", option="--interpreter", found=interpreter, expected="auto, micropython or cpython")
    start_s = 0 if seconds > 12 * 3600 else 10 * 3600
    if outage is None:
        begin = seconds * 1000 * 2 // 5
        away = (begin, begin + min(OUTAGE_MS, seconds * 1000 // 4))
    else:
        away = _outage(outage, start_s, seconds)
    return Plan(seed, nodes, start_s, seconds * 1000, away, interpreter)


def _outage(text: str, start_s: int, seconds: int) -> tuple[int, int]:
    found = _OUTAGE.match(text)
    if not found:
        raise UsageError("usage", option="--outage", found=repr(text), expected="HH:MM-HH:MM")
    first, last = (int(found[k]) * 3600 + int(found[k + 1]) * 60 - start_s for k in (1, 3))
    if not 0 <= first < last <= seconds:
        begin, end = _clock(start_s), _clock(start_s + min(seconds, 86_400 - start_s))
        raise UsageError("usage", option="--outage", found=text, expected=f"a stretch inside the street's {begin} to {end}")
    return first * 1000, last * 1000


class Screen:
    """What a person sees while the street runs, on stderr: a progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, plan: Plan) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._start_s = plan.start_s
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(),
            console=self._console, disable=not self._console.is_terminal, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(self._label(0), total=plan.duration_ms)
        self._bar.start()

    def tell(self, at_ms: int, what: str) -> None:
        self._console.print(f"{self._label(at_ms)}  {what}", markup=False)

    def progress(self, now_ms: int, end_ms: int) -> None:
        self._bar.update(self._task, completed=now_ms, description=self._label(now_ms))

    def keep(self, folder: Path) -> None:
        self._console.print(f"logs and store are kept in {folder}", markup=False)

    def close(self) -> None:
        self._bar.stop()

    def _label(self, at_ms: int) -> str:
        return _clock(self._start_s + at_ms // 1000)


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"


def _wait_for_interrupt(where: str) -> None:
    say(f"The points stay here until Ctrl-C: {where}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")


def summary(result: dict[str, Any]) -> str:
    """The books in words."""
    true, counted, stored = (result[name] for name in ("truth", "counted", "stored"))
    people = sum(true.values())
    hours = result["simulated_s"] / 3600
    lines = [
        f"{hours:g} h of street in {result['wall_s']} s: {result['interpreter']} nodes, {result['server']}, seed {result['seed']}",
        f"  passed   {people:>7}   A to B {true['ab']:>6}   B to A {true['ba']:>6}",
        f"  counted  {sum(counted.values()):>7}   A to B {counted['ab']:>6}   B to A {counted['ba']:>6}"
        f"   {result['error']:+.1%}, allowed {result['error_floor']:.0%}",
        f"  stored   {sum(stored.values()):>7}   A to B {stored['ab']:>6}   B to A {stored['ba']:>6}",
        f"  lost {result['lost']}, twice {result['duplicated']}, flagged {result['flagged']}"
        f" of what was counted; server away for {result['outage_s'] // 60} min",
        f"  {result['points']} points sent, {result['dead_letters']} refused by the server and kept aside",
    ]
    if result["server"] == "file":
        lines.append("  the points went into files; sudo apt install influxdb makes it a real database")
    lines += [f"  not good: {complaint}" for complaint in result["complaints"]]
    if abs(result["error"]) > result["error_floor"] and people < FEW_PEOPLE:
        lines.append(f"  with {people} people chance moves the sensor's error by some percent; a longer street shows it better")
    lines.append("  The books are closed." if result["closed"] else "  The books do not close.")
    return "\n".join(lines)


