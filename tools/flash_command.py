"""`trottoir node flash` and what belongs to it: which MicroPython, the report, labels."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gateway.config import ID, Config
from gateway.errors import EXIT_CHECK_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, DeviceError, PermissionDenied
from tools.arguments import expect
from tools.board import kits
from tools.terminal import UsageError, printable, say, shared, show, t

LOOK_EVERY_S = 0.5
_NODE = re.compile(r"tr-[0-9a-f]{6}")


def pin_firmware(settings: Config, file: Path, is_dry: bool) -> int:
    """Names the MicroPython that is flashed from now on."""
    from tools.flashing.interpreter import CHIP
    from tools.flashing.pin import pin

    made = pin(file, settings.gateway.state_dir, is_dry=is_dry)
    result = {
        "file": str(made.path), "sha256": made.sha256, "size": made.size, "chip": CHIP, "version": made.version, "mpy": made.mpy,
        "dry_run": is_dry,
    }  # fmt: skip
    show(result, t("flash.would-pin" if is_dry else "flash.pinned", version=made.version, size=made.size, sha256=made.sha256))
    return EXIT_OK


def flash(
    settings: Config, kit: str, ports: list[str], is_all: bool, jobs: int | None, is_watched: bool, is_dry: bool, is_tested: bool,
    is_anew: bool,
) -> int:  # fmt: skip
    """Boards, in parallel, until all are done, or with `is_watched` until Ctrl-C."""
    expect("--board", kit, kit in kits(), "flash.range-board")
    expect("--jobs", jobs, jobs is None or 1 <= jobs <= 16, "flash.range-jobs")
    from tools.flashing import pin, writing
    from tools.flashing.image import build
    from tools.flashing.one_board import Job

    state_dir = settings.gateway.state_dir
    pinned, interpreter = pin.pinned(state_dir)
    present = _present(ports)
    chosen = present()
    if not is_watched:
        _check_choice(chosen, ports, is_all)
    _check_state_dir(state_dir, settings.keys_dir)
    image = build(kit)
    say(t("flash.begin", kit=kit, version=image.version, micropython=pinned.version, count=len(chosen)))
    # mpremote prints, and nothing of that is for anybody.
    with tempfile.TemporaryDirectory(prefix="trottoir-flash-") as folder, contextlib.redirect_stdout(io.StringIO()):
        parts = writing.Prepared(image, interpreter, Path(folder))
        job = Job(image, interpreter, parts, settings.keys_dir, secrets.token_bytes, is_dry, is_tested, is_anew)
        return _work(job, jobs or len(chosen) or 4, chosen, present if is_watched else None, state_dir)


def flash_for(site: str, settings: Config, kit: str, ports: list[str], is_dry: bool, is_tested: bool, is_anew: bool) -> int:
    """One board for a site: flashed, and listed in the configuration as `node add` does it, with its port."""
    from tools import registry_command
    from tools.flashing import report as reports

    expect("--site", site, bool(re.fullmatch(ID, site)), "expected.key-sites")
    began = len(reports.read(settings.gateway.state_dir))
    code = flash(settings, kit, ports, False, None, False, is_dry, is_tested, is_anew)
    rows = reports.read(settings.gateway.state_dir)[began:]
    if code == EXIT_INTERRUPTED or is_dry or not rows or rows[-1]["result"] == "failed":
        return code
    return registry_command.place(str(rows[-1]["id"]), site, str(rows[-1]["port"])) or code


def _work(job: object, jobs: int, chosen: list[str], present: Callable[[], list[str]] | None, state_dir: Path) -> int:
    from tools.flashing.crew import Crew
    from tools.flashing.one_board import Job
    from tools.flashing.screen import screen

    assert isinstance(job, Job)
    shown = screen()
    crew = Crew(job, jobs, shown.told)
    is_stopped = False
    with shown:
        try:
            for port in chosen:
                crew.start(port)
            while not crew.wait(0.1) or present is not None:
                shown.show(crew.rows)
                if present is not None:
                    crew.look(present())
                    time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            is_stopped = True
        finally:
            crew.stop()
            shown.show(crew.rows)
    return _reported(crew.outcomes, state_dir, job.is_dry, is_stopped)


def _reported(outcomes: list, state_dir: Path, is_dry: bool, is_stopped: bool) -> int:  # type: ignore[type-arg]
    from tools.flashing import report

    if not is_dry and outcomes:
        report.append(state_dir, outcomes)
    good = sum(outcome.is_good for outcome in outcomes)
    say(t("flash.end", good=good, count=len(outcomes), failed=len(outcomes) - good))
    return EXIT_INTERRUPTED if is_stopped else exit_code([outcome.exit_code for outcome in outcomes])


def exit_code(codes: list[int]) -> int:
    """One for the whole run: what all have in common, 1 where only self-tests found something, else that flashing failed."""
    bad = {code for code in codes if code != EXIT_OK}
    if not bad:
        return EXIT_OK
    if len(bad) == 1 and (EXIT_OK not in codes or bad == {EXIT_CHECK_FAILED}):
        return bad.pop()
    return 6


def _present(ports: list[str]) -> Callable[[], list[str]]:
    """Which ports have a board now: those that were named, or all that look like one."""
    from tools.flashing import ports as found

    named = list(dict.fromkeys(found.named(port) for port in ports))
    if named and os.name == "posix":
        return lambda: [port for port in named if Path(port).exists()]
    return lambda: [port.path for port in found.look() if not named or port.path in named or port.device in named]


def _check_choice(chosen: list[str], ports: list[str], is_all: bool) -> None:
    """DeviceError where there is none, UsageError where it is not clear which."""
    from tools.flashing.ports import named

    missing = [port for port in ports if named(port) not in chosen]
    if missing:
        raise DeviceError("port-missing", port=missing[0])
    if not chosen:
        raise DeviceError("flash-no-board")
    if len(chosen) > 1 and not is_all and not ports:
        raise UsageError("flash-which", ports=", ".join(chosen))


def _check_state_dir(state_dir: Path, keys: Path) -> None:
    """Before any board is touched: where keys and the report go can be written."""
    for folder in (state_dir, keys):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionDenied("firmware-denied", folder=folder)


def report(settings: Config, last: int | None, csv_file: Path | None) -> int:
    """What became of boards: a table, CSV or JSON."""
    from tools.flashing import report as reports
    from tools.flashing.interpreter import FirmwareError

    expect("--last", last, last is None or last >= 0, "flash.range-last")
    rows = reports.read(settings.gateway.state_dir, last)
    if csv_file is not None:
        try:
            csv_file.write_text(reports.as_csv(rows), encoding="utf-8", newline="")
        except OSError as error:
            raise FirmwareError("demo-file", file=csv_file, found=error) from error
    if shared.json:
        print(json.dumps(rows, ensure_ascii=False))
    elif csv_file is None:
        print(_table(rows) if rows else t("flash.report-empty"))
    else:
        say(t("flash.report-written", count=len(rows), file=csv_file))
    return EXIT_OK


def _table(rows: list[dict]) -> str:  # type: ignore[type-arg]
    lines = []
    for row in rows:
        told = row["problem"] or ("" if row["result"] == "good" else row["result"])
        head = f"{row['time'][:19]}  {row['id'] or '-':9}  {row['mac'] or '-':17}  {row['kit']:16} {row['firmware']:8}"
        lines.append(printable(f"{head} {row['result']:9} {told}".rstrip()))
    return "\n".join(lines)


def label(settings: Config, nodes: list[str], last: int | None) -> int:
    """A printable sheet on stdout."""
    from tools.flashing import report as reports
    from tools.flashing.label import Label, sheet

    ids = [node.lower() for node in nodes]
    for node, said in zip(ids, nodes, strict=True):
        expect("ID", said, bool(_NODE.fullmatch(node)), "expected.key-nodes")
    expect("--last", last, last is None or last >= 1, "flash.range-last")
    rows = [row for row in reports.read(settings.gateway.state_dir) if _NODE.fullmatch(row["id"])]
    macs = {row["id"]: str(row["mac"]) for row in rows}
    if last is not None:
        ids += list(dict.fromkeys(row["id"] for row in reversed(rows) if row["result"] != "failed"))[:last][::-1]
    elif not ids:
        ids = sorted(settings.nodes)
    ids = list(dict.fromkeys(ids))
    if not ids:
        say(t("label.none"))
        return EXIT_USAGE
    text = sheet([Label(node, _name(settings, node), macs.get(node, "")) for node in ids], shared.language)
    if shared.json:
        print(json.dumps({"labels": ids, "html": text}))
    else:
        sys.stdout.write(text)
    return EXIT_OK


def _name(settings: Config, node: str) -> str:
    placed = settings.nodes.get(node)
    if placed is None:
        return ""
    site = settings.sites.get(placed.site) if placed.site else None
    return str(getattr(placed, "name", None) or (site.name if site else "") or "")
