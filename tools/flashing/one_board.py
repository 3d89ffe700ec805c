"""One board, from whatever is on it to a node that has proven itself. It knows nothing of other boards.

    look -> plan -> (everything through the bootloader -> look -> plan) -> files -> key -> restart -> self-test
Each step is left out where there is nothing to do. What fails is told as the outcome, never raised: other boards go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, TrottoirError
from gateway.words import Say
from tools.flashing import keying, looking, proving, survey, writing
from tools.flashing.errors import FlashError
from tools.flashing.image import NodeImage
from tools.flashing.interpreter import CHIP, Interpreter
from tools.flashing.plan import Plan, plan
from tools.flashing.prompt import Prompt
from tools.flashing.survey import Survey
from tools.flashing.writing import Parts

# Steps as they are shown, and up to which share of the whole each goes.
STEPS = {"look": 0.05, "write": 0.7, "help": 0.7, "files": 0.8, "key": 0.82, "restart": 0.85, "test": 1.0}
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Job:
    """What every board of a run gets. `parts()` are made when the first board needs them; `keys` is the gateway's folder;
    `random(n)` gives bytes that nobody can guess."""

    image: NodeImage
    interpreter: Interpreter
    parts: Callable[[], Parts]
    keys: Path
    random: Callable[[int], bytes]
    is_dry: bool = False
    is_tested: bool = True
    is_erased: bool = False  # everything is written, whatever is there
    stop: threading.Event = field(default_factory=threading.Event)
    help_s: float = writing.HELP_S
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass
class Outcome:
    """What became of a board. `did`: nothing, files, key or everything; with `--dry-run` what would be done."""

    port: str
    kit: str
    firmware: str
    sha256: str
    micropython: str
    node: str = ""
    mac: str = ""
    chip: str = ""
    did: str = "nothing"
    results: list[tuple[str, str, int]] = field(default_factory=list)
    exit_code: int = EXIT_OK
    problem: Say | None = None
    is_dry: bool = False
    began: datetime | None = None
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return self.exit_code == EXIT_OK


def flash(port: str, job: Job, told: Told) -> Outcome:
    """Never raises but for mistakes of ours."""
    outcome = Outcome(port, job.image.kit, job.image.version, job.image.sha256, job.interpreter.version, began=job.now())
    begin_s = time.monotonic()
    try:
        _flash(port, job, outcome, told)
    except TrottoirError as error:
        outcome.exit_code = error.exit_code
        outcome.problem = error.message
    outcome.seconds = time.monotonic() - begin_s
    return outcome


def _flash(port: str, job: Job, outcome: Outcome, told: Told) -> None:
    told("look", 0.0)
    wanted = _bring_up_to_date(port, job, outcome, told)
    outcome.is_dry = job.is_dry
    if job.is_dry or (wanted.is_empty and outcome.did == "nothing"):
        return
    if wanted.whole:
        _write_everything(port, job, outcome, told)
        told("look", STEPS["write"])
        if (left := _bring_up_to_date(port, job, outcome, told)).whole:
            raise FlashError("flash-dead" if left.whole == "silent" else "flash-changed", port=port, found=left.whole)
    if job.is_tested:
        told("test", STEPS["restart"])
        hello, outcome.results = proving.test(port)
        outcome.node = f"tr-{hello.node:06x}"
        if found := proving.faults(outcome.results):
            outcome.exit_code = EXIT_CHECK_FAILED
            words = ", ".join(f"{check} {verdict}" for check, verdict, _ in found)
            outcome.problem = Say("error.flash-test", {"port": port, "found": words})
    told("test", 1.0)


def _bring_up_to_date(port: str, job: Job, outcome: Outcome, told: Told) -> Plan:
    """Everything that can be done at the prompt. Gives what was found to do; where it is `whole` nothing was done yet."""
    opened, prompt = looking.open_at_prompt(port, job.stop)
    with closing(opened):
        found = None
        if prompt is not None:
            found = survey.read(prompt.ask(survey.script(job.interpreter)), port)
            outcome.node, outcome.mac = found.node, found.mac.hex(":")
        key = keying.known_key(job.keys, found.node) if found else None
        wanted = plan(found, job.image, job.interpreter, keying.key_to_compare(key, found) if found else None)
        if job.is_erased and outcome.did != "everything":
            wanted = Plan("asked", needs_key=wanted.needs_key)
        if outcome.did == "nothing":
            outcome.did = _named(wanted)
        if prompt is None or found is None:
            return wanted
        if not wanted.whole:
            outcome.chip = outcome.chip or CHIP.upper()  # what is pinned starts on no other
        if wanted.whole or job.is_dry:
            prompt.restart()
            return wanted
        _copy(prompt, found, wanted, told)
        if wanted.needs_key:
            told("key", STEPS["files"])
            keying.put_in(prompt, found, job.keys, job.random)
        told("restart", STEPS["key"])
        prompt.restart()
    return wanted


def _copy(prompt: Prompt, found: Survey, wanted: Plan, told: Told) -> None:
    if not wanted.write and not wanted.remove:
        return
    if wanted.bytes_needed > found.free_bytes:
        raise FlashError("flash-full", port=prompt.device_name, found=f"{found.free_bytes} < {wanted.bytes_needed}")
    total = sum(len(content) for _, content in wanted.write) or 1
    done = 0

    def through(size: int) -> None:
        nonlocal done
        done += size
        told("files", STEPS["look"] + (STEPS["files"] - STEPS["look"]) * done / total)

    for path in wanted.remove:
        prompt.remove(path)
    for path, content in wanted.write:
        prompt.write_file(path, content, through)


def _write_everything(port: str, job: Job, outcome: Outcome, told: Told) -> None:
    """At full speed, then slowly, then with a hand at the board's buttons."""
    span = STEPS["write"] - STEPS["look"]

    def share(done: float) -> None:
        told("write", STEPS["look"] + span * done)

    for baud, wait_s in ((writing.BAUD, 0.0), (writing.SLOW_BAUD, 0.0), (writing.SLOW_BAUD, job.help_s)):
        if wait_s:
            told("help", STEPS["look"])
        try:
            heard = writing.write(port, job.parts(), baud, share, job.stop, wait_s)
        except FlashError as error:
            if error.key not in writing.CONNECTING or wait_s or not job.help_s:
                raise
            continue
        outcome.chip, outcome.mac, outcome.did = heard.chip, heard.mac, "everything"
        return


def _named(wanted: Plan) -> str:
    if wanted.whole:
        return "everything"
    if wanted.write or wanted.remove:
        return "files"
    return "key" if wanted.needs_key else "nothing"
