# The node on the air: adverts of the newest tick, a session for whoever holds the key, and nothing for anybody else.

from ciphers import keyed, opener, sealer, sha256
from dialect import Chance, raises, ticks_diff
from ram_radio import ADDRESS, Gateway, RamRadio
from ramnvs import RamNvs

import streetwire
from node.links.ble import PROVEN_MS, UNPROVEN_MS, BleLink
from node.links.cable_and_air import CableAndAir
from node.session import Session
from node.vault import BLOCK, COUNTER, KEY, Vault

NODE, INCARNATION = 0xA3F1C2, 0x5EED1234
SECRET = bytes(range(16, 32))
TEMPERATURE, HUMIDITY = streetwire.ID_OF["temperature_c"], streetwire.ID_OF["humidity_pct"]


def live(total_ab=7, total_ba=3, objects=((TEMPERATURE, -1234), (HUMIDITY, 5050))):
    return streetwire.Live(NODE, INCARNATION, 5, 100, total_ab, total_ba, objects)


def hello():
    return streetwire.Hello(NODE, INCARNATION, 5, 100, 1, 9, 1, "0.1.0", "pavement-radar", "radar,sht4x", "esp32")


def record(seq=1):
    body = streetwire.Record(seq, 5, 600, 60, 60, 1, 2, 3, 4)
    return streetwire.RecordMessage(NODE, INCARNATION, seq - 1, body)


class Bench:
    def __init__(self):
        self.radio = RamRadio()
        self.nvs = RamNvs({KEY: SECRET, COUNTER: bytes(4)})
        self.said = []
        chance = Chance(4)
        self.link = BleLink(
            self.radio, NODE, Vault(self.nvs), sealer(SECRET),
            lambda: Session(NODE, INCARNATION, sha256, SECRET, chance.bytes),
            (self.radio.ticks_ms, ticks_diff), lambda level, text: self.said.append((level, text)),
        )  # fmt: skip

    def beat(self, n=1):
        heard = []
        for _ in range(n):
            self.radio.now_ms += 100
            heard += self.link.receive()
        return heard

    def advert(self):
        """What is broadcast now, opened."""
        broadcast = self.radio.adverts[-1][0]
        assert broadcast[:3] == b"\x02\x01\x06" and broadcast[4:7] == b"\x16\xd2\xfc" and broadcast[3] == len(broadcast) - 4
        return streetwire.unpack_advert(broadcast[7:], ADDRESS, opener(SECRET))

    def connected(self, key=SECRET, mtu=247):
        """A gateway that has connected; the node broadcasts."""
        self.link.send(live())
        self.beat()
        self.radio.connect()
        self.radio.exchange_mtu(mtu)
        self.beat()
        return Gateway(self.radio, NODE, key)

    def proven(self, mtu=247):
        gateway = self.connected(mtu=mtu)
        gateway.challenge()
        self.beat()
        assert gateway.hear_answer()
        gateway.prove()
        self.beat()
        return gateway


def test_a_node_is_silent_until_its_first_live_message():
    bench = Bench()
    bench.beat(200)
    assert bench.radio.adverts == []
    assert not bench.link.send(record())
    assert bench.link.send(live())
    assert bench.advert() == streetwire.Advert(0, streetwire.boot_tag(INCARNATION, 5), 7, 3, -1234, 51)
    assert bench.radio.adverts[-1][1:] == (b"\x0a\x09TR-A3F1C2", True)


def test_every_live_message_is_a_new_advert_with_the_next_number():
    bench = Bench()
    for counter in range(5):
        bench.link.send(live(total_ab=65535 + counter))
        bench.beat(100)
        assert bench.advert().counter == counter
        assert bench.advert().total_ab == (65535 + counter) & 0xFFFF
    assert len(bench.radio.adverts) == 5
    assert {len(advert) for advert, _, _ in bench.radio.adverts} == {31}


def test_humidity_is_rounded_and_what_is_not_known_is_left_out():
    bench = Bench()
    for centi, percent in ((0, 0), (49, 0), (50, 1), (9949, 99), (9950, 100), (10000, 100)):
        bench.link.send(live(objects=((HUMIDITY, centi),)))
        assert (bench.advert().humidity_pct, bench.advert().temperature_centi) == (percent, None)
    bench.link.send(live(objects=((TEMPERATURE, 2150),)))
    assert (bench.advert().humidity_pct, bench.advert().temperature_centi) == (None, 2150)


def test_without_a_number_nothing_is_broadcast_and_one_line_says_so():
    bench = Bench()
    bench.link.send(live())
    for _ in range(BLOCK - 1):
        bench.link.send(live())
        bench.radio.adverts = []
    bench.nvs.broken_calls = {"commit"}
    assert [bench.link.send(live()) for _ in range(3)] == [False, False, False]
    assert bench.radio.adverts[-1] is None
    assert [level for level, _ in bench.said] == [3]
    bench.nvs.broken_calls = set()
    assert bench.link.send(live())
    assert bench.advert().counter == BLOCK


def test_an_advert_that_the_stack_does_not_take_is_set_with_a_later_beat():
    bench = Bench()
    bench.radio.refuses_adverts = True
    bench.link.send(live())
    bench.beat(3)
    bench.radio.refuses_adverts = False
    bench.beat()
    assert bench.advert().counter == 0
    bench.beat(5)
    assert len(bench.radio.adverts) == 1


def test_while_somebody_is_connected_adverts_go_on_and_nobody_else_can_connect():
    bench = Bench()
    bench.connected()
    assert bench.radio.adverts[-1][2] is False
    bench.link.send(live(total_ab=8))
    assert bench.radio.adverts[-1][2] is False
    assert bench.advert().total_ab == 8
    bench.radio.disconnect()
    bench.beat()
    assert bench.radio.adverts[-1][2] is True
    assert bench.advert().counter == 1


def test_a_second_connection_is_ended_and_the_first_goes_on():
    bench = Bench()
    gateway = bench.proven()
    other = bench.radio.connect()
    bench.beat()
    assert bench.radio.hang_ups == [other]
    bench.radio.disconnect(other)
    bench.beat()
    gateway.tell(streetwire.Ack(NODE, INCARNATION, 4))
    assert bench.beat() == [streetwire.Ack(NODE, INCARNATION, 4)]


def test_both_sides_prove_their_key_and_the_newest_live_message_comes_behind_a_hello():
    bench = Bench()
    gateway = bench.proven()
    assert gateway.answer.counter == 1
    assert bench.link.is_proven
    assert gateway.told() == []
    assert bench.link.send(hello())
    assert gateway.told() == [hello(), live()]
    assert bench.link.send(record())
    assert gateway.told() == [record()]
    gateway.tell(streetwire.Ack(NODE, INCARNATION, 1))
    gateway.tell(streetwire.Time(NODE, INCARNATION, 1700000000000))
    assert bench.beat() == [streetwire.Ack(NODE, INCARNATION, 1), streetwire.Time(NODE, INCARNATION, 1700000000000)]


def test_only_who_has_proven_is_told_anything():
    bench = Bench()
    gateway = bench.connected()
    assert not bench.link.send(record())
    gateway.challenge()
    bench.beat()
    assert gateway.hear_answer()
    assert not bench.link.send(record())
    assert bench.radio.fetch() == []


def test_notifications_fit_the_mtu_whatever_it_is():
    for mtu in (23, 24, 50, 247, 517, 0):
        bench = Bench()
        gateway = bench.proven(mtu)
        assert bench.link.send(record())
        parts = bench.radio.fetch()
        assert max([len(part) for part in parts]) <= max(mtu, 23) - 3
        bench.radio.notified = parts
        assert gateway.told() == [record()]


def test_a_stack_without_room_keeps_a_frame_that_began_and_gives_back_one_that_did_not():
    bench = Bench()
    gateway = bench.proven(mtu=23)
    heard = gateway.told()
    bench.radio.room = 1
    assert bench.link.send(record(1))
    assert not bench.link.send(record(2))
    for _ in range(9):
        heard += gateway.told()
        bench.beat()
    bench.radio.room = 0
    assert not bench.link.send(record(2))
    bench.radio.room = None
    bench.beat()
    assert gateway.told() == []
    assert bench.link.send(record(2))
    assert heard + gateway.told() == [record(1), record(2)]


def test_an_answer_that_finds_no_room_goes_out_later():
    bench = Bench()
    gateway = bench.connected()
    bench.radio.room = 0
    gateway.challenge()
    bench.beat(3)
    bench.radio.room = None
    bench.beat()
    assert gateway.hear_answer()


def test_a_notification_that_races_a_disconnect_is_no_error():
    bench = Bench()
    bench.proven()
    bench.radio.fetch()
    bench.radio.is_gone = True
    assert not bench.link.send(record())
    bench.radio.disconnect()
    assert not bench.link.send(record())
    bench.beat()
    assert not bench.link.is_proven
    assert bench.radio.adverts[-1][2] is True


def test_a_connection_that_goes_in_the_middle_of_a_beat_is_no_error():
    for says in (streetwire.Ack(NODE, INCARNATION, 5), streetwire.Challenge(NODE, 0, bytes(16))):
        bench = Bench()
        gateway = bench.connected()
        gateway.say(says.encode())
        bench.radio.while_reading = bench.radio.disconnect
        bench.beat()
        bench.radio.while_reading = lambda: None
        bench.beat()
        assert bench.radio.hang_ups == []
        bench.proven()


def test_what_was_written_just_before_a_peer_hung_up_is_heard():
    bench = Bench()
    gateway = bench.proven()
    gateway.tell(streetwire.Time(NODE, INCARNATION, 1700000000000))
    bench.radio.disconnect()
    assert bench.beat() == [streetwire.Time(NODE, INCARNATION, 1700000000000)]
    assert bench.beat() == []


def test_who_does_not_prove_itself_is_disconnected_after_five_seconds():
    for says in ("nothing", "challenge", "half a frame"):
        bench = Bench()
        gateway = bench.connected()
        if says == "challenge":
            gateway.challenge()
        elif says == "half a frame":
            bench.radio.write(b"\x00\x05abc")
        bench.beat(UNPROVEN_MS // 100)
        assert bench.radio.hang_ups == []
        bench.beat()
        assert bench.radio.hang_ups == [1]


def test_a_stack_that_does_not_hang_up_is_asked_again():
    bench = Bench()
    bench.connected()
    bench.beat(3 * UNPROVEN_MS // 100 + 5)
    assert bench.radio.hang_ups == [1, 1, 1]


def test_a_proven_gateway_that_falls_silent_is_disconnected_after_thirty_seconds():
    bench = Bench()
    gateway = bench.proven()
    for _ in range(3):
        bench.beat(PROVEN_MS // 100)
        gateway.tell(streetwire.Command(NODE, INCARNATION, streetwire.SAY_HELLO))
        assert len(bench.beat()) == 1
    bench.radio.write(b"\x00noise\x00" * 20)
    bench.beat(PROVEN_MS // 100)
    assert bench.radio.hang_ups == []
    bench.beat()
    assert bench.radio.hang_ups == [1]


def test_bytes_may_come_one_by_one():
    bench = Bench()
    gateway = bench.connected()
    for byte in streetwire.encode_frame(streetwire.Challenge(NODE, 0, gateway.nonce).encode()):
        bench.radio.write(bytes((byte,)))
        bench.beat()
    assert gateway.hear_answer()


def refused(first):
    """Hangs up at once on what `first(bench, gateway)` says, tells nothing, and serves the next one who connects."""
    bench = Bench()
    gateway = bench.connected()
    first(bench, gateway)
    bad = bench.link.frames_bad
    bench.beat()
    assert bench.radio.hang_ups == [1]
    assert bench.link.frames_bad == bad + 1
    gateway.challenge()
    assert bench.beat() == []
    assert bench.radio.fetch() == []
    bench.radio.disconnect()
    bench.beat()
    bench.proven()


def answered(bench, gateway):
    gateway.challenge()
    bench.beat()
    assert gateway.hear_answer()


def test_what_is_no_challenge_ends_the_connection():
    for payload in (
        streetwire.Ack(NODE, INCARNATION, 5).encode(),
        streetwire.Proof(NODE, INCARNATION, bytes(8)).encode(),
        streetwire.Challenge(NODE ^ 1, 0, bytes(16)).encode(),
        streetwire.Challenge(NODE, 0, bytes(15)).encode(),
        b"\x28" + bytes(24),
        b"GET / HTTP/1.1",
    ):
        refused(lambda bench, gateway, payload=payload: gateway.say(payload))


def test_a_second_challenge_ends_the_connection():
    def twice(bench, gateway):
        answered(bench, gateway)
        gateway.challenge()

    refused(twice)


def test_a_wrong_key_ends_the_connection():
    def strange(bench, gateway):
        gateway.challenge()
        bench.beat()
        gateway.mac = keyed(bytes(16))
        gateway.payloads()
        gateway.prove()

    refused(strange)
    bench = Bench()
    stranger = bench.connected(key=bytes(16))
    stranger.challenge()
    bench.beat()
    assert not stranger.hear_answer()


def test_a_proof_of_another_session_ends_the_connection():
    bench = Bench()
    old = bench.connected()
    answered(bench, old)
    bench.radio.disconnect()
    bench.beat()
    again = bench.connected()
    answered(bench, again)
    assert again.answer.nonce != old.answer.nonce
    again.mac = old.mac
    again.prove()
    bench.beat()
    assert bench.radio.hang_ups == [2]


def test_the_first_frame_with_a_wrong_seal_ends_the_session():
    ack = streetwire.Ack(NODE, INCARNATION, 4)

    def wrong_mac(gateway):
        sealed = bytearray(gateway.seal.close(ack.encode()))
        sealed[9] ^= 1
        return bytes(sealed)

    def mirrored(gateway):
        return own

    def replayed(gateway):
        sealed = gateway.seal.close(ack.encode())
        gateway.say(sealed)
        return sealed

    for heard, payload_of in ((0, wrong_mac), (0, mirrored), (1, replayed), (0, lambda gateway: ack.encode())):
        bench = Bench()
        gateway = bench.proven()
        bench.link.send(record())
        own = gateway.payloads()[0]
        gateway.say(payload_of(gateway))
        gateway.tell(ack)
        assert bench.beat() == [ack] * heard
        assert bench.radio.hang_ups == [1]
        assert not bench.link.send(record())


def test_what_a_peer_left_behind_is_not_the_next_ones():
    bench = Bench()
    gateway = bench.connected()
    gateway.say(streetwire.Ack(NODE, INCARNATION, 5).encode())
    bench.radio.disconnect()
    bench.beat()
    bench.proven()
    bench = Bench()
    bench.connected()
    bench.radio.write(b"\x00\x30half a frame")
    bench.beat()
    bench.radio.disconnect()
    bench.beat()
    bench.proven()


def test_floods_and_noise_cost_a_bounded_amount_and_end_by_themselves():
    bench = Bench()
    chance = Chance(9)
    for _ in range(20):
        bench.link.send(live())
        bench.beat()
        bench.radio.connect()
        for _ in range(60):
            bench.radio.write(chance.bytes(300) + b"\x00" * chance.below(3))
            bench.radio.write(chance.bytes(1 + chance.below(400)))
            assert bench.beat() == []
        assert bench.radio.hang_ups[-1] == bench.radio.connection
        bench.radio.disconnect()
        bench.beat()
    assert bench.radio.longest_read <= 512
    bench.proven()


def test_the_mirrored_seal_and_the_number_are_checked_in_both_directions():
    mac = keyed(bytes(32))
    node = streetwire.Seal(mac, streetwire.NODE_SAYS, streetwire.GATEWAY_SAYS)
    gateway = streetwire.Seal(mac, streetwire.GATEWAY_SAYS, streetwire.NODE_SAYS)
    first, second = node.close(b"one"), node.close(b"two")
    assert raises(streetwire.WireError, node.open, first).reason == "seal"
    assert gateway.open(second) == b"two"
    assert raises(streetwire.WireError, gateway.open, first).reason == "replayed"
    assert raises(streetwire.WireError, gateway.open, second).reason == "replayed"
    assert raises(streetwire.WireError, gateway.open, second[:12]).reason == "too short"
    for i in range(len(second)):
        broken = bytearray(node.close(b"two"))
        broken[i] ^= 0x40
        assert raises(streetwire.WireError, gateway.open, broken).reason == "seal"


class Cable:
    frames_bad = 2

    def __init__(self):
        self.sent = []
        self.heard = []

    def receive(self):
        heard, self.heard = self.heard, []
        return heard

    def send(self, message):
        self.sent.append(message)
        return True


def test_records_take_the_air_while_somebody_has_proven_to_listen_and_the_cable_else():
    bench, cable = Bench(), Cable()
    both = CableAndAir(cable, bench.link)
    assert both.send(record(1)) and both.send(live())
    gateway = bench.proven()
    cable.heard = [streetwire.Ack(1, 2, 3)]
    gateway.tell(streetwire.Ack(1, 2, 4))
    assert both.receive() == [streetwire.Ack(1, 2, 3), streetwire.Ack(1, 2, 4)]
    assert both.send(record(2)) and both.send(live(total_ab=9))
    assert cable.sent == [record(1), live(), live(total_ab=9)]
    assert gateway.told() == [record(2)]
    assert bench.advert().total_ab == 9
    sight = streetwire.Sight(1, 2, 0, 0, 0, ())
    assert both.send(sight)  # what tells moments of people stays on the cable
    assert cable.sent[-1] is sight
    assert not gateway.told()
    assert both.radio == "good"
    bench.link.is_silent = True
    assert both.radio == "failed"
    bench.radio.room = 0
    assert not both.send(record(3))
    assert both.frames_bad == 2
