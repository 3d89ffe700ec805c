"""The server: rows by measurement, tags and time, the last write wins; and everything that a server may do instead.

The uplink in front of it speaks the gateway's own protocol: statuses are read by `gateway.uplink.http`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from gateway.uplink import http
from gateway.uplink.base import Answer, Identity, Outcome, Row, Tallies, Tally, UplinkError, tags_of
from gateway.words import Say

Key = tuple[bytes, int]  # measurement and tags as on the line; time
_FIELD = re.compile(rb'([^=,]+)=("(?:\\.|[^"\\])*"|[^,]+)')
_COUNT = re.compile(rb"count=(\d+)i")
HOUR_S = 3600
NO_ANSWER_MS = 3000
LATENCY_MS = 30
STATUSES = (200, 301, 302, 401, 403, 404, 408, 500, 502, 503)


class Server:
    """`mode` is what it does now, see `Uplink.send`; `argument` belongs to it. It takes no row from before `oldest_s()`."""

    def __init__(self, faults: Counter[str]) -> None:
        self.rows: dict[Key, bytes] = {}
        self.journal: list[tuple[int, Key, bytes | None]] = []  # (when, key, what stood there before), newest last
        self.falls: list[tuple[bytes, int, int, int]] = []  # bins that were made smaller by a write: key, before, after
        self.mode = "good"
        self.argument = 0
        self.oldest_s: Callable[[], int] = lambda: 0
        self.refused: set[bytes] = set()  # lines
        self._faults = faults

    def write(self, line: bytes, now_ms: int) -> None:
        head, time_s, fields = _parts(line)
        key = head, time_s
        before = self.rows.get(key)
        self.journal.append((now_ms, key, before))
        if before is not None and head.startswith(b"passages,"):
            was, is_now = int(_COUNT.search(before)[1]), int(_COUNT.search(fields)[1])  # type: ignore[index]
            if is_now < was:
                self.falls.append((*key, was, is_now))
        self.rows[key] = fields

    def heal(self) -> None:
        self.mode = "good"

    # -- what only an audit can repair

    def lose_since(self, since_ms: int) -> int:
        """Killed: what it had said 204 to since then is gone. The number of rows."""
        lost = 0
        while self.journal and self.journal[-1][0] >= since_ms:
            _, key, before = self.journal.pop()
            if before is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = before
            lost += 1
        return lost

    def table(self, measurement: str) -> list[Row]:
        """Every row of a measurement, oldest first."""
        begin = measurement.encode() + b","
        return [_row(*key, fields) for key, fields in sorted(self.rows.items()) if key[0].startswith(begin)]

    def refusals(self, measurement: str) -> list[Row]:
        """Every line of a measurement that was refused for what it says."""
        begin = measurement.encode() + b","
        return [_row(*_parts(line)) for line in self.refused if line.startswith(begin)]


class Uplink:
    """The gateway's side. Which answer a batch gets is decided by the server's mode:

    good; silent: nobody answers; status: nothing is taken, with that status; asked-to-wait: 429 and how long;
    small: 413 beyond that many lines; reset: the same, and the connection breaks before it is said; picky: 400 for lines whose
    hash is divisible by the argument, the others are taken; half-deaf: all is taken and the answer is lost; slow: all is taken
    and the answer comes so many seconds later.
    """

    name = "simulated"
    address = "simulated:"
    target = Say("check.folder", {"folder": "simulated"})
    is_local = True

    def __init__(self, server: Server, now_ms: Callable[[], int], spend: Callable[[int], None], faults: Counter[str]) -> None:
        self._server = server
        self._now_ms = now_ms
        self._spend = spend
        self._faults = faults

    def send(self, lines: Sequence[bytes]) -> Answer:
        answer = _MODES[self._server.mode](self, lines, self._server.argument)
        self._spend(NO_ANSWER_MS if answer.status is None and self._server.mode != "reset" else LATENCY_MS)
        if answer.outcome is not Outcome.STORED or self._server.mode == "slow":
            self._faults[f"answer_{_name(answer, self._server.mode)}"] += 1
        return answer

    def identify(self) -> Identity:
        self._reach()
        return Identity("simulated", "1")

    def read(self, measurement: str, start_s: int, end_s: int) -> list[Row]:
        self._reach()
        return [row for row in self._server.table(measurement) if start_s <= row.time_s < end_s]

    def tally(self, measurement: str, fields: Sequence[str], start_s: int, end_s: int) -> Tallies:
        tallies: Tallies = {}
        for row in self.read(measurement, start_s, end_s):
            key = tags_of(row.tags), row.time_s // HOUR_S * HOUR_S
            known = tallies.get(key) or Tally(0, dict.fromkeys(fields, 0))
            sums = {name: known.sums[name] + int(str(row.fields[name])) for name in fields}
            tallies[key] = Tally(known.points + 1, sums)
        return tallies

    def close(self) -> None:
        """Nothing is held open."""

    def _reach(self) -> None:
        if self._server.mode in ("silent", "status", "asked-to-wait", "half-deaf", "reset"):
            self._spend(NO_ANSWER_MS)
            raise UplinkError("uplink-silent", url=self.address, found=self._server.mode)
        self._spend(LATENCY_MS)

    def _take(self, lines: Sequence[bytes]) -> Answer:
        oldest_s = self._server.oldest_s()
        too_old = [line for line in lines if _parts(line)[1] < oldest_s]
        for line in lines:
            if line not in too_old:
                self._server.write(line, self._now_ms())
        self._server.refused.update(too_old)
        beyond = f"partial write: points beyond retention policy dropped={len(too_old)}"
        return http.classify(400, beyond) if too_old else http.classify(204)

    def _small(self, lines: Sequence[bytes], most: int) -> Answer:
        return self._take(lines) if len(lines) <= most else http.classify(413, "too large")

    def _reset(self, lines: Sequence[bytes], most: int) -> Answer:
        return self._take(lines) if len(lines) <= most else _nobody(may_be_size=True)

    def _picky(self, lines: Sequence[bytes], modulus: int) -> Answer:
        bad = [line for line in lines if _is_bad(line, modulus)]
        answer = self._take([line for line in lines if line not in bad])
        self._server.refused.update(bad)
        return http.classify(400, f"partial write: dropped={len(bad)}") if bad else answer

    def _slow(self, lines: Sequence[bytes], seconds: int) -> Answer:
        self._spend(seconds * 1000)
        return self._take(lines)

    def _half_deaf(self, lines: Sequence[bytes], _argument: int) -> Answer:
        self._take(lines)
        return _nobody()


def _nobody(may_be_size: bool = False) -> Answer:
    return Answer(Outcome.RETRY, "nobody answers", may_be_size=may_be_size)


_MODES: dict[str, Callable[[Uplink, Sequence[bytes], int], Answer]] = {
    "good": lambda uplink, lines, _: uplink._take(lines),
    "silent": lambda *_: _nobody(),
    "status": lambda _uplink, _lines, status: http.classify(status, "simulated"),
    "asked-to-wait": lambda _uplink, _lines, seconds: http.classify(429, "simulated", float(seconds)),
    "small": Uplink._small,
    "reset": Uplink._reset,
    "picky": Uplink._picky,
    "half-deaf": Uplink._half_deaf,
    "slow": Uplink._slow,
}


def _name(answer: Answer, mode: str) -> object:
    return answer.status if answer.status not in (None, 204) else mode.replace("-", "_")


def _is_bad(line: bytes, modulus: int) -> bool:
    # By what a line is of, so that it stays bad however it grows.
    head, _, rest = line.partition(b" ")
    return Random(head + rest.rpartition(b" ")[2]).randrange(modulus) == 0


def _parts(line: bytes) -> tuple[bytes, int, bytes]:
    """Measurement and tags as on the line, time, fields."""
    head, _, rest = line.partition(b" ")
    fields, _, time = rest.rpartition(b" ")
    return head, int(time), fields


def _row(head: bytes, time_s: int, fields: bytes) -> Row:
    _, *tags = head.decode().split(",")
    return Row(
        dict(tag.split("=", 1) for tag in tags), time_s,
        {name.decode(): _value(value.decode()) for name, value in _FIELD.findall(fields)},
    )  # fmt: skip


def _value(text: str) -> object:
    if text.startswith('"'):
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return int(text[:-1]) if text.endswith("i") else float(text)
