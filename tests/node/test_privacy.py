"""Nothing finer than ten seconds leaves a node: what it says depends on how many passed in each ten seconds, not on when."""

import random

import pytest
from app_bench import AB, BA, INCARNATION, MINUTE, NODE, Bench
from dialect import ticks_diff
from ram_radio import RamRadio
from ramnvs import RamNvs

import streetwire
from node.links.ble import BleLink
from node.vault import COUNTER, KEY, Vault

SLOT_MS = 10_000
MARGIN_MS = 300  # a passage is decided a beat or two after it happened; what is near a tick may fall on either side


def passages(rng, counts, first_ms):
    """As many as `counts` says in each slot, each at a moment of its own."""
    out = []
    for slot, (ab, ba) in enumerate(counts):
        start = first_ms + slot * SLOT_MS
        for direction in [AB] * ab + [BA] * ba:
            out.append((rng.randrange(start + MARGIN_MS, start + SLOT_MS - MARGIN_MS), direction))
    return out


def said(moments, offset_ms, correction_ms=0, corrected_ms=250_000):
    """Everything on the wire in ten minutes, with its times. The node hears the time as it starts: so far into a minute."""
    hears = [(0, streetwire.Ack(NODE, INCARNATION, 0)), (0, streetwire.Time(NODE, INCARNATION, MINUTE * 1000 + offset_ms))]
    if correction_ms:
        later = MINUTE * 1000 + offset_ms + corrected_ms + correction_ms
        hears.append((corrected_ms, streetwire.Time(NODE, INCARNATION, later)))
    bench = Bench(moments, hears).run(600_000)
    assert bench.messages(streetwire.RecordMessage)
    assert bench.messages(streetwire.Live)
    return bench.said


@pytest.mark.parametrize("offset_ms", [0, 30_000, 37_000, 59_500])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_counts_in_every_ten_seconds_give_the_same_bytes(seed, offset_ms):
    rng = random.Random(seed)
    first_ms = -offset_ms % SLOT_MS  # ticks stand on the ten seconds of UTC once the time is known
    counts = [(rng.randrange(4), rng.randrange(4)) for _ in range(50)]
    one = said(passages(rng, counts, first_ms), offset_ms)
    other = said(passages(rng, counts, first_ms), offset_ms)
    assert one == other


def broadcast(said):
    """[(t_ms, advert with its plain text), ...] of a node on the air that says this."""
    radio = RamRadio()
    vault = Vault(RamNvs({KEY: bytes(16), COUNTER: bytes(4)}))
    in_the_clear = lambda nonce, plain: plain + bytes(4)  # noqa: E731
    link = BleLink(radio, NODE, vault, in_the_clear, None, (radio.ticks_ms, ticks_diff), None)
    adverts = []
    for t_ms, payload in said:
        message = streetwire.decode(payload)
        if message.kind == streetwire.LIVE:
            assert link.send(message)
            adverts.append((t_ms, radio.adverts[-1][0]))
    return adverts


@pytest.mark.parametrize("seed", range(2))
def test_the_same_counts_in_every_ten_seconds_give_the_same_adverts(seed):
    rng = random.Random(seed)
    counts = [(rng.randrange(4), rng.randrange(4)) for _ in range(50)]
    one, other = (broadcast(said(passages(rng, counts, 0), 0)) for _ in range(2))
    assert one == other
    assert len({advert[7:] for _, advert in one}) == len(one) > 50
    later = broadcast(said(passages(rng, [(1, 0), *counts[1:]], 0), 0))
    assert (later == one) == (counts[0] == (1, 0))


@pytest.mark.parametrize("offset_ms", [0, 37_000, 59_500])
@pytest.mark.parametrize("corrected_ms", [250_000, 260_500, 296_000])
@pytest.mark.parametrize("correction_ms", [0, -15, 15, 400, -400, 2000, -2000])
def test_totals_are_never_told_at_a_finer_beat(offset_ms, correction_ms, corrected_ms):
    """Totals are told where a live message or a new record stands; a small correction of the clock may cost two seconds."""
    told = moments(said([], offset_ms, correction_ms, corrected_ms))
    assert finest(told) >= SLOT_MS - abs(correction_ms) - 100


@pytest.mark.parametrize("step_ms", [-3_600_000, -7777, 2500])
@pytest.mark.parametrize("heard_ms", [200, 4300, 15_250, 59_900])
def test_neither_the_first_time_of_a_boot_nor_a_step_of_the_clock_tells_totals_at_a_finer_beat(heard_ms, step_ms):
    """Counted from the start of the boot. What the next tick waits for may cost the two seconds of a correction, no more."""
    for offset_ms in (3000, 37_000, 53_000, 59_500):
        first_ms = MINUTE * 1000 + offset_ms
        stepped_ms = first_ms + 104_000 - heard_ms + step_ms
        hears = [
            *[(t_ms, streetwire.Ack(NODE, INCARNATION, n)) for n in range(6) for t_ms in range(0, 200_000, 5000)],
            (heard_ms, streetwire.Time(NODE, INCARNATION, first_ms)),
            (104_000, streetwire.Time(NODE, INCARNATION, stepped_ms)),
        ]
        told = moments(Bench([], hears).run(200_000).said)
        assert finest([0, *told]) >= SLOT_MS - 2000 - 100
        assert max(b - a for a, b in zip(told, told[1:], strict=False)) < 2 * SLOT_MS


def moments(bench_said):
    """When totals were told: by a live message, or by a record that was not sent before."""
    found = set()
    seen = set()
    for t_ms, payload in bench_said:
        message = streetwire.decode(payload)
        if isinstance(message, streetwire.Live):
            found.add(t_ms)
        elif isinstance(message, streetwire.RecordMessage) and message.record.seq not in seen:
            seen.add(message.record.seq)
            found.add(t_ms)
    return sorted(found)


def finest(told):
    return min(b - a for a, b in zip(told, told[1:], strict=False))


def test_different_counts_give_different_bytes():
    assert said([(5000, AB)], 0) != said([(15_000, AB)], 0) != said([(15_000, BA)], 0)
