"""gateway.radio.conversation: both sides prove that they hold the key, and then only this node is heard."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streetwire
from gateway.radio.conversation import Conversation
from gateway.radio.keys import NodeKey
from tests.gateway.parts import INCARNATION, NODE, hello, live, minute, records
from tests.gateway.radio.radio_node import KEY, OTHER_KEY, RadioNode

NONCE = bytes(range(streetwire.NONCE_SIZE))
SAY_HELLO = streetwire.Command(NODE, INCARNATION, streetwire.SAY_HELLO)


def proven(node: RadioNode) -> Conversation:
    conversation = Conversation(node.key, NONCE)
    node.connected()
    assert conversation.hear(node.hear(conversation.begin())) == []
    node.hear(conversation.to_send())
    return conversation


def over(conversation: Conversation, chunk: bytes) -> str:
    with pytest.raises(streetwire.WireError) as caught:
        conversation.hear(chunk)
    return caught.value.reason


def test_both_sides_prove_themselves_and_the_node_tells_its_counter():
    node = RadioNode(counter=4711)
    conversation = proven(node)
    assert conversation.is_proven
    assert node.is_proven
    assert (conversation.incarnation, conversation.counter) == (INCARNATION, 4711)
    assert conversation.to_send() == b"", "once is enough"


def test_nothing_is_proven_by_asking():
    conversation = Conversation(KEY, NONCE)
    asked = streetwire.decode(streetwire.Deframer().feed(conversation.begin())[0])
    assert asked == streetwire.Challenge(NODE, 0, NONCE)
    assert not conversation.is_proven
    assert conversation.to_send() == b""
    with pytest.raises(streetwire.WireError):
        conversation.seal(SAY_HELLO)


@given(st.integers(1, 300))
def test_a_backlog_comes_through_in_portions_of_any_size(size):
    node = RadioNode(next_seq=41)
    conversation = proven(node)
    told = node.hear(conversation.seal(SAY_HELLO)) + b"".join(node.say(message) for message in records(1, 40))
    payloads = [payload for at in range(0, len(told), size) for payload in conversation.hear(told[at : at + size])]
    assert [streetwire.decode(payload) for payload in payloads] == [hello(next_seq=41), *records(1, 40)]
    assert conversation.hello == hello(next_seq=41)


def test_what_the_gateway_says_arrives():
    node = RadioNode()
    conversation = proven(node)
    said = [streetwire.Ack(NODE, INCARNATION, 7), streetwire.Time(NODE, INCARNATION, 1_800_000_000_000)]
    for message in said:
        node.hear(conversation.seal(message))
    assert node.heard == said


def test_it_is_done_when_all_is_acknowledged_that_the_hello_spoke_of():
    node = RadioNode(next_seq=41)
    conversation = proven(node)
    assert not conversation.is_done(1000), "the node has not said what it has"
    conversation.hear(node.hear(conversation.seal(SAY_HELLO)))
    assert not conversation.is_done(39)
    assert conversation.is_done(40)


# -- over


def test_a_node_with_another_key():
    conversation = Conversation(KEY, NONCE)
    node = RadioNode(NodeKey(KEY.node, KEY.address, bytes(16)))
    assert over(conversation, node.hear(conversation.begin())) == "proof"
    assert not conversation.is_proven
    assert conversation.to_send() == b""


def test_another_node():
    conversation = Conversation(KEY, NONCE)
    assert over(conversation, RadioNode(OTHER_KEY).hear(conversation.begin())) == "node"


def test_an_answer_to_another_challenge():
    conversation = Conversation(KEY, NONCE)
    old = RadioNode().hear(Conversation(KEY, NONCE[::-1]).begin())
    assert over(conversation, old) == "proof"


@pytest.mark.parametrize("bit", range(0, 8 * 28, 3))
def test_an_answer_of_which_a_bit_was_turned(bit):
    conversation = Conversation(KEY, NONCE)
    payload = bytearray(streetwire.Deframer().feed(RadioNode().hear(conversation.begin()))[0])
    payload[-1 - bit // 8] ^= 1 << bit % 8
    assert over(conversation, streetwire.encode_frame(payload)) == "proof"


def test_what_is_said_before_the_answer():
    assert over(Conversation(KEY, NONCE), streetwire.encode_frame(hello().encode())) == "kind"


def test_another_protocol():
    assert over(Conversation(KEY, NONCE), b"AT+OK\r\n\x00") == "frame"


def test_a_stream_without_an_end():
    conversation = Conversation(KEY, NONCE)
    assert conversation.hear(b"x" * streetwire.MAX_FRAME) == []
    assert over(conversation, b"x") == "frame"


def test_silence_is_the_callers_affair():
    conversation = Conversation(KEY, NONCE)
    assert conversation.hear(b"") == []
    assert conversation.hear(b"\x00\x00\x00") == []
    assert not conversation.is_proven


def test_a_frame_that_comes_twice():
    node = RadioNode()
    conversation = proven(node)
    once = node.say(live())
    assert conversation.hear(once)
    assert over(conversation, once) == "replayed"


def test_a_frame_of_an_earlier_conversation():
    node = RadioNode()
    proven(node)
    old = node.say(live())
    node.counter += 1  # as a node's always does; else its nonce tells them apart
    assert over(proven(node), old) == "seal"


def test_a_frame_in_the_clear():
    node = RadioNode()
    assert over(proven(node), streetwire.encode_frame(minute(1, 0).encode())) == "seal"


def test_what_the_gateway_said_sent_back_to_it():
    node = RadioNode()
    conversation = proven(node)
    assert over(conversation, conversation.seal(SAY_HELLO)) == "seal"


@pytest.mark.parametrize("message", [hello(node=0xB2), live(incarnation=INCARNATION + 1), minute(1, 0, node=0xB2)])
def test_a_message_of_another_node_or_log(message):
    node = RadioNode()
    assert over(proven(node), node.say(message)) == "node"


@pytest.mark.parametrize("message", [SAY_HELLO, streetwire.Ack(NODE, INCARNATION, 1), streetwire.Challenge(NODE, 0, NONCE)])
def test_a_message_that_no_node_says(message):
    node = RadioNode()
    assert over(proven(node), node.say(message)) == "kind"


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_nothing_yet_or_the_end(chunk, is_proven):
    conversation = proven(RadioNode()) if is_proven else Conversation(KEY, NONCE)
    with contextlib.suppress(streetwire.WireError):
        assert conversation.hear(chunk) == []
    assert conversation.is_proven == is_proven
