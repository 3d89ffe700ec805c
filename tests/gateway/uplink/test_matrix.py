"""Every answer that a server, a portal or a broken line can give, in each server's way of saying it: what becomes of the lines.

Each cell sends through a real uplink, what it makes of the answer goes through the real `delivery.attempt`, and then the server
is well again: every line was kept and is stored then, was stored, or is a dead letter with a reason; none is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.delivery import Backoff, Result, attempt
from gateway.model import OutboxRef
from gateway.uplink.base import Answer, Outcome, Uplink
from gateway.uplink.influx_v1 import InfluxV1
from gateway.uplink.influx_v2 import InfluxV2
from tests.gateway.uplink.hostile import TOKEN
from tests.gateway.uplink.misbehaving import Exchange, Misbehaving, well
from tests.gateway.uplink.test_contract import passages

LINES = [passages(n, n) for n in range(20)]
BAD = LINES[13]
PORTAL = b"<!DOCTYPE html><html><title>Free Wi-Fi</title><body>Accept our terms</body></html>"
NOW, SOON, PAST = "Sun, 22 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:40 GMT", "Sat, 21 Nov 2026 10:00:00 GMT"
Behave = Callable[[Exchange], None]


@dataclass(frozen=True)
class Shape:
    """A server's way: the uplink to it, and how it words an error."""

    name: str
    open_to: Callable[[str], Uplink]
    says: Callable[[int, str], bytes]


SHAPES = (
    Shape("v1", lambda url: InfluxV1(url, "trottoir", "u", TOKEN), lambda _, text: json.dumps({"error": text}).encode()),
    Shape(
        "v2", lambda url: InfluxV2(url, "stadt", "trottoir", TOKEN),
        lambda status, text: json.dumps({"code": f"code {status}", "message": text}).encode(),
    ),
    Shape("victoria", lambda url: InfluxV2(url, "", "trottoir"), lambda _, text: f"remoteAddr: 127.0.0.1; {text}\n".encode()),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What a server does, made for its shape, and what becomes of twenty lines: `fate` is `stored`, `dead` (the bad one, the
    others are stored) or the outcome that keeps all of them. `pause_s` follows a first failure; `requests` are the most."""

    name: str
    behave: Callable[[Shape], Behave]
    fate: str | Outcome
    pause_s: float = 1.0
    requests: int = 1


def status(code: int, **headers: str) -> Callable[[Shape], Behave]:
    """Takes the body, stores nothing, answers so."""

    def behave(exchange: Exchange, text: bytes) -> None:
        exchange.lines()
        exchange.answer(code, text, **headers)

    return lambda shape: lambda exchange: behave(exchange, shape.says(code, "no"))


def one_is_bad(code: int, words: str = "unable to parse") -> Callable[[Shape], Behave]:
    """Stores the others and answers so, as InfluxDB does."""

    def behave(exchange: Exchange, text: bytes) -> None:
        lines = exchange.lines()
        exchange.store([line for line in lines if line != BAD])
        exchange.answer(code, text) if BAD in lines else exchange.answer(204)

    return lambda shape: lambda exchange: behave(exchange, shape.says(code, words))


def too_large(most: int) -> Callable[[Shape], Behave]:
    def behave(exchange: Exchange, text: bytes) -> None:
        lines = exchange.lines()
        if len(lines) > most:
            exchange.answer(413, text)
        else:
            exchange.store(lines)
            exchange.answer(204)

    return lambda shape: lambda exchange: behave(exchange, shape.says(413, "Request Entity Too Large"))


def raw(data: bytes, has_stored: bool = False, then: Callable[[Exchange], None] = Exchange.end) -> Callable[[Shape], Behave]:
    """Takes the body, says exactly these bytes, and ends."""

    def behave(exchange: Exchange) -> None:
        lines = exchange.lines()
        exchange.store(lines if has_stored else [])
        exchange.say(data)
        then(exchange)

    return lambda _: behave


def does(behave: Behave) -> Callable[[Shape], Behave]:
    return lambda _: behave


def reset_in_the_body(exchange: Exchange) -> None:
    exchange.part()
    exchange.reset()


def never_ends(exchange: Exchange) -> None:
    exchange.lines()
    exchange.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        exchange.say(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def cut_refusal(exchange: Exchange) -> None:
    # Whoever refuses a line and breaks off behind the status still refuses it.
    lines = exchange.lines()
    exchange.store([line for line in lines if line != BAD])
    if BAD in lines:
        exchange.say(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 400\r\n\r\n{"error": "unab')
        exchange.reset()
    else:
        exchange.answer(204)


KEPT_FOR_A_PERSON = (
    103, 200, 201, 202, 203, 205, 206, 300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 414,
    415, 421, 426, 428, 431, 451, 600, 999,
)  # fmt: skip
KEPT_FOR_LATER = (408, 425, 429, 500, 501, 502, 503, 504, 507, 508, 511, 520, 599)
RETRY_AFTER = {
    "7": 7, "0": 1, "600": 600, "601": 600, "1000000000": 600, "9" * 400: 600, "-5": 1, "1.5": 1, "nan": 1, "inf": 1, "soon": 1,
    "": 1, SOON: 40, NOW: 1, PAST: 1, "Fri, 31 Dec 9999 23:59:59 GMT": 600, "Mon, 99 Foo 2026 99:99:99 GMT": 1,
}  # fmt: skip

CELLS = (
    Cell("204", does(well), "stored"),
    *(Cell(str(code), status(code), Outcome.HOLD) for code in KEPT_FOR_A_PERSON),
    *(Cell(str(code), status(code), Outcome.RETRY) for code in KEPT_FOR_LATER),
    *(
        Cell(f"{code} {asked[:24]!r}", status(code, Retry_After=asked, Date=NOW), Outcome.RETRY, pause_s)
        for code in (429, 503)
        for asked, pause_s in RETRY_AFTER.items()
    ),
    *(Cell(f"{code} for all", status(code), Outcome.HOLD, requests=40) for code in (400, 422)),
    *(Cell(f"{code} for one", one_is_bad(code), "dead", requests=12) for code in (400, 422)),
    Cell("type conflict", one_is_bad(422, "partial write: field type conflict dropped=1"), "dead", requests=12),
    Cell("too old", one_is_bad(400, "partial write: points beyond retention policy dropped=1"), "dead", requests=12),
    Cell("413 above five", too_large(5), "stored", requests=8),
    Cell("413 above one", too_large(1), "stored", requests=40),
    Cell("413 for all", too_large(0), Outcome.HOLD, requests=40),
    Cell("portal", status(200, Content_Type="text/html"), Outcome.HOLD),
    Cell("portal that closes", raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PORTAL), Outcome.HOLD),
    Cell("portal without length", raw(b"HTTP/1.0 200 OK\r\n\r\n" + PORTAL), Outcome.HOLD),
    Cell("redirect to a portal", status(302, Location="http://127.0.0.1:1/login"), Outcome.HOLD),
    Cell("redirect to itself", status(307, Location="/write"), Outcome.HOLD),
    Cell("204 with a body", raw(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", has_stored=True), "stored"),
    Cell("204 of HTTP/1.0", raw(b"HTTP/1.0 204 No Content\r\n\r\n", has_stored=True), "stored"),
    Cell("100, then 204", raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", has_stored=True), "stored"),
    Cell("garbage", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Outcome.RETRY),
    Cell("garbage status", raw(b"HTTP/1.1 abc OK\r\n\r\n"), Outcome.RETRY),
    Cell("bytes", raw(bytes(range(256))), Outcome.RETRY),
    Cell("a status line without an end", raw(b"HTTP/1.1 204" + b" " * 99_999), Outcome.RETRY),
    Cell("a header without an end", raw(b"HTTP/1.1 204 No Content\r\nX: " + b"y" * 99_999), Outcome.RETRY),
    Cell("an answer cut in its status", raw(b"HTTP/1.1 20"), Outcome.RETRY),
    Cell("an answer cut behind its status", raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nhalf"), Outcome.RETRY),
    Cell("a refusal cut behind its status", does(cut_refusal), "dead", requests=12),
    Cell("no answer", raw(b"", then=Exchange.end), Outcome.RETRY),
    Cell("no answer, but stored", raw(b"", has_stored=True), Outcome.RETRY),
    Cell("reset before the body", does(Exchange.reset), Outcome.RETRY),
    Cell("reset in the body", does(reset_in_the_body), Outcome.RETRY),
    Cell("reset behind the body", raw(b"", then=Exchange.reset), Outcome.RETRY),
    Cell("reset behind the body, but stored", raw(b"", has_stored=True, then=Exchange.reset), Outcome.RETRY),
    Cell("silence", raw(b"", then=Exchange.wait_for_the_client_to_go), Outcome.RETRY),
    Cell("silence, but stored", raw(b"", has_stored=True, then=Exchange.wait_for_the_client_to_go), Outcome.RETRY),
    Cell("a page without an end", does(never_ends), Outcome.HOLD),
)


def deliver(uplink: Uplink, lines: list[bytes]) -> Result:
    async def send(some) -> Answer:
        return uplink.send(some)

    return asyncio.run(attempt([(OutboxRef(LINES.index(line), "passages", {}, 0, 0), line) for line in lines], send))


def settled(result: Result) -> set[bytes]:
    dead = {line.encode() for _, line, _ in result.refused}
    stored = {LINES[ref.id] for ref in result.stored}
    assert len(dead) + len(stored) == len(result.refused) + len(result.stored), "a line was settled twice"
    assert not dead & stored
    return dead | stored


def check(result: Result, cell: Cell) -> None:
    """What the first attempt has to end with."""
    if isinstance(cell.fate, Outcome):
        assert settled(result) == set()
        assert result.stopped is not None
        assert result.stopped.outcome is cell.fate
        assert result.stopped.reason.isprintable()
        assert 0 < len(result.stopped.reason) < 400
        assert Backoff(lambda: 1.0).failed(result.stopped) == cell.pause_s
    else:
        assert settled(result) == set(LINES)
        assert result.stopped is None
        assert [line.encode() for _, line, _ in result.refused] == ([BAD] if cell.fate == "dead" else [])
        assert all("4" in reason for _, _, reason in result.refused)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_line_is_kept_or_stored_or_a_dead_letter(cell, shape, request):
    if "silence" in cell.name:
        request.getfixturevalue("impatient")
    server = Misbehaving(cell.behave(shape))
    uplink = shape.open_to(server.url)
    first = deliver(uplink, LINES)
    check(first, cell)
    assert server.requests <= cell.requests
    server.behave = well
    rest = [line for line in LINES if line not in settled(first)]
    again = deliver(uplink, rest)
    assert (settled(again), again.refused, again.stopped) == (set(rest), [], None)
    assert server.stored == set(LINES) - ({BAD} if cell.fate == "dead" else set())
    uplink.close()
    server.close()


def test_the_matrix_is_as_large_as_it_claims():
    assert len(CELLS) * len(SHAPES) >= 60
    assert len({cell.name for cell in CELLS}) == len(CELLS)
