# Frames on a byte stream: COBS, CRC-32, and being in step again after anything.

import gc

from dialect import Chance, raises, vectors

import streetwire

GOLDEN = [
    (row["name"], bytes.fromhex(row["payload"]), bytes.fromhex(row["frame"])) for row in vectors("streetwire.json")["messages"]
]
BOOT_LOG = (
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)\r\nmode:DIO, clock div:2\r\n"
    b"load:0x3fff0030,len:4540\r\nentry 0x400805f0\r\nMicroPython v1.24.1 on 2024-11-29; Generic ESP32 module\r\n"
)


def in_portions(data, sizes):
    """Feeds the data in portions of the given sizes, over and over. Returns the payloads and the deframer."""
    deframer = streetwire.Deframer()
    payloads = []
    at = 0
    turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        payloads += deframer.feed(data[at : at + size])
        at += size
        turn += 1
    return payloads, deframer


def counters(deframer):
    return deframer.frames, deframer.bad_frames, deframer.dropped_bytes


def test_payloads_become_their_golden_frames_and_come_back():
    for name, payload, frame in GOLDEN:
        assert streetwire.encode_frame(payload) == frame, name
        assert streetwire.Deframer().feed(frame) == [payload], name


def test_crc_is_the_one_of_ethernet_and_zlib():
    assert streetwire.crc32(b"123456789") == 0xCBF43926


def test_cobs_examples_of_its_authors_and_of_wikipedia():
    examples = (
        ("", "01"),
        ("00", "0101"),
        ("0000", "010101"),
        ("001100", "01021101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
    )
    for plain, stuffed in examples:
        assert bytes(streetwire.cobs_encode(bytes.fromhex(plain))) == bytes.fromhex(stuffed)
        assert bytes(streetwire.cobs_decode(bytes.fromhex(stuffed))) == bytes.fromhex(plain)


def test_cobs_at_the_length_of_a_full_block():
    for zero_first in (False, True):
        start = b"\x00" if zero_first else b""
        for run in (253, 254, 255, 256, 507, 508, 509):
            for end in (b"", b"\x00", b"\x00\x00", b"\x07"):
                plain = start + bytes([1 + i % 255 for i in range(run)]) + end
                stuffed = streetwire.cobs_encode(plain)
                assert all(stuffed)
                assert bytes(streetwire.cobs_decode(stuffed)) == plain
    full = bytes(range(1, 255))
    assert bytes(streetwire.cobs_encode(full)) == b"\xff" + full
    assert bytes(streetwire.cobs_encode(full + b"\x00")) == b"\xff" + full + b"\x01\x01"
    assert bytes(streetwire.cobs_encode(full + b"\x09")) == b"\xff" + full + b"\x02\x09"
    assert bytes(streetwire.cobs_encode(full[:253] + b"\x00")) == b"\xfe" + full[:253] + b"\x01"


def test_cobs_refuses_blocks_beyond_the_end_and_zeros_inside():
    for stuffed in (b"\x00", b"\x02", b"\x05\x01\x02\x03", b"\x03\x01\x00", b"\x01\x00", b"\xff" + bytes(254)):
        assert raises(streetwire.WireError, streetwire.cobs_decode, stuffed).reason == "cobs"


def test_no_payload_makes_a_frame_longer_than_the_deframer_holds():
    for filling in (b"\x00", b"\x01", b"\xff"):
        payload = filling * streetwire.MAX_PAYLOAD
        frame = streetwire.encode_frame(payload)
        assert len(frame) - 2 <= streetwire.MAX_FRAME
        assert all(frame[1:-1])
        assert streetwire.Deframer().feed(frame) == [payload]


def test_a_frame_cut_anywhere_and_a_byte_at_a_time_gives_the_same_payload():
    for _name, payload, frame in GOLDEN:
        for at in range(len(frame) + 1):
            deframer = streetwire.Deframer()
            assert deframer.feed(frame[:at]) + deframer.feed(frame[at:]) == [payload]
        assert in_portions(frame, (1,))[0] == [payload]


def test_all_frames_in_one_stream_come_out_in_order_in_any_portions():
    stream = b"".join([frame for _, _, frame in GOLDEN])
    expected = [payload for _, payload, _ in GOLDEN]
    for sizes in ((100000,), (1,), (2,), (7, 1, 64), (256,), (3, 250)):
        payloads, deframer = in_portions(stream, sizes)
        assert payloads == expected
        assert counters(deframer) == (len(expected), 0, 0)


def test_in_step_at_the_first_frame_after_a_boot_log():
    _, payload, frame = GOLDEN[0]
    payloads, deframer = in_portions(BOOT_LOG + frame + BOOT_LOG[:50] + frame, (1,))
    assert payloads == [payload, payload]
    assert counters(deframer) == (2, 2, len(BOOT_LOG) + 50)


def test_half_a_frame_costs_nothing_but_itself():
    _, payload, frame = GOLDEN[4]
    for at in range(2, len(frame) - 1):
        deframer = streetwire.Deframer()
        assert deframer.feed(frame[:at] + frame) == [payload]
        assert counters(deframer) == (1, 1, at - 1)


def test_a_lost_delimiter_costs_both_neighbours_and_no_more():
    _, payload, frame = GOLDEN[15]
    inner = frame[1:-1]
    deframer = streetwire.Deframer()
    assert deframer.feed(b"\x00" + inner + inner + b"\x00" + frame) == [payload]
    assert counters(deframer) == (1, 1, 2 * len(inner))


def test_every_flipped_bit_is_noticed():
    for _name, payload, frame in GOLDEN[:6]:
        damaged = bytearray(frame)
        for at in range(1, len(frame) - 1):
            for bit in range(8):
                damaged[at] ^= 1 << bit
                assert payload not in streetwire.Deframer().feed(damaged)
                damaged[at] ^= 1 << bit


def test_a_frame_that_stalls_is_one_frame_or_none_and_never_two():
    _, following, next_frame = GOLDEN[1]
    for _name, payload, frame in GOLDEN:
        for at in range(2, len(frame) - 1):
            deframer = streetwire.Deframer()
            assert deframer.feed(frame[:at]) == []
            assert deframer.feed(b"") == []
            assert deframer.feed(frame[at:]) == [payload]
            torn = streetwire.Deframer()  # what is on the line while it stalls ends it
            assert torn.feed(frame[:at] + b"\x00") + torn.feed(frame[at:]) == []
            assert torn.feed(next_frame) == [following]


def test_noise_between_frames_takes_neither_of_them():
    chance = Chance(6)
    for _name, payload, frame in GOLDEN:
        for size in (1, 2, 7, 300, 2000):
            noise = chance.bytes(size)
            payloads, deframer = in_portions(frame + noise + frame, (1 + chance.below(60),))
            assert payloads == [payload, payload]
            assert deframer.dropped_bytes == len([byte for byte in noise if byte])


def test_frames_glued_together_give_nothing_and_hide_nobody():
    first, second, third = GOLDEN[1], GOLDEN[2], GOLDEN[3]
    for keep in range(4):  # bytes of the first one's end that are lost with its delimiter
        glued = first[2][: -1 - keep] + second[2][1:]
        payloads, _ = in_portions(glued + third[2], (5,))
        assert payloads == [third[1]]


def test_a_frame_without_content_is_no_payload():
    deframer = streetwire.Deframer()
    assert deframer.feed(streetwire.encode_frame(b"")) == []
    assert deframer.bad_frames == 1
    assert deframer.feed(bytes(100)) == []  # delimiters alone are silence
    assert counters(deframer) == (0, 1, 5)


def test_input_without_end_is_dropped_and_counted_and_costs_no_memory():
    _, payload, frame = GOLDEN[1]
    for size in (1, 100, 246, 247, 1000):
        deframer = streetwire.Deframer()
        deframer.feed(b"\x11" * size)
        fed = size
        gc.collect()
        before = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
        while fed < 5000:
            assert deframer.feed(b"\x11" * size) == []
            fed += size
        gc.collect()
        after = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
        assert after - before < 256
        assert deframer.dropped_bytes == fed
        assert deframer.feed(frame) == [payload]
        assert counters(deframer) == (1, 1, fed)


def test_the_longest_frame_is_held_and_one_byte_more_is_not():
    block = b"\x02\x01" * (streetwire.MAX_FRAME // 2)
    for extra in (b"", b"\x01"):
        deframer = streetwire.Deframer()
        deframer.feed(block + extra)
        assert deframer.dropped_bytes == len(block + extra) * (1 if extra else 0)
        deframer.feed(b"\x00")
        assert counters(deframer) == (0, 1, len(block + extra))


def test_every_byte_is_in_a_good_frame_or_counted_as_dropped():
    chance = Chance(4)
    for _ in range(60):
        stream = b""
        for _ in range(8):
            frame = GOLDEN[chance.below(len(GOLDEN))][2]
            kind = chance.below(4)
            if kind == 0:
                at = 1 + chance.below(len(frame) - 2)
                frame = frame[:at] + frame[at + 1 :]
            elif kind == 1:
                frame = chance.bytes(chance.below(400))
            stream += frame
        stream += b"\x00"
        payloads, deframer = in_portions(stream, (1 + chance.below(300), 1 + chance.below(9)))
        inside = sum([len(streetwire.encode_frame(payload)) - 2 for payload in payloads])
        delimiters = len([byte for byte in stream if byte == 0])
        assert len(stream) == inside + delimiters + deframer.dropped_bytes
        assert deframer.frames == len(payloads)


def test_any_bytes_in_any_portions_never_raise():
    chance = Chance(5)
    for _ in range(200):
        noise = chance.bytes(chance.below(300))
        assert in_portions(noise, (1,))[0] == in_portions(noise, (17, 3))[0] == streetwire.Deframer().feed(noise)
