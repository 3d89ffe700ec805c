"""The `trottoir` command: words from the user -> one function each, one line for what went wrong, an exit code.

Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import json as jsonlib
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, Token

from gateway.errors import (
    EXIT_BUG,
    EXIT_CHECK_FAILED,
    EXIT_ENVIRONMENT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    ConfigError,
    TrottoirError,
)
from gateway.words import Say
from tools.terminal import UsageError, say, shared, show
from tools.uplink_command import uplink_app

VERSION = "0.1.0"

app = App(
    name="trottoir",
    version=VERSION,
    help="Counts passers-by and measures climate with cheap street sensors, and brings every count into InfluxDB exactly once.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main() says it
)
app.meta.suppress_keyboard_interrupt = False
config_app = App(name="config", help="The gateway's configuration.")
app.command(config_app)
app.command(uplink_app)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(help="Configuration file (TOML); optional as a whole.")] = None,
    json: Annotated[bool, Parameter(negative="", help="One JSON document on stdout; messages go to stderr.")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="", help="Say more.")] = False,
) -> int:
    shared.config, shared.json, shared.verbose = config, json, verbose
    result = app(tokens, exit_on_error=False, print_error=False)
    return result if isinstance(result, int) else EXIT_OK


def _whole(kind: type, tokens: Sequence[Token]) -> int:
    """A whole number; the library's own conversion rounds."""
    if not re.fullmatch(r"-?\d{1,18}", tokens[0].value):
        raise ValueError(f"found {tokens[0].value!r}, expected a whole number.")
    return int(tokens[0].value)


@app.command
def demo(
    *,
    seed: Annotated[int, Parameter(help="The same seed gives the same street.", converter=_whole)] = 7,
    nodes: Annotated[int, Parameter(help="How many nodes, 1 to 8.", converter=_whole)] = 2,
    outage: Annotated[str | None, Parameter(help="When the server is away, HH:MM-HH:MM in street time.")] = None,
    duration: Annotated[str, Parameter(help="Street time to simulate, such as 30m, 6h or 24h.")] = "6h",
    stay: Annotated[bool, Parameter(help="Keep the database open afterwards, until Ctrl-C.")] = False,
    interpreter: Annotated[str, Parameter(help="auto, micropython or cpython.")] = "auto",
) -> int:
    """Simulate a street and bring its counts into a real database; ends with counted against true.

    Example: trottoir demo --duration 24h --seed 3
    """
    from tools.demo_command import run_demo

    if shared.config is not None:
        raise UsageError("demo-config", found=shared.config)
    return run_demo(seed, nodes, outage, duration, stay, interpreter)


@app.command
def run() -> int:
    """Run the gateway until it is told to stop.

    Example: trottoir --config /etc/trottoir/trottoir.toml run
    """
    import asyncio
    import time

    from gateway import config, logs
    from gateway.service import Service

    settings = config.load(shared.config)
    if shared.json:  # the log is the result: JSON lines
        logs.set_up("json", shared.verbose, sys.stdout)
    else:
        logs.set_up(settings.gateway.log, shared.verbose)

    async def serve() -> bool:
        service = Service(settings, lambda: time.time_ns() // 1_000_000)
        service.stop_on_signals()
        await service.run()
        return service.interrupted

    try:
        return EXIT_INTERRUPTED if asyncio.run(serve()) else EXIT_OK
    except OSError as error:  # the folder of the store cannot be made
        raise ConfigError([Say("config.state-dir", {"file": error.filename, "found": error})]) from error


@config_app.command
def check() -> int:
    """Check the configuration; all mistakes at once.

    Example: trottoir --config trottoir.toml config check
    """
    from gateway import config

    try:
        settings = config.load(shared.config)
        settings.uplink.read_password()
        settings.uplink.read_token()
    except ConfigError as error:
        show({"ok": False, "problems": error.lines()}, error.line())
        return EXIT_ENVIRONMENT
    show({"ok": True, "problems": []}, f"{shared.config or 'defaults'}: good")
    return EXIT_OK


@config_app.command
def schema() -> int:
    """Print the JSON Schema of the configuration, for editors.

    Example: trottoir config schema > trottoir.schema.json
    """
    from gateway.config import Config

    print(jsonlib.dumps(Config.model_json_schema(), indent=None if shared.json else 2))
    return EXIT_OK


def _bug(error: BaseException) -> str:
    """Writes what a developer needs to a file and names it."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    with NamedTemporaryFile("w", prefix=f"trottoir-bug-{stamp}-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(f"trottoir {VERSION}, Python {sys.version}\n")
        traceback.print_exception(error, file=file)
    return f"This is a bug in trottoir; please report it with the file {file.name}"


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Whatever happens ends in one line and the contract's exit code."""
    try:
        return app.meta(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except TrottoirError as error:
        say(error.line())
        return error.exit_code
    except CycloptsError as error:
        say(f"{str(error).strip()} See trottoir --help.")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_CHECK_FAILED
    except Exception as error:  # the one place where everything ends
        say(_bug(error))
        return EXIT_BUG


if __name__ == "__main__":
    sys.exit(main())
