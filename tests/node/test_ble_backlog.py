# A day of records over the air: sender, link and a gateway whose acknowledgements take their time, beat by beat.

from test_ble_link import INCARNATION, NODE, Bench

import streetwire
from node.app import BEAT_MS, MAX_FRAMES_PER_BEAT
from node.sender import Sender

DAY = 1440


class Held:
    """A log that holds so many records."""

    def __init__(self, n):
        self.next_seq = n + 1

    def next_after(self, seq):
        return streetwire.Record(seq + 1, 1, 0, seq, 60, 0, 0, 0, 0) if seq + 1 < self.next_seq else None


def seconds_for(records, ack_ms, mtu, acks_each):
    bench = Bench()
    gateway = bench.proven(mtu)
    sender = Sender(Held(records))
    sender.on_ack(0, 0)
    acks, newest, began_ms = [], 0, bench.radio.now_ms
    while sender.acked < records:
        while acks and acks[0][0] <= bench.radio.now_ms + BEAT_MS:
            gateway.tell(streetwire.Ack(NODE, INCARNATION, acks.pop(0)[1]))
        now_ms = bench.radio.now_ms
        for message in bench.beat():
            sender.on_ack(message.watermark, now_ms)
        assert not sender.is_hello_due(now_ms)
        for _ in range(MAX_FRAMES_PER_BEAT):
            due = sender.next_record(now_ms)
            if due is None or not bench.link.send(streetwire.RecordMessage(NODE, INCARNATION, *due)):
                break
            sender.sent(due[1])
        heard = gateway.told()
        for i, message in enumerate(heard):
            assert message.previous == newest
            newest = message.record.seq
            if acks_each or i == len(heard) - 1:
                acks.append((bench.radio.now_ms + ack_ms, newest))
    assert sender.resends == 0
    return (bench.radio.now_ms - began_ms) // 1000


def test_a_day_goes_in_well_under_a_minute():
    for ack_ms, mtu, acks_each, limit_s in ((50, 247, True, 40), (200, 23, False, 40), (299, 247, True, 56), (299, 247, False, 56)):
        assert seconds_for(DAY, ack_ms, mtu, acks_each) < limit_s
