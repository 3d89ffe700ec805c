# Payloads: golden bytes of every kind, both ways, and a reason for everything that is refused.

import struct

from dialect import Chance, raises, vectors

import streetwire

GOLDEN = vectors("streetwire.json")
KINDS = {
    "hello": streetwire.Hello,
    "live": streetwire.Live,
    "ack": streetwire.Ack,
    "time": streetwire.Time,
    "command": streetwire.Command,
    "log": streetwire.Log,
    "challenge": streetwire.Challenge,
    "answer": streetwire.Answer,
    "proof": streetwire.Proof,
    "update": streetwire.Update,
    "update_state": streetwire.UpdateState,
    "test_result": streetwire.TestResult,
    "sight": streetwire.Sight,
}
HEAD = b"\x01\x00\xc3\x00\x34\x12\xed\x5e"  # node 0xC30001, incarnation 0x5EED1234


def message_of(row):
    fields = dict(row["fields"])
    if row["kind"] == "record":
        record = streetwire.Record(**fields["record"])
        return streetwire.RecordMessage(row["node"], row["incarnation"], fields["previous"], record)
    if row["kind"] == "live":
        fields["objects"] = [tuple(pair) for pair in fields["objects"]]
    if row["kind"] == "test_result":
        fields["results"] = [tuple(result) for result in fields["results"]]
    for name in ("nonce", "mac", "data"):
        if name in fields:
            fields[name] = bytes.fromhex(fields[name])
    return KINDS[row["kind"]](row["node"], row["incarnation"], **fields)


def payload_of(name):
    return bytes.fromhex([row for row in GOLDEN["messages"] if row["name"] == name][0]["payload"])


def record(**changes):
    fields = {
        "seq": 9, "boot": 2, "bin_start": 600, "uptime_end_s": 60, "covered_s": 60,
        "d_ab": 1, "d_ba": 2, "total_ab": 3, "total_ba": 4,
    }  # fmt: skip
    fields.update(changes)
    return streetwire.Record(**fields)


def reason(payload):
    return raises(streetwire.WireError, streetwire.decode, payload).reason


def test_the_vectors_are_of_this_version_and_name_every_kind():
    assert GOLDEN["version"] == streetwire.VERSION
    kinds = {streetwire.decode(bytes.fromhex(row["payload"])).kind for row in GOLDEN["messages"]}
    assert kinds == set(range(1, 15))


def test_messages_become_their_golden_bytes():
    for row in GOLDEN["messages"]:
        assert message_of(row).encode() == bytes.fromhex(row["payload"]), row["name"]


def test_golden_bytes_become_their_messages():
    for row in GOLDEN["messages"]:
        message = streetwire.decode(bytes.fromhex(row["payload"]))
        assert message == message_of(row), row["name"]
        assert message.encode() == bytes.fromhex(row["payload"]), row["name"]


def test_messages_differ_by_kind_and_by_any_field():
    assert streetwire.Ack(1, 2, 3) == streetwire.Ack(1, 2, 3)
    assert streetwire.Ack(1, 2, 3) != streetwire.Ack(1, 2, 4)
    assert streetwire.Ack(1, 2, 3) != streetwire.Ack(1, 9, 3)
    assert streetwire.Ack(1, 2, 3) != streetwire.Time(1, 2, 3)
    assert record() == record()
    assert record() != record(flags=1)


def test_a_flash_entry_is_32_bytes_and_any_record_comes_back_from_its_body():
    assert streetwire.BODY_SIZE + 4 == streetwire.FLASH_SIZE == 32
    chance = Chance(1)
    for _ in range(300):
        one = streetwire.Record(
            chance.below(1 << 24), chance.below(1 << 16), chance.below(1 << 24) * 60, chance.below(1 << 24),
            chance.below(61), chance.below(4096), chance.below(4096), chance.below(1 << 24), chance.below(1 << 24),
            chance.below(65536) - 32768, chance.below(256), chance.below(16), chance.below(16),
        )  # fmt: skip
        body = one.pack()
        assert len(body) == streetwire.BODY_SIZE
        assert streetwire.unpack_record(body) == one


def test_a_record_that_does_not_fit_is_refused_and_not_wrapped():
    wrong = (
        ("bin_start", {"bin_start": 61}),
        ("bin_start", {"bin_start": -60}),
        ("bin_start", {"bin_start": (1 << 26) * 60}),
        ("delta", {"d_ab": 4096}),
        ("delta", {"d_ba": 4096}),
        ("delta", {"d_ab": -1}),
        ("delta", {"d_ba": -1}),
        ("covered_s", {"covered_s": -1}),
        ("covered_s", {"covered_s": 61}),
        ("covered_s", {"covered_s": 62}),
        ("covered_s", {"covered_s": 64}),
        ("nibble", {"n_climate": 16}),
        ("nibble", {"n_climate": -1}),
        ("nibble", {"flags": 16}),
        ("nibble", {"flags": -1}),
        ("climate", {"temperature_centi": 32768}),
        ("climate", {"temperature_centi": -32769}),
        ("climate", {"humidity_half": 256}),
        ("climate", {"humidity_half": -1}),
    )
    for expected, changes in wrong:
        error = raises(streetwire.WireError, record(**changes).pack)
        assert error.reason == expected, changes


def test_totals_count_modulo_two_to_the_28():
    one = streetwire.unpack_record(record(total_ab=(1 << 28) + 5, total_ba=(1 << 28) - 1).pack())
    assert (one.total_ab, one.total_ba) == (5, (1 << 28) - 1)
    live = streetwire.decode(streetwire.Live(1, 2, 3, 4, (1 << 28) + 5, 1 << 29).encode())
    assert (live.total_ab, live.total_ba) == (5, 0)


def test_a_record_body_of_another_size_is_refused():
    for size in (0, 27, 29):
        assert raises(streetwire.WireError, streetwire.unpack_record, bytes(size)).reason == "record size"


def test_a_body_that_covers_more_than_a_minute_is_refused_but_for_the_boot_mark():
    body = bytearray(record(covered_s=0).pack())
    for covered_s in (61, 62):
        body[6] = covered_s
        assert raises(streetwire.WireError, streetwire.unpack_record, body).reason == "covered_s"
    body[6] = streetwire.BOOT_MARK
    assert streetwire.unpack_record(body).covered_s == streetwire.BOOT_MARK


def test_the_boot_mark_never_travels():
    mark = streetwire.RecordMessage(1, 2, 0, record(covered_s=streetwire.BOOT_MARK)).encode()
    assert reason(mark) == "covered_s"


def test_other_versions_are_refused():
    payload = bytearray(payload_of("acknowledgement"))
    for version in (0, 2, 15):
        payload[0] = version << 4 | streetwire.ACK
        error = raises(streetwire.WireError, streetwire.decode, payload)
        assert (error.reason, error.found, error.expected) == ("version", version, 1)


def test_what_is_refused_names_its_reason():
    assert reason(b"") == "too short"
    assert reason(b"\x14" + HEAD[:7]) == "too short"
    assert reason(b"\x17" + bytes(240)) == "too long"
    assert reason(b"\x14\x00\x00\x00\x01" + bytes(8)) == "node"
    for kind in (0, 15):
        assert reason(bytes([0x10 | kind]) + HEAD + bytes(4)) == "kind"
    live = payload_of("live without objects")
    assert reason(live[:-1] + b"\x10") == "total"
    assert reason(live[:-5] + b"\x10" + live[-4:]) == "total"
    assert reason(live + b"\x04\x00\x00") == "object"
    assert reason(live + b"\x02\x00") == "object size"
    assert reason(live + b"\x00\x01\xc0\x00\x00\x00") == "object size"
    log = payload_of("log line without text")
    assert reason(log + b"x" * 161) == "text"
    assert reason(log + b"\xff") == "fields"
    assert reason(log + b"good \xc3") == "fields"
    hello = payload_of("hello without names")
    assert reason(hello[:-1]) == "fields"
    assert reason(hello[:-1] + b"\x01") == "name"
    assert reason(hello[:-1] + b"\x21" + b"x" * 33) == "name"
    assert reason(hello[:-1] + b"\x01\xff") == "fields"
    assert reason(hello + b"\x00") == "size"
    update = payload_of("block of an update, the largest")
    assert reason(update + b"\x00") == "update"
    for step in (0, 5):
        assert reason(update[:9] + bytes((step,)) + update[10:]) == "update"
    assert reason(update[:14]) == "size"
    state = payload_of("update refused")
    for number in (0, 8):
        assert reason(state[:9] + bytes((number,)) + state[10:]) == "update state"
    assert reason(state + b"x" * 160) == "update state"
    assert reason(state + b"\xff") == "fields"
    result = payload_of("result of a self-test")
    assert reason(result[:-1]) == "size"
    assert reason(result[:9] + bytes((len(streetwire.TEST_CHECKS),)) + result[10:]) == "test"
    assert reason(result[:10] + bytes((len(streetwire.TEST_VERDICTS),)) + result[11:]) == "test"
    sight = payload_of("sight of a radar")
    assert reason(sight[:16]) == "size"
    assert reason(sight + b"\x00") == "size"
    assert reason(sight[:17] + bytes(2 * (streetwire.MAX_SEEN + 1))) == "seen"


def test_every_payload_of_fixed_size_is_refused_one_byte_shorter_or_longer():
    for row in GOLDEN["messages"]:
        if row["kind"] in ("record", "ack", "time", "command"):
            payload = bytes.fromhex(row["payload"])
            assert reason(payload[:-1]) == "size"
            assert reason(payload + b"\x00") == "size"


def test_a_refusal_says_what_was_found_and_expected():
    error = raises(streetwire.WireError, streetwire.decode, b"\x24" + HEAD + bytes(4))
    assert str(error) == "version: found 2, expected 1"
    assert isinstance(error, ValueError)


def test_long_text_and_names_are_cut_between_characters():
    for text in ("x" * 200, "ä" * 200, "x" + "ä" * 200, "\u6b69" * 200, "xx" + "\u6b69" * 200):
        said = streetwire.decode(streetwire.Log(1, 2, 6, 0, text).encode()).text
        assert text.startswith(said)
        assert streetwire.MAX_TEXT - 2 <= len(said.encode()) <= streetwire.MAX_TEXT
        names = (text, text, text, text)
        hello = streetwire.decode(streetwire.Hello(1, 2, 0, 0, 0, 1, 0, *names).encode())
        assert text.startswith(hello.sensors)
        assert streetwire.MAX_NAME - 2 <= len(hello.sensors.encode()) <= streetwire.MAX_NAME


def test_objects_travel_ascending_whatever_their_order():
    given = [(0xC0, 5), (0x02, -5), (0x00, 1)]
    payload = streetwire.Live(1, 2, 0, 0, 0, 0, given).encode()
    assert streetwire.decode(payload).objects == [(0x00, 1), (0x02, -5), (0xC0, 5)]


def test_objects_of_one_id_keep_their_order():
    given = [(0x3E, 9), (0x02, 1), (0x3E, 3), (0x3E, 7), (0x02, 0)]
    payload = streetwire.Live(1, 2, 0, 0, 0, 0, given).encode()
    assert streetwire.decode(payload).objects == [(0x02, 1), (0x02, 0), (0x3E, 9), (0x3E, 3), (0x3E, 7)]


def test_an_unknown_quantity_cannot_be_said():
    assert raises(streetwire.WireError, streetwire.encode_objects, [(0x04, 1)]).reason == "object"


def test_a_payload_beyond_the_greatest_frame_cannot_be_said():
    many = [(0x3E, i) for i in range(50)]
    assert raises(streetwire.WireError, streetwire.Live(1, 2, 0, 0, 0, 0, many).encode).reason == "too long"


def test_more_than_fits_a_block_or_a_sight_cannot_be_said():
    block = streetwire.Update(1, 2, streetwire.BLOCK, 0, 0, bytes(streetwire.MAX_BLOCK + 1))
    assert raises(streetwire.WireError, block.encode).reason == "block"
    sight = streetwire.Sight(1, 2, 0, 0, 0, [0] * (streetwire.MAX_SEEN + 1))
    assert raises(streetwire.WireError, sight.encode).reason == "seen"


def test_every_quantity_has_its_own_id_and_name_and_fits_its_width():
    rows = streetwire.QUANTITIES
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    assert len(streetwire.ID_OF) == len(rows)
    for key, name, form, divisor, _unit in rows:
        assert streetwire.ID_OF[name] == key
        assert divisor in (1, 10, 100, 1000)
        assert streetwire.encode_objects([(key, 1)]) == struct.pack("<B" + form, key, 1)


def test_any_bytes_are_decoded_or_refused_by_one_error_type():
    chance = Chance(2)
    decoded = 0
    for i in range(3000):
        payload = bytearray(chance.bytes(chance.below(60)))
        if payload and i % 4:  # most get past the first doors
            payload[0] = 0x10 | (1 + chance.below(14))
            if len(payload) > 4:
                payload[4] = 0
        try:
            message = streetwire.decode(payload)
        except streetwire.WireError:
            continue
        decoded += 1
        again = message.encode()
        assert streetwire.decode(again).encode() == again
    assert decoded > 10


def test_golden_bytes_with_any_one_changed_are_decoded_or_refused():
    chance = Chance(3)
    for row in GOLDEN["messages"]:
        payload = bytearray(bytes.fromhex(row["payload"]))
        for at in range(len(payload)):
            old = payload[at]
            payload[at] ^= 1 + chance.below(255)
            try:
                streetwire.decode(payload)
            except streetwire.WireError:
                pass
            payload[at] = old
