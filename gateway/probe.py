"""Pure: does an uplink work? One finding after the other, up to the first that does not hold.

Theory of operation
    The server says what it is. Then one test point is written: its answer tells whether we may write, whether the database is
    there, and whether it was taken. It is written twice, because a gateway that hears no answer sends again: it must read back
    as one point, and as it was. Some servers show a point only after a while, so reading is tried again, a few times.

Rules of this file
    No clock and no network: the uplink, the time and how to pause are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from gateway import schema
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, EXIT_UPLINK_AUTHORISATION, EXIT_UPLINK_MISSING
from gateway.model import Point
from gateway.uplink.base import VICTORIA, Answer, Identity, Outcome, Uplink, UplinkError, cause_of
from gateway.words import Say

READ_TRIES = 20
_VALUES = 1_000_000  # a check of another second has another value
_STEP_OF = {EXIT_UPLINK_AUTHORISATION: "token", EXIT_UPLINK_MISSING: "target"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A step and how it went; `detail` says what to do where it failed. `server` is known from step `server` on."""

    step: str  # address, reachable, server, promise, token, target, write, read
    detail: Say
    exit_code: int = EXIT_OK
    server: Identity | None = None
    is_note: bool = False  # it holds, and there is something to know

    @property
    def ok(self) -> bool:
        return self.exit_code == EXIT_OK


def probe(uplink: Uplink, gateway: str, now_s: int, pause: Callable[[], object]) -> Iterator[Finding]:
    """Steps as they happen. `pause` waits about as long as a server may take to show a point, shared by READ_TRIES."""
    yield Finding("address", _address(uplink), is_note=not uplink.is_local and not uplink.address.startswith("https:"))
    try:
        server = uplink.identify()
    except UplinkError as error:
        yield _failure("reachable", error)
        return
    yield Finding("reachable", Say("check.reachable", {"address": uplink.address}))
    yield Finding("server", Say("check.server", {"server": server}), server=server)
    if server.name == VICTORIA:
        yield Finding("promise", Say("check.promises-less"), is_note=True)
    point = Point("uplink_check", {"gateway": gateway}, {"value": now_s % _VALUES}, now_s)
    for finding in chain(_write(uplink, point, server), _read(uplink, point, pause)):
        yield finding
        if not finding.ok:
            return


def _address(uplink: Uplink) -> Say:
    kind = "local" if uplink.is_local else "safe" if uplink.address.startswith("https:") else "clear"
    return Say(f"check.address-{kind}", {"address": uplink.address})


def _write(uplink: Uplink, point: Point, server: Identity) -> Iterator[Finding]:
    line = schema.render(point)
    for _ in range(2):
        answer = uplink.send([line])
        if answer.outcome is not Outcome.STORED:
            yield from _refusal(uplink, answer, server)
            return
    takes_anything = server.name == VICTORIA  # whatever the token and the bucket
    token, target = ("allowed-unchecked", "there-unused") if takes_anything else ("allowed", "there")
    yield Finding("token", Say(f"check.{token}"), is_note=takes_anything)
    yield Finding("target", Say(f"check.{target}", {"target": uplink.target}), is_note=takes_anything)
    yield Finding("write", Say("check.written", {"target": uplink.target}))


def _refusal(uplink: Uplink, answer: Answer, server: Identity) -> Iterator[Finding]:
    key = "uplink-cut-off" if answer.status is None else cause_of(answer.status)
    if key == "uplink-missing" and "page not found" in answer.reason:  # what InfluxDB says of a path, not of a bucket
        key = "uplink-other-api"
    elif key == "uplink-missing":
        yield Finding("token", Say("check.allowed"))
    data = {"url": uplink.address, "target": uplink.target, "found": answer.reason, "server": server, "api": uplink.name}
    yield _failure("write", UplinkError(key, **data))


def _read(uplink: Uplink, point: Point, pause: Callable[[], object]) -> Iterator[Finding]:
    try:
        found = _read_back(uplink, point, pause)
    except UplinkError as error:
        key = "uplink-unmapped" if error.key == "uplink-missing" else error.key  # it was there to be written to
        yield Finding("read", Say(f"error.{key}", error.data), error.exit_code)
        return
    expected = point.fields["value"]
    if found is None:
        lost = {"url": uplink.address, "target": uplink.target}
        yield Finding("read", Say("error.uplink-lost", lost), EXIT_CHECK_FAILED)
    elif found != expected:
        changed = {"url": uplink.address, "found": found, "expected": expected}
        yield Finding("read", Say("error.uplink-changed", changed), EXIT_CHECK_FAILED)
    else:
        yield Finding("read", Say("check.read-back"))


def _read_back(uplink: Uplink, point: Point, pause: Callable[[], object]) -> object:
    # The value as the server has it; None where it never shows the point.
    for tried in range(READ_TRIES):
        if tried:
            pause()
        for row in uplink.read(point.measurement, point.time_s, point.time_s + 1):
            if row.tags == point.tags:
                return row.fields.get("value")
    return None


def _failure(step: str, error: UplinkError) -> Finding:
    # Who is not let in or finds nothing there hears so, whichever question it was.
    return Finding(_STEP_OF.get(error.exit_code, step), Say(f"error.{error.key}", error.data), error.exit_code)
