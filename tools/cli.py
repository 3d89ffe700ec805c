"""The `trottoir` command: words from the user -> one function each, one line for what went wrong, an exit code.

Heavy modules are imported by the command that needs them. The language is known before anything is parsed, since help and
mistakes are told in it; the texts stand in the message catalogue.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.help import DefaultFormatter

from gateway import words
from gateway.errors import EXIT_BUG, EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, TrottoirError
from gateway.version import VERSION
from tools import bench_commands, flash_commands, machine_commands, node_commands, usage
from tools.arguments import whole
from tools.terminal import UsageError, config_path, say, shared, t

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions


# Annotations are read when a command is parsed or explained: help is looked up then, in the language of that moment.


def demo(
    *,
    seed: Annotated[int, Parameter(help=t("help.demo-seed"), converter=whole)] = 7,
    nodes: Annotated[int, Parameter(help=t("help.demo-nodes"), converter=whole)] = 6,
    outage: Annotated[str | None, Parameter(help=t("help.demo-outage"))] = None,
    duration: Annotated[str, Parameter(help=t("help.demo-duration"))] = "6h",
    port: Annotated[int | None, Parameter(help=t("help.demo-port"), converter=whole)] = None,
    stay: Annotated[bool | None, Parameter(help=t("help.demo-stay"))] = None,
    pace: Annotated[float, Parameter(help=t("help.demo-pace"))] = 0,
    interpreter: Annotated[str, Parameter(help=t("help.demo-interpreter"))] = "auto",
) -> int:
    from tools.demo_command import Wishes, run_demo

    if shared.config is not None:
        raise UsageError("demo-config", found=shared.config)
    return run_demo(Wishes(seed, nodes, outage, duration, port, stay, pace, interpreter))


def run() -> int:
    from tools.run_command import run_gateway

    return run_gateway(config_path())


def doctor(*, fix: Annotated[bool, Parameter(negative="", help=t("help.doctor-fix"))] = False) -> int:
    from tools.doctor_command import run_doctor

    return run_doctor(config_path(), fix)


def config_check() -> int:
    from tools.config_command import check

    return check(config_path())


def config_schema() -> int:
    from tools.config_command import schema

    return schema()


def uplink_check() -> int:
    from gateway import config
    from tools.uplink_command import check

    return check(config.load(config_path()), shared.language)


def uplink_status() -> int:
    from gateway import config
    from tools.uplink_command import status

    return status(config.load(config_path()), shared.language)


def uplink_dead_letters(
    *,
    limit: Annotated[int, Parameter(help=t("help.uplink-limit"), converter=whole)] = 100,
    resend: Annotated[bool, Parameter(negative="", help=t("help.uplink-resend"))] = False,
) -> int:
    from gateway import config
    from tools.uplink_command import dead_letters, resend_dead_letters

    settings = config.load(config_path())
    return resend_dead_letters(settings) if resend else dead_letters(settings, limit, shared.language)


def data_audit() -> int:
    from gateway import config
    from tools.data_command import audit

    return audit(config.load(config_path()))


def data_replay() -> int:
    from gateway import config
    from tools.data_command import replay

    return replay(config.load(config_path()))


def simulate(
    *,
    schedules: Annotated[int, Parameter(help=t("help.simulate-schedules"), converter=whole)] = 100,
    seed: Annotated[int, Parameter(help=t("help.simulate-seed"), converter=whole)] = 1,
    mutant: Annotated[str | None, Parameter(help=t("help.simulate-mutant"))] = None,
    list_mutants: Annotated[bool, Parameter(negative="", help=t("help.simulate-list"))] = False,
) -> int:
    from tools import simulate_command

    if list_mutants:
        return simulate_command.list_mutants()
    return simulate_command.run_simulate(schedules, seed, mutant)


def node_replay(
    trace: Annotated[Path, Parameter(help=t("help.node-trace"))],
    /,
    *,
    sensor: Annotated[Literal["ld2450", "tfluna", "vl53l1x", "pir"], Parameter(help=t("help.node-sensor"))],
    interpreter: Annotated[Literal["micropython", "cpython"], Parameter(help=t("help.node-interpreter"))] = "micropython",
    heap: Annotated[str | None, Parameter(help=t("help.node-heap"))] = None,
    score: Annotated[bool, Parameter(negative="", help=t("help.node-score"))] = False,
) -> int:
    from tools import node_command

    return node_command.replay(trace, sensor, interpreter, heap, score)


def node_update(
    bundle: Annotated[Path, Parameter(help=t("help.update-bundle"))],
    /,
    *,
    port: Annotated[str | None, Parameter(help=t("help.node-port"))] = None,
    node: Annotated[list[str] | None, Parameter(help=t("help.update-node"))] = None,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.dry-run"))] = False,
) -> int:
    from tools import update_command

    if node and port:
        raise UsageError("port-and-node")
    return update_command.update_by_gateway(bundle, node, dry_run) if node else update_command.update(bundle, port, dry_run)


def node_rollback(
    *,
    port: Annotated[str | None, Parameter(help=t("help.node-port"))] = None,
    node: Annotated[list[str] | None, Parameter(help=t("help.update-node"))] = None,
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.dry-run"))] = False,
) -> int:
    from tools import update_command

    if node and port:
        raise UsageError("port-and-node")
    return update_command.rollback_by_gateway(node, dry_run) if node else update_command.rollback(port, dry_run)


def firmware_key(file: Annotated[Path, Parameter(help=t("help.firmware-key-file"))], /) -> int:
    from tools import update_command

    return update_command.key(file)


def firmware_bundle(
    file: Annotated[Path, Parameter(help=t("help.firmware-bundle-file"))],
    /,
    *,
    key: Annotated[Path, Parameter(help=t("help.firmware-bundle-key"))],
    dry_run: Annotated[bool, Parameter(negative="", help=t("help.dry-run"))] = False,
) -> int:
    from tools import update_command

    return update_command.make(file, key, dry_run)


# "noun verb", "noun noun verb" or "verb": its function. Help is the message `help.<noun-verb>`.
COMMANDS = {
    "demo": demo,
    "run": run,
    "doctor": doctor,
    "install": machine_commands.install,
    "backup": machine_commands.backup,
    "restore": machine_commands.restore,
    "config check": config_check,
    "config schema": config_schema,
    "simulate": simulate,
    "bench core": bench_commands.core,
    "bench batch": bench_commands.batch,
    "bench page": bench_commands.page,
    "bench store": bench_commands.store,
    "bench chain": bench_commands.chain,
    "bench soak": bench_commands.soak,
    "bench air": bench_commands.air,
    "uplink check": uplink_check,
    "uplink status": uplink_status,
    "uplink dead-letters": uplink_dead_letters,
    "data audit": data_audit,
    "data replay": data_replay,
    "node list": node_commands.list_,
    "node add": node_commands.add,
    "node rename": node_commands.rename,
    "node retire": node_commands.retire,
    "node replace": node_commands.replace,
    "node test": node_commands.test,
    "node aim": node_commands.aim,
    "node monitor": node_commands.monitor,
    "node replay": node_replay,
    "node update": node_update,
    "node rollback": node_rollback,
    "node flash": flash_commands.flash,
    "node report": flash_commands.report,
    "node label": flash_commands.label,
    "node firmware pin": flash_commands.firmware_pin,
    "node firmware key": firmware_key,
    "node firmware bundle": firmware_bundle,
}


class OurUsage(DefaultFormatter):
    """The library would put its own English word before ours."""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: object) -> None:
        if usage:
            console.print(f"{usage}\n", style="bold", markup=False, highlight=False)

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        # What is required stands in the usage; the library would say so in English.
        optional = panel.copy(entries=[entry.copy(required=False) for entry in panel.entries])
        super().__call__(console, options, optional)


def needs(function: Callable[..., int]) -> list[str]:
    """The words that a command cannot do without, as its usage shows them."""
    parameters = signature(function).parameters.values()
    return [
        f"--{found.name} {found.name.upper()}" if found.kind is found.KEYWORD_ONLY else found.name.upper()
        for found in parameters
        if found.default is found.empty
    ]


def build() -> App:
    """The command tree, explained in the user's language."""
    shape: dict[str, Any] = {
        "group_commands": Group(t("help.commands")),
        "group_parameters": Group(t("help.options")),
        "group_arguments": Group(t("help.arguments")),
        "default_parameter": Parameter(show_default=False, show_choices=False),
        "help_formatter": OurUsage(),
        "result_action": "return_value",
        "suppress_keyboard_interrupt": False,  # main() says it
    }
    app = App(name="trottoir", version=VERSION, help=t("help.trottoir"), usage=t("help.usage-all"), **shape)
    app["--help"].help, app["--version"].help = t("help.help"), t("help.version")
    nouns: dict[str, App] = {}
    for name, function in COMMANDS.items():
        noun, _, verb = name.rpartition(" ")
        words_of_noun = noun.split()
        for depth in range(1, len(words_of_noun) + 1):
            above, within = " ".join(words_of_noun[: depth - 1]), " ".join(words_of_noun[:depth])
            if within not in nouns:
                about_noun = {"help": t(f"help.{within.replace(' ', '-')}-noun"), "usage": t("help.usage-noun", noun=within)}
                nouns[within] = App(name=words_of_noun[depth - 1], **about_noun, **shape)
                nouns.get(above, app).command(nouns[within])
        about = {"help": t(f"help.{name.replace(' ', '-')}"), "usage": t("help.usage", command=" ".join([name, *needs(function)]))}
        nouns.get(noun, app).command(function, name=verb, **about)

    @app.meta.default
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Annotated[Path | None, Parameter(help=t("help.config"))] = None,
        lang: Annotated[Literal["de", "en"] | None, Parameter(help=t("help.lang"))] = None,
        json: Annotated[bool, Parameter(negative="", help=t("help.json"))] = False,
        verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="", help=t("help.verbose"))] = False,
    ) -> int:
        shared.config, shared.json, shared.verbose = config, json, verbose
        result = app(tokens, exit_on_error=False, print_error=False)
        return result if isinstance(result, int) else EXIT_OK

    app.meta.suppress_keyboard_interrupt = False
    return app


def language_of(arguments: list[str]) -> words.Language:
    """What --lang says, before anything is parsed; else the system's."""
    for n, word in enumerate(arguments):
        if word == "--lang" and arguments[n + 1 : n + 2]:
            return words.choose(arguments[n + 1])
        if word.startswith("--lang="):
            return words.choose(word.partition("=")[2])
    system = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return words.choose(system)


def _bug(error: BaseException) -> str:
    """Writes what a developer needs to a file and names it."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    with NamedTemporaryFile("w", prefix=f"trottoir-bug-{stamp}-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(f"trottoir {VERSION}, Python {sys.version}\n")
        traceback.print_exception(error, file=file)
    return t("cli.bug", file=file.name)


def main(arguments: list[str] | None = None) -> int:
    """Whatever happens ends in one line and the contract's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _prepare(arguments)
    try:
        return build().meta(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except BaseException as error:
        return end(error, arguments)


def end(error: BaseException, arguments: list[str]) -> int:
    """Says what ended a command that was called with these words; its exit code. Raises what is no error (SystemExit)."""
    _prepare(arguments)
    match error:
        case TrottoirError():
            say(error.line(shared.language))
            return error.exit_code
        case CycloptsError():
            say(usage.explain(error).line(shared.language))
            return EXIT_USAGE
        case KeyboardInterrupt():
            say(t("cli.stopped"))
            return EXIT_INTERRUPTED
        case BrokenPipeError():
            return EXIT_CHECK_FAILED
        case Exception():  # the one place where everything ends
            say(_bug(error))
            return EXIT_BUG
    raise error


def _prepare(arguments: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):  # an arrow that a terminal does not know ends no command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    shared.language = language_of(arguments)


if __name__ == "__main__":
    sys.exit(main())
