"""`trottoir run`: the gateway, with a live table above which the log scrolls when somebody watches at a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
from rich.console import Console
from rich.live import Live

from gateway import config, logs, service
from gateway.errors import EXIT_INTERRUPTED, EXIT_OK, ConfigError, StoreError
from gateway.timekeeping import SynchronisedClock, run_of_machine, steady_ms, utc_ms
from gateway.version import VERSION
from gateway.watch import Watch
from gateway.words import Say
from tools.live_table import table_of
from tools.terminal import shared

EVERY_S = 1.0


def run_gateway(path: Path | None) -> int:
    """Until SIGTERM (0) or Ctrl-C (130)."""
    settings = config.load(path)
    if settings.uplink.enabled:
        settings.check_secrets()  # before anything is made on the disk
    try:
        return EXIT_INTERRUPTED if asyncio.run(_serve(settings)) else EXIT_OK
    except OSError as error:  # the folder of the store cannot be made
        raise ConfigError([Say("config.state-dir", {"file": error.filename, "found": error})]) from error


async def _serve(settings: config.Config) -> bool:
    console = Console(stderr=True, highlight=False)
    is_watched = console.is_terminal and settings.gateway.log == "text" and not shared.json
    with _live(console) if is_watched else contextlib.nullcontext() as live:
        # With a table on the screen, stderr is the table's: what is logged appears above it.
        logs.set_up("json" if shared.json else settings.gateway.log, shared.verbose, sys.stdout if shared.json else sys.stderr)
        clock = SynchronisedClock() if settings.gateway.clock == "ntp" else utc_ms
        gateway = service.Service(settings, clock, steady=steady_ms, machine=run_of_machine())
        gateway.stop_on_signals()
        drawing = asyncio.create_task(_draw(live, settings, gateway)) if live else None
        if drawing is not None:
            drawing.add_done_callback(_say_if_failed)
        try:
            await gateway.run()
        finally:
            if drawing is not None:
                drawing.cancel()
        return gateway.interrupted


def _say_if_failed(drawing: asyncio.Task[None]) -> None:
    if not drawing.cancelled() and drawing.exception() is not None:  # the gateway goes on without its table
        structlog.get_logger("gateway").error("table not drawn", problem=repr(drawing.exception()))


@contextlib.contextmanager
def _live(console: Console) -> Iterator[Live]:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield live


async def _draw(live: Live, settings: config.Config, gateway: service.Service) -> None:
    watch = await asyncio.to_thread(Watch, settings, VERSION)
    try:
        while True:
            with contextlib.suppress(StoreError, OSError):  # the gateway itself says so in the log
                await asyncio.to_thread(watch.read, gateway.now().now_s)
                view = await asyncio.to_thread(watch.view, gateway.now())
                live.update(table_of(view, gateway.page_url), refresh=True)
            await asyncio.sleep(EVERY_S)
    finally:
        watch.close()
