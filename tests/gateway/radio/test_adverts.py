"""gateway.radio.adverts: only what a listed node has just said under its key is believed, and nothing of others is kept."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streetwire
from gateway.model import Advertised
from gateway.radio.adverts import COMPLAIN_EVERY_MS, MAX_FORGED, MINUTE_MS, REASONS, TWO_OF_ONE_KEY, Listener
from gateway.radio.keys import NodeKey
from tests.gateway.parts import NODE
from tests.gateway.radio.radio_node import KEY, OTHER_KEY, RadioNode, service_data

LINK = "ble:hci0"
FLOOR = 100
ADVERT = streetwire.Advert(FLOOR, 7, 12, 34, 2150, 48)
GOOD = service_data(KEY, ADVERT)


def listening(*keys: NodeKey, floor: int | None = FLOOR) -> Listener:
    keys = keys or (KEY,)
    listener = Listener({key.address: key for key in keys})
    for key in keys:
        if floor is not None:
            listener.spoken_to(key.number, floor)
    return listener


def hear(listener: Listener, data: bytes, key: NodeKey = KEY, steady_ms: int = 0) -> Advertised | None:
    return listener.hear(key.address, data, -60, LINK, 1_800_000_000_000, steady_ms)


def refusals(listener: Listener) -> dict[str, int]:
    return {reason: count for reason, count in listener.refused.items() if count}


# -- believed


def test_a_genuine_advert_is_told_as_it_was_sent():
    told = listening().hear("24:dc:c3:51:a0:02", GOOD, -61, LINK, 17, 4)
    assert told == Advertised(NODE, KEY.key_id, ADVERT, LINK, -61, 17, 4)


def test_the_layout_on_the_air_does_not_change_unnoticed():
    golden = bytes.fromhex("4123fb7bf0bb7ffee10e6398a0b2f3ed640000005c488c22")
    told = hear(listening(), golden)
    assert told is not None
    assert told.advert == ADVERT


def test_the_published_example_of_the_format_is_deciphered_and_is_not_ours():
    # bthome.io/encryption: temperature and humidity only
    key = NodeKey("tr-8f80a5", "54:48:E6:8F:80:A5", bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932"))
    data = bytearray.fromhex("41a47266c95f730011223378237214")
    listener = listening(key, floor=0)
    assert hear(listener, bytes(data), key) is None
    data[-1] ^= 1
    assert hear(listener, bytes(data), key) is None
    assert refusals(listener) == {"not ours": 1, "forged": 1}


def test_a_repeated_advert_is_neither_news_nor_a_replay():
    listener = listening()
    assert [hear(listener, GOOD) is not None for _ in range(5)] == [True, False, False, False, False]
    assert refusals(listener) == {}


def test_adverts_may_be_lost_but_never_come_back():
    node, listener = RadioNode(counter=FLOOR), listening()
    sent = [node.advert(ab) for ab in range(10)]
    assert hear(listener, sent[0])
    assert hear(listener, sent[9])
    assert not [data for data in sent[:9] if hear(listener, data)]
    assert refusals(listener) == {"replayed": 9}


def test_each_node_has_a_counter_of_its_own():
    first, second = RadioNode(KEY, FLOOR + 50), RadioNode(OTHER_KEY, FLOOR)
    listener = listening(KEY, OTHER_KEY)
    assert hear(listener, first.advert())
    assert hear(listener, second.advert(), OTHER_KEY)
    assert refusals(listener) == {}


# -- before and after a conversation


def test_nothing_is_believed_before_the_node_was_spoken_to():
    listener = listening(floor=None)
    assert hear(listener, GOOD) is None
    assert refusals(listener) == {"not spoken to": 1}
    listener.spoken_to(NODE, FLOOR)
    assert hear(listener, GOOD) is not None


def test_what_was_on_the_air_while_the_node_was_spoken_to_first_is_no_replay():
    node, listener = RadioNode(counter=FLOOR), listening(floor=None)
    on_air = node.advert()
    hear(listener, on_air)
    listener.spoken_to(NODE, node.counter)
    assert hear(listener, on_air) is None
    assert refusals(listener) == {"not spoken to": 1}
    assert hear(listener, node.advert())


def test_what_was_on_the_air_during_a_later_conversation_is_no_reason_to_complain():
    node, listener = RadioNode(counter=FLOOR), listening()
    earlier, lost = node.advert(), node.advert()
    assert hear(listener, earlier)
    listener.spoken_to(NODE, node.counter)
    assert hear(listener, lost) is None
    assert refusals(listener) == {"not spoken to": 1}
    assert listener.complaints(0) == []
    assert hear(listener, node.advert())


def test_what_was_on_the_air_is_believed_where_its_counter_is_not_used_up():
    node, listener = RadioNode(counter=FLOOR), listening(floor=None)
    on_air = node.advert()
    hear(listener, on_air)
    listener.spoken_to(NODE, node.counter - 1)
    assert hear(listener, on_air)


def test_a_conversation_never_lowers_the_floor():
    listener = listening(floor=FLOOR + 1)
    listener.spoken_to(NODE, 3)
    assert hear(listener, GOOD) is None
    assert refusals(listener) == {"replayed": 1}


# -- refused


@pytest.mark.parametrize("bit", range(8 * len(GOOD)))
def test_no_bit_can_be_turned(bit):
    bent = bytearray(GOOD)
    bent[bit // 8] ^= 1 << bit % 8
    listener = listening()
    assert hear(listener, bytes(bent)) is None
    assert sum(refusals(listener).values()) == 1
    assert hear(listener, GOOD), "and the genuine one is believed all the same"


@pytest.mark.parametrize("size", range(len(GOOD)))
def test_no_part_of_an_advert_is_believed(size):
    listener = listening()
    assert hear(listener, GOOD[:size]) is None
    assert sum(refusals(listener).values()) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x40\x02\xca\x09\x03\xbf\x13", "plaintext"),  # temperature and humidity of another maker, in the clear
        (b"\x40" + GOOD[1:], "plaintext"),  # a downgrade
        (b"\x61" + GOOD[1:], "not ours"),  # another version of the format
        (b"", "not ours"),
        (b"\x41" + bytes(8), "size"),
        (GOOD + bytes(200), "size"),
        (GOOD + b"\x00", "size"),
        (GOOD[:-4] + bytes(4), "forged"),
        (service_data(NodeKey(KEY.node, KEY.address, bytes(16)), ADVERT), "forged"),
        (service_data(NodeKey(KEY.node, OTHER_KEY.address, KEY.key), ADVERT), "forged"),  # sent from another address
    ],
)
def test_what_is_refused_is_counted_by_its_reason(data, reason):
    listener = listening()
    assert hear(listener, data) is None
    assert refusals(listener) == {reason: 1}
    assert {name: count for name, count in listener.refused_of(NODE).items() if count} == {reason: 1}


def test_another_node_is_not_blamed():
    listener = listening(KEY, OTHER_KEY)
    hear(listener, b"\x40", OTHER_KEY)
    assert not any(listener.refused_of(NODE).values())
    assert listener.refused_of(OTHER_KEY.number)["plaintext"] == 1


def test_a_copy_of_a_node_is_found_by_what_both_say_under_one_counter():
    node, copy, listener = RadioNode(counter=FLOOR), RadioNode(counter=FLOOR), listening()
    assert hear(listener, node.advert(5))
    assert hear(listener, copy.advert(9)) is None
    assert refusals(listener) == {TWO_OF_ONE_KEY: 1}
    assert hear(listener, node.advert(6)), "who was first goes on"


def test_what_a_stranger_said_before_the_first_conversation_makes_no_copy_of_the_node():
    node, listener = RadioNode(counter=FLOOR), listening(floor=None)
    hear(listener, GOOD[:-4] + bytes(4))
    on_air = node.advert()
    listener.spoken_to(NODE, node.counter)
    assert hear(listener, on_air) is None
    assert refusals(listener) == {"not spoken to": 2}


def test_a_stranger_is_counted_and_that_is_all():
    listener = listening()
    assert listener.hear("11:22:33:44:55:66", GOOD, -60, LINK, 0, 0) is None
    assert refusals(listener) == {"foreign": 1}
    assert not any(listener.refused_of(NODE).values())


# -- limits


def test_after_twenty_forged_ones_the_rest_of_the_minute_is_not_looked_at():
    node, listener = RadioNode(counter=FLOOR), listening()
    forged = service_data(NodeKey(KEY.node, KEY.address, bytes(16)), ADVERT)
    for k in range(MAX_FORGED + 5):
        hear(listener, forged, steady_ms=1_000 * k)
    assert refusals(listener) == {"forged": MAX_FORGED, "too many forged": 5}
    hidden = node.advert()
    assert hear(listener, hidden, steady_ms=MINUTE_MS - 1) is None
    assert hear(listener, hidden, steady_ms=MINUTE_MS)


def test_the_limit_is_each_nodes_own():
    listener = listening(KEY, OTHER_KEY)
    forged = service_data(NodeKey(KEY.node, KEY.address, bytes(16)), ADVERT)
    for _ in range(MAX_FORGED + 1):
        hear(listener, forged)
    assert hear(listener, service_data(OTHER_KEY, ADVERT), OTHER_KEY)


def test_a_complaint_comes_once_in_ten_minutes_with_all_since_the_last():
    listener = listening()
    assert listener.complaints(0) == []
    hear(listener, b"\x40")
    assert listener.complaints(5) == [(KEY.node, "plaintext", 1)]
    hear(listener, b"\x40")
    hear(listener, b"\x40")
    hear(listener, b"\x61")
    assert listener.complaints(COMPLAIN_EVERY_MS + 4) == [(KEY.node, "not ours", 1)]
    assert listener.complaints(COMPLAIN_EVERY_MS + 5) == [(KEY.node, "plaintext", 2)]
    assert listener.complaints(9 * COMPLAIN_EVERY_MS) == []


def test_strangers_and_a_new_start_are_no_reason_to_complain():
    listener = listening(floor=None)
    listener.hear("11:22:33:44:55:66", GOOD, -60, LINK, 0, 0)
    hear(listener, GOOD)
    assert set(refusals(listener)) == {"foreign", "not spoken to"}
    assert listener.complaints(COMPLAIN_EVERY_MS) == []


# -- laws


@given(st.text(max_size=20) | st.just(KEY.address), st.binary(max_size=300), st.booleans())
def test_no_bytes_and_no_address_raise_or_are_believed(address, data, is_known):
    listener = listening(floor=0 if is_known else None)
    assert listener.hear(address, data, -60, LINK, 0, 0) is None
    assert sum(listener.refused.values()) == 1
    assert set(listener.refused) == set(REASONS)


STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 3)),
    st.tuples(st.just("replay"), st.integers(0, 50)),
    st.tuples(st.just("bend"), st.integers(0, 5000)),
    st.tuples(st.just("noise"), st.binary(max_size=31)),
    st.tuples(st.just("gateway restarts"), st.none()),
    st.tuples(st.just("node restarts"), st.integers(0, 1024)),
    st.tuples(st.just("speak"), st.none()),
)


@given(st.lists(STEPS, max_size=60))
def test_no_counter_is_ever_believed_twice_or_after_a_higher_one(steps):
    """Whatever is heard in between, and whoever restarts."""
    node, listener = RadioNode(), listening(floor=None)
    sent: list[bytes] = []
    believed: list[int] = []
    steady_ms = 0
    for step, value in steps:
        steady_ms += 7_000
        data = b""
        if step == "say":
            sent += [node.advert(ab) for ab in range(value)]
            data = sent[-1]
        elif step == "replay" and sent:
            data = sent[value % len(sent)]
        elif step == "bend" and sent:
            data = bend(sent[value % len(sent)], value)
        elif step == "noise":
            data = value
        elif step == "gateway restarts":
            listener = listening(floor=None)
        elif step == "node restarts":
            node = RadioNode(counter=node.counter + value)
        elif step == "speak":
            listener.spoken_to(NODE, node.counter)
        told = hear(listener, data, steady_ms=steady_ms)
        if told is not None:
            assert data in sent
            believed.append(told.advert.counter)
    assert believed == sorted(set(believed))


def bend(data: bytes, number: int) -> bytes:
    bent = bytearray(data)
    bent[number % len(bent)] ^= 1 + number % 255
    return bytes(bent)


# -- strangers


def test_nothing_of_a_hundred_thousand_strangers_is_left():
    listener = listening()
    for number in range(100_000):
        listener.hear(stranger(number), b"stranger's payload %d" % number, -60, LINK, number, number)
    assert listener.refused["foreign"] == 100_000
    assert not left_of_strangers()


def test_what_is_left_of_a_stranger_would_be_found():
    kept = [stranger(5), {"payload": b"stranger's payload 5"}]
    assert len(left_of_strangers()) == 2
    del kept


def stranger(number: int) -> str:
    return "EE:EE:EE:" + ":".join(f"{byte:02X}" for byte in number.to_bytes(3, "big"))


def left_of_strangers() -> list[object]:
    """Texts and bytes of strangers in whatever is alive. Only containers are listed, and not those that hold nothing but texts
    and numbers: these are found in the others."""
    gc.collect()
    left: dict[int, object] = {}
    for container in gc.get_objects():
        held = gc.get_referents(container)
        while held:
            value = held.pop()
            if isinstance(value, (dict, tuple)) and not gc.is_tracked(value):
                held += gc.get_referents(value)
            text = value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value
            if isinstance(text, str) and text.startswith(("EE:EE:EE:", "stranger's payload ")) and text[-1].isdigit():
                left[id(value)] = value
    return list(left.values())
