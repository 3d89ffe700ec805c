"""A real node in its own process: switched off at any moment, talked to by strangers, and silent about who walked when."""

import random

import pytest
from node_desk import START_MS, Desk, walk

import streetwire
from tests.real_parts import needs

MINUTE_MS = 60_000

pytestmark = [needs("micropython"), needs("pty")]


def test_a_node_without_power_for_a_while_goes_on_and_says_nothing_twice_differently(tmp_path):
    flash = tmp_path / "flash"
    everything: dict[int, bytes] = {}
    incarnations = set()
    last_boot = last_seq = watermark = 0
    for boot, (until_ms, answers) in enumerate(
        [(150_000, True), (130_000, False), (4_000, False), (200_000, False), (65_000, True), (90_000, True)], start=1
    ):
        with Desk(flash, seen=walk(10_000) + walk(70_000), answers=answers, watermark=watermark) as desk:
            desk.run_until(until_ms)
            hello = desk.messages(streetwire.Hello)[0]
            assert hello.boot == boot == last_boot + 1
            assert hello.next_seq > last_seq
            assert hello.next_seq == 1 or hello.next_seq // 256 > last_seq // 256
            incarnations.add(hello.incarnation)
            for message in desk.messages(streetwire.RecordMessage):
                record = message.record
                assert everything.setdefault(record.seq, record.pack()) == record.pack()
            watermark = desk.watermark
            last_boot = boot
            last_seq = max([hello.next_seq - 1] + list(everything))
    assert len(incarnations) == 1
    boots = {streetwire.unpack_record(body).boot for body in everything.values()}
    assert boots == {1, 2, 4, 5, 6}  # the third boot was cut before it closed a minute
    assert sorted(everything)[-1] == watermark


def test_what_was_not_acknowledged_is_delivered_after_a_power_cut(tmp_path):
    flash = tmp_path / "flash"
    with Desk(flash, seen=walk(10_000) + walk(70_000), answers=False) as silent:
        silent.run_until(185_000)
        assert silent.messages(streetwire.RecordMessage) == []
    with Desk(flash) as desk:
        desk.run_until(20_000)
        old = [r for r in desk.accepted.values() if r.boot == 1]
        assert [(r.bin_start, r.d_ab, r.total_ab) for r in old] == [(0, 1, 1), (0, 1, 2), (0, 0, 2)]
        assert [r.uptime_end_s for r in old] == [60, 120, 180]


def test_what_was_acknowledged_is_not_sent_again(tmp_path):
    flash = tmp_path / "flash"
    with Desk(flash) as desk:
        watermark = desk.run_until(125_000).watermark
        assert watermark >= 2
    with Desk(flash, watermark=watermark) as desk:
        desk.run_until(65_000)
        assert {m.record.boot for m in desk.messages(streetwire.RecordMessage)} == {2}


def test_a_cut_at_any_moment_of_a_minute_loses_no_closed_minute(tmp_path):
    flash = tmp_path / "flash"
    rng = random.Random(3)
    closed = {}
    for _ in range(6):
        with Desk(flash, seen=walk(10_000)) as desk:  # its gateway knows of nothing: the log must still have everything
            desk.run_until(rng.randrange(61_000, 150_000))
            assert {seq: desk.accepted[seq] for seq in closed} == closed
            closed.update(desk.accepted)
    assert len(closed) >= 6


def garbage(rng, node, incarnation):
    other = [(node ^ 1, incarnation), (node, incarnation ^ 1), (0, 0), (0xFFFFFF, 0xFFFFFFFF)]
    for address in other:
        yield streetwire.encode_frame(streetwire.Ack(*address, 0xFFFFFFF).encode())
        yield streetwire.encode_frame(streetwire.Time(*address, START_MS * 2).encode())
        yield streetwire.encode_frame(streetwire.Command(*address, streetwire.RESEND_FROM, 1).encode())
    own = (node, incarnation)
    yield streetwire.encode_frame(streetwire.Ack(*own, 0xFFFFFFFF).encode())
    yield streetwire.encode_frame(streetwire.Command(*own, 99, 0xFFFFFFFF).encode())
    yield streetwire.encode_frame(streetwire.Command(*own, streetwire.RESEND_FROM, 0xFFFFFFFF).encode())
    yield streetwire.encode_frame(streetwire.Hello(*own, 1, 1, 1, 1, 1, "a", "b", "c", "d").encode())
    yield streetwire.encode_frame(b"\x24" + bytes(20))  # another version
    yield streetwire.encode_frame(streetwire.Time(*own, 2**64 - 1).encode())
    yield b"\x03\x04\x01\x02\r\n>>> import machine\r\n"  # what a terminal program would send
    yield bytes(rng.randrange(1, 256) for _ in range(1500))
    yield rng.randbytes(700)
    frame = streetwire.encode_frame(streetwire.Ack(*own, 0).encode())
    yield frame[: len(frame) // 2]


def test_a_node_that_hears_nonsense_keeps_counting_and_answering(tmp_path):
    rng = random.Random(4)
    with Desk(tmp_path / "flash", seen=[r for t in range(5000, 290_000, 20_000) for r in walk(t)]) as desk:
        desk.run_until(2000)
        hello = desk.messages(streetwire.Hello)[0]
        noises = list(garbage(rng, hello.node, hello.incarnation))
        for i, noise in enumerate(noises):
            desk.node.hear(noise + b"\x00")
            desk.run_until(5000 + i * 10_000)
        hellos = len(desk.messages(streetwire.Hello))
        desk.hear(streetwire.Command(hello.node, hello.incarnation, streetwire.SAY_HELLO))
        desk.run_until(310_000)
        assert len(desk.messages(streetwire.Hello)) > hellos
        assert sum(r.d_ab for r in desk.accepted.values()) == 15
        assert sum(r.d_ba for r in desk.accepted.values()) == 0
        timed = [r for r in desk.accepted.values() if r.bin_start]
        assert [r.bin_start for r in timed] == [START_MS // 1000 + 60 * i for i in range(len(timed))]
        lost = dict(desk.messages(streetwire.Live)[-1].objects)[streetwire.ID_OF["frames_lost"]]
        assert lost >= 4
        assert b"Traceback" not in desk.raw


def test_a_restored_gateway_gets_old_records_by_asking(tmp_path):
    with Desk(tmp_path / "flash", seen=walk(10_000)) as desk:
        desk.run_until(185_000)
        before = dict(desk.accepted)
        hello = desk.messages(streetwire.Hello)[0]
        desk.accepted.clear()
        desk.watermark = 0
        desk.hear(streetwire.Command(hello.node, hello.incarnation, streetwire.RESEND_FROM, 1))
        desk.run_until(190_000)
        assert {seq: desk.accepted[seq] for seq in before} == before


@pytest.mark.parametrize("offset_ms", [0, 37_000])
def test_the_same_counts_in_every_ten_seconds_give_the_same_bytes(tmp_path, offset_ms):
    """The whole wire output with free heap and all, for people who walk at other moments, on other lanes."""
    counts = [random.Random(5).choice([-1, 0, 1]) for _ in range(60)]
    raws = []
    for seed in (6, 7):
        rng = random.Random(seed)
        seen = []
        for slot, direction in enumerate(counts):
            if direction and slot > 3:
                # Slots stand on the tens of seconds of UTC. The line is crossed 1.5 s after a walk begins.
                start_ms = slot * 10_000 - offset_ms % 10_000
                seen += walk(start_ms + rng.randrange(0, 70) * 100, direction, rng.randrange(1000, 3000))
        with Desk(tmp_path / f"flash-{seed}", seen=seen, utc_ms=START_MS + offset_ms) as desk:
            desk.run_until(600_000)
            raws.append(desk.raw)
            assert sum(r.d_ab + r.d_ba for r in desk.accepted.values()) > 20
    assert raws[0] == raws[1]
