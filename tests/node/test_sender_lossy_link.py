# Node log and sender against a gateway of ten lines, over a link that loses, delays and repeats: in the end everything is
# there once and in order, whatever was lost, and the log's ring is the only place where a record can be given up.

from dialect import Chance
from ramflash import RamFlash

import streetwire
from node.log import RecordLog
from node.sender import MAX_RETRY_MS, Sender

BEAT_MS = 100


class Gateway:
    """Accepts what follows its watermark, as gateway/session does; answers everything with its watermark."""

    def __init__(self):
        self.watermark = 0
        self.accepted = {}

    def hear(self, previous, seq, uptime):
        if seq > self.watermark and previous <= self.watermark:
            assert seq not in self.accepted
            self.accepted[seq] = uptime
            self.watermark = seq
        return self.watermark


class Link:
    """Carries things in order, after a while, and loses some. `loses` is in percent."""

    def __init__(self, chance, loses, delay_ms):
        self._chance = chance
        self.loses = loses
        self._delay_ms = delay_ms
        self._under_way = []

    def put(self, now_ms, thing):
        if self._chance.below(100) >= self.loses:
            self._under_way.append((now_ms + self._chance.below(self._delay_ms + 1), thing))

    def take(self, now_ms):
        out = []
        while self._under_way and self._under_way[0][0] <= now_ms:
            out.append(self._under_way.pop(0)[1])
        return out


class Street:
    def __init__(self, seed, loses, delay_ms, blocks=16):
        self.chance = Chance(seed)
        self.there = Link(self.chance, loses, delay_ms)
        self.back = Link(self.chance, loses, delay_ms)
        self.flash = RamFlash(blocks)
        self.gateway = Gateway()
        self.given = {}
        self.now_ms = 0
        self.boot()

    def boot(self):
        self.log = RecordLog(self.flash, lambda: 7)
        self.sender = Sender(self.log)
        self._booted_ms = self.now_ms

    def append(self):
        record = streetwire.Record(0, 0, 0, len(self.given) + 1, 60, 0, 0, 0, 0)
        self.log.append(record)
        self.given[record.seq] = record.uptime_end_s

    def run(self, ms):
        for _ in range(ms // BEAT_MS):
            self.now_ms += BEAT_MS
            uptime_ms = self.now_ms - self._booted_ms
            for watermark in self.back.take(self.now_ms):
                self.sender.on_ack(watermark, uptime_ms)
            if self.sender.is_hello_due(uptime_ms):
                self.there.put(self.now_ms, None)
            for _ in range(4):
                due = self.sender.next_record(uptime_ms)
                if due is None:
                    break
                self.there.put(self.now_ms, (due[0], due[1].seq, due[1].uptime_end_s))
                self.sender.sent(due[1])
            for heard in self.there.take(self.now_ms):
                answer = self.gateway.hear(*heard) if heard else self.gateway.watermark
                self.back.put(self.now_ms, answer)

    def settle(self):
        self.there.loses = self.back.loses = 0
        self.run(4 * MAX_RETRY_MS)


def test_a_link_that_loses_delivers_everything_in_the_end():
    for seed, loses, delay_ms in ((1, 0, 0), (2, 10, 300), (3, 30, 1000), (4, 60, 4000), (5, 90, 200)):
        street = Street(seed, loses, delay_ms)
        for _ in range(60):
            street.append()
            street.run(2000)
        street.settle()
        assert street.gateway.accepted == street.given
        assert street.sender.acked == max(street.given)


def test_a_whole_backlog_goes_through_a_bad_link():
    street = Street(6, 25, 500)
    for _ in range(80):
        street.append()
    street.run(300000)
    street.settle()
    assert street.gateway.accepted == street.given


def test_a_good_link_carries_a_backlog_without_sending_anything_twice():
    street = Street(7, 0, 50)
    for _ in range(100):
        street.append()
    street.run(20000)
    assert street.gateway.accepted == street.given
    assert street.sender.resends == 0


def test_a_node_that_starts_again_delivers_what_was_left():
    street = Street(8, 20, 500)
    for _boot in range(6):
        for _ in range(5):
            street.append()
            street.run(1500)
        street.boot()
    street.settle()
    assert street.gateway.accepted == street.given


def test_after_a_long_silence_the_newest_part_is_delivered_and_nothing_blocks_it():
    street = Street(9, 100, 0, blocks=3)
    for _ in range(60):
        street.append()
        street.run(500)
    held = street.log.first_held
    street.settle()
    assert street.gateway.accepted == {seq: street.given[seq] for seq in street.given if seq >= held}
    assert len(street.gateway.accepted) >= 14


def test_a_gateway_that_lost_the_newest_gets_it_by_asking():
    street = Street(10, 0, 0)
    for _ in range(20):
        street.append()
    street.run(10000)
    street.gateway.accepted = {seq: street.given[seq] for seq in street.given if seq <= 12}
    street.gateway.watermark = 12
    street.sender.resend_from(13, street.now_ms)
    street.run(10000)
    assert street.gateway.accepted == street.given
