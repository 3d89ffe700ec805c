"""gateway.delivery: whatever the server objects to, every line finds its place, and pauses stay within their limits."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import MAX_BYTES, PROBES, Backoff, BatchSize, Result, attempt, batches
from gateway.model import OutboxRef
from gateway.uplink.base import Answer, Outcome

STORED = Answer(Outcome.STORED)


class Server:
    """Takes batches of at most `largest` lines, refuses those with a bad line (and stores the rest of them, as InfluxDB
    does), and gives `trouble` from its n-th request on."""

    def __init__(self, bad=(), largest=10**9, trouble=None, after=10**9) -> None:
        self.bad = {line(n) for n in bad}
        self.largest = largest
        self.trouble = trouble
        self.after = after
        self.stored: set[bytes] = set()
        self.requests: list[list[bytes]] = []

    async def send(self, lines) -> Answer:
        self.requests.append(list(lines))
        if len(self.requests) > self.after:
            return self.trouble
        if len(lines) > self.largest:
            return Answer(Outcome.TOO_LARGE, "too large")
        self.stored |= set(lines) - self.bad
        return Answer(Outcome.REFUSED, f"{len(lines)} lines") if self.bad & set(lines) else STORED


def line(n: int) -> bytes:
    return b"line %d" % n


def items(count: int) -> list[tuple[OutboxRef, bytes]]:
    return [(OutboxRef(n, "passages", {}, n, 0), line(n)) for n in range(count)]


def deliver(count: int, server: Server) -> Result:
    return asyncio.run(attempt(items(count), server.send))


def stored(result: Result) -> list[int]:
    return sorted(ref.id for ref in result.stored)


def refused(result: Result) -> list[int]:
    return sorted(ref.id for ref, _, _ in result.refused)


def test_a_good_batch_is_one_request():
    server = Server()
    assert stored(deliver(500, server)) == list(range(500))
    assert len(server.requests) == 1


def test_nothing_to_send_asks_nobody():
    server = Server()
    assert deliver(0, server) == Result()
    assert server.requests == []


@given(st.integers(1, 600), st.data())
def test_exactly_the_bad_lines_are_refused_and_all_others_stored_within_few_requests(count, data):
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=12))
    server = Server(bad)
    result = deliver(count, server)
    is_held = len(bad) == count  # see below
    assert refused(result) == ([] if is_held else sorted(bad))
    assert stored(result) == sorted(set(range(count)) - bad)
    assert {line(n) for n in stored(result)} <= server.stored
    assert (result.stopped is None) is not is_held
    assert len(server.requests) <= 1 + 2 * len(bad) * math.ceil(math.log2(count) + 1)


@pytest.mark.parametrize("count", [1, 2, 64])
@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.TOO_LARGE])
def test_who_refuses_everything_is_no_database_at_work_and_everything_is_held(count, outcome):
    async def send(_lines):
        return Answer(outcome, "400 Bad Request, says a proxy", status=400)

    result = asyncio.run(attempt(items(count), send))
    assert (result.refused, result.stored) == ([], [])
    assert result.stopped is not None
    assert (result.stopped.outcome, result.stopped.reason) == (Outcome.HOLD, "400 Bad Request, says a proxy")


def test_bad_lines_wait_for_a_good_one_that_proves_the_server():
    server = Server({0, 1})
    assert deliver(2, server).stopped is not None
    result = deliver(3, server)
    assert (refused(result), stored(result), result.stopped) == ([0, 1], [2], None)


def test_a_refused_line_comes_with_its_text_and_the_reason_it_was_given_for_itself():
    ((ref, text, reason),) = deliver(8, Server({5})).refused
    assert (ref.id, text, reason) == (5, "line 5", "1 lines")


def test_a_line_that_is_no_text_can_be_refused_too():
    async def send(lines):
        return Answer(Outcome.REFUSED, "no") if b"\xff\xfe" in lines else STORED

    result = asyncio.run(attempt([(OutboxRef(9, "passages", {}, 0, 0), b"\xff\xfe"), *items(1)], send))
    assert result.refused[0][1] == "\ufffd\ufffd"


@given(st.integers(1, 300), st.integers(1, 300))
def test_what_is_too_large_goes_in_smaller_pieces(count, largest):
    server = Server(largest=largest)
    result = deliver(count, server)
    assert stored(result) == list(range(count))
    assert max(len(lines) for lines in server.requests[-1:]) <= largest


def test_a_single_line_that_is_too_large_is_refused_and_blocks_nobody():
    async def send(lines):
        return Answer(Outcome.TOO_LARGE, "413") if line(3) in lines else STORED

    result = asyncio.run(attempt(items(8), send))
    assert (refused(result), stored(result)) == ([3], [0, 1, 2, 4, 5, 6, 7])


def test_the_older_half_goes_first():
    server = Server({0, 7})
    deliver(8, server)
    firsts = [lines[0] for lines in server.requests]
    assert firsts == sorted(firsts, key=lambda found: int(found.split()[1]))


@given(st.sampled_from([Outcome.RETRY, Outcome.HOLD]), st.integers(0, 20), st.sets(st.integers(0, 63), max_size=6))
def test_trouble_ends_the_attempt_and_keeps_everything_that_has_no_place_yet(outcome, after, bad):
    trouble = Answer(outcome, "trouble", 7.0)
    server = Server(bad, trouble=trouble, after=after)
    result = deliver(64, server)
    assert set(refused(result)) <= bad
    assert {line(n) for n in stored(result)} <= server.stored
    assert not set(stored(result)) & set(refused(result))
    if len(server.requests) > after:
        assert result.stopped is trouble
        assert len(server.requests) == after + 1, "the server was asked again within the attempt"
    else:
        assert result.stopped is None


# -- how it is cut

sizes = st.lists(st.integers(0, 2000) | st.integers(100_000, 300_000), max_size=60)


@given(sizes)
def test_batches_are_bounded_and_together_they_are_everything_in_order(lengths):
    some = [(OutboxRef(n, "passages", {}, n, 0), b"x" * length) for n, length in enumerate(lengths)]
    cut = batches(some)
    assert [item for batch in cut for item in batch] == some
    for batch, following in itertools.zip_longest(cut, cut[1:]):
        body = b"\n".join(line for _, line in batch)
        assert batch
        assert len(body) <= MAX_BYTES or len(batch) == 1
        assert not following or len(body) + 1 + len(following[0][1]) > MAX_BYTES - 1, "it would have had room"


def test_no_batch_has_more_than_5000_lines():
    assert [len(batch) for batch in batches(items(12_001))] == [5000, 5000, 2001]


def test_a_line_longer_than_a_batch_goes_alone_and_keeps_nobody():
    long = (OutboxRef(7, "passages", {}, 7, 0), b"x" * (MAX_BYTES + 1))
    server = Server()
    result = asyncio.run(attempt([*items(2), long, *items(2)], server.send))
    assert [len(lines) for lines in server.requests] == [2, 1, 2]
    assert stored(result) == [0, 0, 1, 1, 7]


# -- what is beyond the server's retention


def forgetful(oldest: int):
    """A server that takes nothing before line `oldest` and says how many of a batch that were."""
    requests = []

    async def send(lines) -> Answer:
        requests.append(len(lines))
        too_old = sum(int(line.split()[1]) < oldest for line in lines)
        if not too_old:
            return STORED
        return Answer(Outcome.REFUSED, f"partial write: points beyond retention policy dropped={too_old}", None, 400, too_old)

    return send, requests


def test_what_is_too_old_is_refused_together_and_in_few_requests():
    send, requests = forgetful(4000)
    result = asyncio.run(attempt(items(4096), send))
    assert (refused(result), stored(result)) == (list(range(4000)), list(range(4000, 4096)))
    assert len(requests) < 30
    assert {text for _, text, _ in result.refused} == {f"line {n}" for n in range(4000)}


def test_a_server_to_which_everything_is_too_old_may_have_a_wrong_clock_and_everything_is_held():
    send, requests = forgetful(10**9)
    result = asyncio.run(attempt(items(500), send))
    assert (result.refused, result.stored, requests) == ([], [], [500])
    assert result.stopped is not None
    assert result.stopped.outcome is Outcome.HOLD


# -- what a server at work refuses


def told(items, send, *more) -> tuple[Result, int]:
    """The result, and how often it was asked whether the server is at work, which it is."""
    asked = []

    async def is_at_work() -> bool:
        asked.append(1)
        return True

    return asyncio.run(attempt(items, send, is_at_work, *more)), len(asked)


def test_what_is_too_old_for_a_server_at_work_is_refused_in_one_request():
    send, requests = forgetful(10**9)
    result, asked = told(items(500), send)
    assert (refused(result), result.stopped, requests, asked) == (list(range(500)), None, [500], 1)
    assert {ref.id for ref in result.too_old} == set(range(500))


def test_only_what_is_too_old_is_called_so():
    bad = Server({7})
    send, _ = forgetful(3)

    async def both(lines) -> Answer:
        answer = await send(lines)
        return answer if answer.outcome is Outcome.REFUSED else await bad.send(lines)

    result, asked = told(items(8), both)
    assert (refused(result), sorted(ref.id for ref in result.too_old), asked) == ([0, 1, 2, 7], [0, 1, 2], 0)


def test_lines_that_are_refused_by_a_server_at_work_wait_for_no_good_one():
    result, asked = told(items(2), Server({0, 1}).send)
    assert (refused(result), result.stopped, asked) == ([0, 1], None, 1)


@given(st.integers(0, 40), st.integers(1, 20))
def test_what_is_refused_from_the_first_line_on_is_unwanted_as_a_whole(bad, most):
    server = Server(range(bad))
    result, _ = told(items(40), server.send, most)
    if bad < most or bad <= 40 - 3:  # of forty lines no three in a row are passed over
        assert (refused(result), len(stored(result)), result.unwanted) == (list(range(bad)), 40 - bad, "")
    elif bad == 40:
        assert (refused(result), stored(result), result.stopped, result.unwanted) == ([], [], None, "1 lines")
        assert len(server.requests) <= 2 * most + 7 + PROBES
    else:
        assert not result.unwanted or (refused(result), stored(result)) == ([], [])


def test_a_server_that_goes_while_it_is_asked_for_one_good_line_keeps_everything_waiting():
    server = Server(range(40), trouble=RETRY, after=20)
    result, _ = told(items(40), server.send, 4)
    assert (result.stopped, refused(result), stored(result), result.unwanted) == (RETRY, [], [], "")


def test_what_is_too_old_makes_nothing_unwanted():
    send, _ = forgetful(32)
    result, _ = told(items(64), send, 5)
    assert (len(refused(result)), len(stored(result)), result.unwanted) == (32, 32, "")


def test_who_breaks_off_after_a_refusal_is_not_asked_whether_he_is_at_work():
    result, asked = told(items(8), Server(range(8), trouble=RETRY, after=4).send)
    assert (result.stopped, refused(result), asked) == (RETRY, [], 0)


# -- pauses

RETRY = Answer(Outcome.RETRY, "busy", status=503)
HOLD = Answer(Outcome.HOLD, "denied", status=401)
AWAY = Answer(Outcome.RETRY, "refused")


@pytest.mark.parametrize(("answer", "limit_s"), [(RETRY, 30), (HOLD, 600)])
def test_pauses_double_from_one_second_up_to_the_limit_of_their_kind(answer, limit_s):
    backoff = Backoff(lambda: 1.0)
    pauses = [backoff.failed(answer) for _ in range(3000)]
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert max(pauses) == pauses[-1] == limit_s


@pytest.mark.parametrize("random", [0.0, 1.0])
def test_who_was_away_for_any_time_is_asked_again_within_a_second(random):
    backoff = Backoff(lambda: random)
    assert {backoff.failed(AWAY) for _ in range(100_000)} == {0.75 + 0.25 * random}


@pytest.mark.parametrize("before", [AWAY, HOLD])
def test_each_kind_of_trouble_begins_with_a_short_pause(before):
    backoff = Backoff(lambda: 1.0)
    for _ in range(1000):
        backoff.failed(before)
    assert [backoff.failed(RETRY) for _ in range(3)] == [1, 2, 4]
    assert backoff.failed(AWAY) == 1


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_jitter_takes_at_most_a_quarter(random):
    pauses = [Backoff(lambda: random).failed(RETRY) for _ in range(5)]
    assert all(0.75 <= pause <= 1.0 for pause in pauses)
    assert pauses[0] == 0.75 + 0.25 * random


def test_success_begins_anew():
    backoff = Backoff(lambda: 1.0)
    for _ in range(9):
        backoff.failed(RETRY)
    backoff.succeeded()
    assert backoff.failed(RETRY) == 1.0


@pytest.mark.parametrize(
    ("asked", "pause_s"),
    [
        (None, 1), (0.0, 1), (0.5, 1), (45.0, 45), (600.0, 600), (601.0, 600), (1e9, 600), (math.inf, 600), (-5.0, 1),
        (math.nan, 1),
    ],
)  # fmt: skip
def test_what_the_server_asked_for_counts_up_to_ten_minutes(asked, pause_s):
    assert Backoff(lambda: 1.0).failed(Answer(Outcome.RETRY, "", asked, 503)) == pause_s


# -- how many at once


def after(*ends: Answer | None, most: int = 500) -> int:
    size = BatchSize(most)
    for end in ends:
        size.take(end)
    return size.points


RESET = Answer(Outcome.RETRY, "reset", may_be_size=True)
BUSY, HELD = Answer(Outcome.RETRY, "503", status=503), Answer(Outcome.HOLD, "401", status=401)


def test_whoever_breaks_off_twice_gets_half_as_many_down_to_one():
    assert [after(*[RESET] * n) for n in range(6)] == [500, 500, 250, 250, 125, 125]
    assert after(*[RESET] * 100) == 1


def test_an_answer_is_no_reason_for_less():
    assert after(*[BUSY] * 9, *[HELD] * 9) == 500


def test_who_is_not_reached_has_not_seen_the_size():
    assert after(*[AWAY] * 1000) == 500
    assert after(*[RESET, AWAY] * 2) == 250


def test_every_success_doubles_it_up_to_the_most():
    assert [after(*[RESET] * 100, *[None] * n) for n in (1, 2, 8, 9, 50)] == [2, 4, 256, 500, 500]
    assert after(RESET, None, RESET) == 500  # not in a row


def test_a_server_that_closes_on_what_is_too_large_gets_everything_in_the_end():
    """As influxd does while a body is still on its way: no 413 is ever heard."""
    size, largest, left, rounds = BatchSize(500), 60, 1000, 0
    while left:
        rounds += 1
        batch = min(size.points, left)
        if batch <= largest:
            left -= batch
        size.take(None if batch <= largest else RESET)
        assert rounds < 200


def test_where_nothing_of_a_small_batch_was_taken_more_lines_join():
    size = BatchSize(500)
    size.points = 1
    for expected in (2, 4, 8):
        size.take(Answer(Outcome.HOLD, "400 refused", status=400))
        assert size.points == expected
