"""What stands between a node without a cable and the gateway's process: messages, what a new process is told, and the witness."""

import hashlib
import struct

import pytest

import streetwire
from gateway.radio.conversation import Conversation
from gateway.radio.keys import NodeKey
from node.session import Session
from tools.street.aerial import ACTIVE, ADVERTISE, CONNECTED, DISCONNECTED, NOTIFY, SERVICES, WRITTEN, Aerial

NODE = 0x51A004
KEY = NodeKey("tr-51a004", "24:DC:C3:51:A0:04", bytes(range(16)))
LIVE = streetwire.Live(NODE, 7, 1, 100, 3, 4, [])


def message(kind, content=b""):
    return struct.pack("<BH", kind, len(content)) + content


def advert(content, interval_us=2_000_000, connectable=1):
    return struct.pack("<IB", interval_us, connectable) + content


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_messages_come_out_of_any_portions(size):
    aerial = Aerial(KEY)
    stream = message(ACTIVE, b"\x01") + message(SERVICES) + message(ADVERTISE, advert(b"abc"))
    found = [row for at in range(0, len(stream), size) for row in aerial.messages(stream[at : at + size])]
    assert found == [(ACTIVE, b"\x01"), (SERVICES, b""), (ADVERTISE, advert(b"abc"))]


def test_a_new_process_is_told_what_stands_and_nothing_that_is_over():
    aerial = Aerial(KEY)
    aerial.messages(message(ACTIVE, b"\x01") + message(SERVICES, b"s") + message(ADVERTISE, advert(b"old")))
    aerial.messages(message(NOTIFY, b"\x01\x02") + message(ADVERTISE, advert(b"new")))
    assert aerial.standing() == [(ACTIVE, b"\x01"), (SERVICES, b"s"), (ADVERTISE, advert(b"new"))]


def test_an_advert_without_content_goes_on_with_the_newest():
    aerial = Aerial(KEY)
    aerial.messages(message(ADVERTISE, advert(b"abc")))
    assert aerial.messages(message(ADVERTISE, advert(b"", connectable=0))) == [(ADVERTISE, advert(b"abc", connectable=0))]


def test_who_is_connected_when_the_gateway_dies_hears_of_it_once():
    aerial = Aerial(KEY)
    assert aerial.gateway_died() is None
    aerial.event(bytes((CONNECTED, 3)))
    assert aerial.gateway_died() == bytes((DISCONNECTED, 3))
    assert aerial.gateway_died() is None
    aerial.event(bytes((CONNECTED, 3)))
    aerial.event(bytes((DISCONNECTED, 3)))
    assert aerial.gateway_died() is None


class Talk:
    """A node and a gateway on a connection that the aerial overhears."""

    def __init__(self, aerial):
        self.aerial = aerial
        aerial.event(bytes((CONNECTED, 1)))
        self.node = Session(NODE, 7, hashlib.sha256, KEY.key, bytes)
        self.gateway = Conversation(KEY, b"n" * streetwire.NONCE_SIZE)

    def to_node(self, data):
        self.aerial.event(bytes((WRITTEN, 1, 1)) + data)
        return streetwire.Deframer().feed(data)

    def to_gateway(self, payload):
        data = streetwire.encode_frame(payload)
        for at in range(0, len(data), 20):  # as notifications cut it
            self.aerial.messages(message(NOTIFY, b"\x01\x02" + data[at : at + 20]))
        return self.gateway.hear(data)

    def prove(self):
        (challenge,) = self.to_node(self.gateway.begin())
        self.to_gateway(self.node.answer(challenge, 42))
        (proof,) = self.to_node(self.gateway.to_send())
        self.node.take_proof(proof)


def test_the_witness_understands_what_is_sealed_also_on_the_next_connection():
    aerial = Aerial(KEY)
    for total in (3, 5):
        talk = Talk(aerial)
        talk.prove()
        talk.to_gateway(talk.node.close(streetwire.Live(NODE, 7, 1, 100, total, 4, [])))
        assert aerial.witness.live == (total, 4)
        aerial.event(bytes((DISCONNECTED, 1)))


def test_what_a_gateway_without_the_key_hears_is_witnessed_to_nobody():
    aerial = Aerial(KEY)
    talk = Talk(aerial)
    (challenge,) = talk.to_node(talk.gateway.begin())
    talk.to_gateway(talk.node.answer(challenge, 42))
    assert aerial.witness.records == {}
    assert aerial.witness.live == (0, 0)
