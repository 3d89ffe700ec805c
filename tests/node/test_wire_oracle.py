"""The wire protocol against somebody else's COBS, against every message hypothesis can think of, and against much damage."""

import random
import sys

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

import streetwire

MUTATED_FRAMES = 200_000

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
total = st.integers(0, streetwire.TOTAL_MASK)
delta = st.integers(0, streetwire.MAX_DELTA)
nibble = st.integers(0, 15)
address = (st.integers(0, streetwire.NODE_MASK), u32)


def text(most):
    """UTF-8 of at most so many bytes."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=most).filter(lambda s: len(s.encode()) <= most)


name = text(streetwire.MAX_NAME)
records = st.builds(
    streetwire.Record, u32, u16, st.integers(0, 2**26 - 1).map(lambda minute: 60 * minute), u32, st.integers(0, 60),
    delta, delta, total, total, st.integers(-(2**15), 2**15 - 1), u8, nibble, nibble,
)  # fmt: skip
RANGES = {"B": u8, "H": u16, "I": u32, "h": st.integers(-(2**15), 2**15 - 1)}
objects = st.lists(
    st.sampled_from(streetwire.QUANTITIES).flatmap(lambda row: st.tuples(st.just(row[0]), RANGES[row[2]])), max_size=20
).map(lambda pairs: sorted(pairs, key=lambda pair: pair[0]))
messages = st.one_of(
    st.builds(streetwire.Hello, *address, u16, u32, u32, u32, u8, name, name, name, name),
    st.builds(streetwire.RecordMessage, *address, u32, records),
    st.builds(streetwire.Live, *address, u16, u32, total, total, objects),
    st.builds(streetwire.Ack, *address, u32),
    st.builds(streetwire.Time, *address, st.integers(0, 2**64 - 1)),
    st.builds(streetwire.Command, *address, u8, u32),
    st.builds(streetwire.Log, *address, u8, u32, text(streetwire.MAX_TEXT)),
)
payloads = st.binary(min_size=1, max_size=streetwire.MAX_PAYLOAD)
chunky = st.lists(st.one_of(st.binary(max_size=300), payloads.map(streetwire.encode_frame)), max_size=12).map(b"".join)


def cut(rng, data):
    """The data in portions of any size."""
    while data:
        n = rng.choice([1, 2, 7, 50, 246, 1000])
        yield data[:n]
        data = data[n:]


def fed(deframer, portions):
    return [payload for portion in portions for payload in deframer.feed(portion)]


@given(st.binary(max_size=1200))
def test_cobs_is_what_everybody_calls_cobs(data):
    stuffed = cobs.encode(data)
    assert bytes(streetwire.cobs_encode(data)) == stuffed
    assert bytes(streetwire.cobs_decode(stuffed)) == data


@given(st.integers(0, 700), st.integers(0, 3), st.integers(1, 255))
def test_long_runs_without_a_zero_are_stuffed_as_everybody_does(run, zeros, byte):
    data = bytes([byte]) * run + bytes(zeros) + bytes([byte]) * 3
    assert bytes(streetwire.cobs_encode(data)) == cobs.encode(data)
    assert bytes(streetwire.cobs_decode(cobs.encode(data))) == data


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from([0, 1, 2, 3, 254, 255]), max_size=520).map(bytes)))
def test_cobs_refuses_what_everybody_refuses(data):
    try:
        expected = cobs.decode(data)
    except cobs.DecodeError:
        with pytest.raises(streetwire.WireError):
            streetwire.cobs_decode(data)
    else:
        assert bytes(streetwire.cobs_decode(data)) == expected


@given(messages)
def test_every_message_comes_back(message):
    payload = message.encode()
    assert len(payload) <= streetwire.MAX_PAYLOAD
    assert streetwire.decode(payload) == message
    assert streetwire.Deframer().feed(streetwire.encode_frame(payload)) == [payload]


@given(records)
def test_every_record_comes_back_from_its_body(record):
    assert len(record.pack()) == streetwire.BODY_SIZE
    assert streetwire.unpack_record(record.pack()) == record


@given(st.one_of(st.binary(max_size=260), messages.map(lambda m: m.encode())), st.data())
def test_any_bytes_are_a_message_or_a_wire_error(payload, data):
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(u8)
    try:
        message = streetwire.decode(damaged)
    except streetwire.WireError as error:
        assert error.reason
    else:
        assert streetwire.decode(message.encode()).encode() == message.encode()


@given(chunky, st.randoms(use_true_random=False))
def test_all_at_once_and_byte_by_byte_are_the_same(stream, rng):
    deframers = [streetwire.Deframer() for _ in range(3)]
    whole = deframers[0].feed(stream)
    single = fed(deframers[1], (stream[i : i + 1] for i in range(len(stream))))
    portions = fed(deframers[2], cut(rng, stream))
    assert whole == single == portions
    for deframer in deframers:
        deframer.feed(b"\x00")
    counts = {(d.frames, d.bad_frames, d.dropped_bytes) for d in deframers}
    assert len(counts) == 1


@given(st.lists(messages, max_size=6), st.binary(max_size=300), st.randoms(use_true_random=False))
def test_garbage_before_frames_hides_none_of_them(several, garbage, rng):
    stream = garbage + b"".join(streetwire.encode_frame(message.encode()) for message in several)
    heard = fed(streetwire.Deframer(), cut(rng, stream))
    assert heard[len(heard) - len(several) :] == [message.encode() for message in several]


def held_bytes(deframer):
    return sys.getsizeof(deframer) + sum(sys.getsizeof(value) for value in vars(deframer).values())


def test_the_deframer_never_holds_more_than_when_it_was_new():
    rng = random.Random(1)
    deframer = streetwire.Deframer()
    limit = held_bytes(deframer) + 64
    for _ in range(3000):
        kind = rng.randrange(3)
        if kind == 0:
            deframer.feed(rng.randbytes(rng.randrange(2000)))
        elif kind == 1:
            deframer.feed(bytes([rng.randrange(1, 256)]) * rng.randrange(5000))
        else:
            deframer.feed(streetwire.encode_frame(rng.randbytes(rng.randrange(1, 241)))[: rng.randrange(240)])
        assert held_bytes(deframer) <= limit


def mutated(rng, frame):
    """Flipped bits, bytes changed, lost, added, repeated or swapped; a burst; the rest of another place in the frame."""
    data = bytearray(frame)
    at = rng.randrange(1, len(data) - 1)
    kind = rng.randrange(8)
    if kind == 0:
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(1, len(data) - 1)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.randrange(256)
    elif kind == 2:
        del data[at : at + rng.randrange(1, 4)]
    elif kind == 3:
        data[at:at] = rng.randbytes(rng.randrange(1, 4))
    elif kind == 4:
        data[at:at] = data[at : at + rng.randrange(1, 8)]
    elif kind == 5:
        other = rng.randrange(1, len(data) - 1)
        data[at], data[other] = data[other], data[at]
    elif kind == 6:
        data[at : at + 6] = rng.randbytes(6)
    else:
        data[at:-1] = bytes(frame[rng.randrange(1, len(frame) - 1) : -1])
    return bytes(data)


def test_of_many_damaged_frames_none_is_taken_for_another():
    rng = random.Random(2)
    originals = []
    for i in range(200):
        record = streetwire.Record(
            i, 1, 60 * rng.randrange(2**26), rng.randrange(2**32), 60, rng.randrange(30), rng.randrange(30), i, i
        )
        originals.append(streetwire.RecordMessage(0xC30001, 0x5EED1234, max(0, i - 1), record).encode())
    frames = [streetwire.encode_frame(payload) for payload in originals]
    deframer = streetwire.Deframer()
    accepted_wrong = unharmed = 0
    for i in range(MUTATED_FRAMES):
        original = originals[i % 200]
        for payload in deframer.feed(mutated(rng, frames[i % 200]) + b"\x00"):
            if payload == original:
                unharmed += 1  # what was changed was changed back, or only a delimiter was added
            else:
                accepted_wrong += 1
    assert accepted_wrong == 0
    assert deframer.bad_frames > 0.9 * MUTATED_FRAMES
    assert unharmed < 0.1 * MUTATED_FRAMES
    assert deframer.feed(frames[0]) == [originals[0]]
