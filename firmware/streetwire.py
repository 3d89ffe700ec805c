# The wire protocol between node and gateway: one file, imported as `streetwire` by both.
#
# Theory of operation
#   payload   bytes with meaning: one head byte (version and kind), who speaks (node, incarnation), then the kind's fields.
#             All integers are little-endian. A payload means the same on every link.
#   frame     a payload on a byte stream: 00 | COBS(payload + CRC-32) | 00. No 00 stands inside, so a reader that is lost
#             (boot log, half a frame, noise) is in step again at the next 00. The leading 00 ends whatever garbage came before.
#   record    one minute of one node. Its 28-byte body is the same on the wire and on flash; flash adds a CRC-32: 32 bytes.
#   objects   a list of (id, value) for everything that is not a count; ids and layout are BTHome v2's, so the same bytes go
#             into an advert. A new quantity is one row in QUANTITIES.
#   advert    what a node without a cable broadcasts: BTHome v2, encrypted, 31 bytes at most. Totals modulo 2**16 and a tag that
#             tells its boot from any other; the counter of the encryption rises for ever.
#   update    other firmware comes as a manifest (names, sizes and hashes of its files) and then the files, a block at a time, each
#             asked for by the node. What counts is a MAC over the manifest under the node's key; blocks prove nothing.
#   session   on a connection without a cable both sides prove that they hold the node's key: challenge, answer, proof. From then
#             on every payload ends with a number that rises and a MAC under a key of this session alone: it is sealed.
#
# Rules of this file
#   - It imports only struct and binascii; ciphers and MACs are passed in. It knows no port, clock or file.
#   - Any bytes are either decoded or refused by WireError, and memory never grows with the input.
#   - Changing a layout means a new VERSION; golden vectors pin the old one.

import binascii
import struct

VERSION = 1

HELLO = 1  # node -> gateway: who I am, what I still hold
RECORD = 2  # node -> gateway: one closed minute
LIVE = 3  # node -> gateway: running totals and health, volatile, every 10 s
ACK = 4  # gateway -> node: everything up to this sequence number is committed
TIME = 5  # gateway -> node: UTC now
COMMAND = 6  # gateway -> node: do something small
LOG = 7  # node -> gateway: one line for the technician
CHALLENGE = 8  # gateway -> node, on the air: prove that you hold your key
ANSWER = 9  # node -> gateway: the proof, and what is asked back
PROOF = 10  # gateway -> node: it holds the key as well
UPDATE = 11  # gateway -> node: a piece of another firmware
UPDATE_STATE = 12  # node -> gateway: which piece it wants next, or what became of them
TEST_RESULT = 13  # node -> gateway: what the self-test found
SIGHT = 14  # node -> gateway, over the cable and only while it is watched: what the counting part sees

SAY_HELLO = 1  # verbs of COMMAND
RESEND_FROM = 2  # argument: the first sequence number wanted again
TEST = 3  # self-test; argument: seconds in which somebody walks the line and presses the button, 0 for nobody
WATCH = 4  # argument: seconds of sights, 600 at most; 0 ends them
RESTART = 5  # the open minute becomes a record first
ROLL_BACK = 6  # start from the other slot, if there is whole firmware in it

MAX_PAYLOAD = 240
MAC_SIZE = 8
SEAL_SIZE = 4 + MAC_SIZE  # behind a payload on the air: its number, its MAC
NONCE_SIZE = 16
MAX_FRAME = MAX_PAYLOAD + SEAL_SIZE + 4 + 2  # CRC-32, and COBS adds one byte per 254 begun
MAX_TEXT = 160
MAX_NAME = 32
MAX_BLOCK = 192  # bytes of a file in one update message
MAX_SEEN = 16  # numbers in a sight

NODE_MASK = 0xFFFFFF  # a node's number is the last three bytes of its MAC address
TOTAL_MASK = 0xFFFFFFF  # running totals count modulo 2**28
MAX_DELTA = 0xFFF  # passages of one minute and direction that a record can hold: 68 a second
MAX_COVERED_S = 60
BOOT_MARK = 63  # covered_s of the flash entry that says "a boot began here"; never on the wire

SATURATED = 1  # record flags: the detector says that it undercounts
BLOCKED = 2  # the sensor's view is blocked
CLIMATE_IMPLAUSIBLE = 4  # climate readings failed their plausibility check
DRIFTING = 8  # the node has not heard the time for a day

NO_TEMPERATURE = -32768
NO_HUMIDITY = 255

# id, name, struct format, divisor from wire units, unit. Ids below 0xC0 are BTHome v2's; those above stay on our own links.
QUANTITIES = (
    (0x00, "packet_id", "B", 1, ""),
    (0x01, "battery_pct", "B", 1, "%"),
    (0x02, "temperature_c", "h", 100, "degC"),
    (0x03, "humidity_pct", "H", 100, "%"),
    (0x0C, "battery_v", "H", 1000, "V"),
    (0x2E, "humidity_whole_pct", "B", 1, "%"),
    (0x3D, "count16", "H", 1, "persons"),
    (0x3E, "count", "I", 1, "persons"),
    (0xC0, "heap_free_b", "I", 1, "B"),
    (0xC1, "frames_lost", "I", 1, ""),
    (0xC2, "resets", "H", 1, ""),
    (0xC3, "sensor_faults", "H", 1, ""),
    (0xC4, "covered_s", "B", 1, "s"),
    (0xC5, "health", "H", 1, ""),
    (0xC6, "probe_c", "h", 100, "degC"),
)
_ROW_OF_ID = {row[0]: row for row in QUANTITIES}
ID_OF = {row[1]: row[0] for row in QUANTITIES}

# What "health" consists of, the lowest bit first. 0: nothing is wrong.
HEALTH_BITS = (
    "counter_silent",  # what counts does not report, or too seldom
    "counter_garbled",  # more bytes of it are refused than taken
    "saturated",
    "blocked",
    "climate_silent",
    "climate_implausible",
    "supply_low",
    "log_failed",  # the last record could not be written to flash
    "brown_out",  # the supply broke down before this start, where the board can tell
)
HEALTH = {name: 1 << bit for bit, name in enumerate(HEALTH_BITS)}

# What the self-test asks. The first eight are the LED's numbers, from 1 on.
TEST_CHECKS = (
    "counter",  # value: samples in the last second
    "climate",  # hundredths of a degree
    "log",  # records held, at most
    "clock",
    "link",
    "supply",  # millivolts
    "probe",  # hundredths of a degree
    "radio",
    "line",  # people counted since the test began
    "button",  # presses since
    "lamp",  # only a person can tell
    "aim_ab",  # not a check: counted while a technician walked the line, by button and LED
    "aim_ba",
)
TEST_VERDICTS = (
    "good",
    "absent",  # this kit has none, or none is connected
    "waiting",  # for a person
    "silent",
    "garbled",
    "blocked",
    "implausible",
    "low",
    "failed",
    "unheard",  # nobody has told the time, or answered
    "missed",  # nobody walked or pressed
)

OFFER, BLOCK, SWITCH, ABORT = 1, 2, 3, 4  # steps of UPDATE: see Update
WANTS, CHECKS, READY, REFUSED, ON_TRIAL, CONFIRMED, ROLLED_BACK = 1, 2, 3, 4, 5, 6, 7  # states of UPDATE_STATE

_HEAD = "<BII"
_HEAD_SIZE = 9
_BODY = "<IHIIIIBBBhB"
BODY_SIZE = 28
FLASH_SIZE = 32
_HELLO = "<HIIIB"
_LIVE = "<HIII"
_ANSWER = "<16sI8s"
_UPDATE = "<BBI"
_TEST = "<BBi"
_SIGHT = "<IHH"


class WireError(ValueError):
    """Bytes that are not ours. `reason` is a short stable word, `found` what stood there, `expected` what should have."""

    def __init__(self, reason: str, found: object, expected: object):
        super().__init__("%s: found %s, expected %s" % (reason, found, expected))
        self.reason = reason
        self.found = found
        self.expected = expected


class Message:
    """What all payloads share. Equal when kind and all fields are equal."""

    kind = 0

    def __init__(self, node: int, incarnation: int):
        self.node = node
        self.incarnation = incarnation

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return "%s%s" % (type(self).__name__, self.__dict__)

    def _tail(self) -> bytes:
        raise WireError("kind", self.kind, "a kind of payload")

    def encode(self) -> bytes:
        payload = struct.pack(_HEAD, VERSION << 4 | self.kind, self.node & NODE_MASK, self.incarnation) + self._tail()
        if len(payload) > MAX_PAYLOAD:
            raise WireError("too long", len(payload), MAX_PAYLOAD)
        return payload


class Hello(Message):
    """`first_held` is the oldest record the node can still send, `next_seq` the number its next record will get.
    `sensors` are the database tags of what counts and what measures climate: `radar,sht4x`."""

    kind = HELLO

    def __init__(self, node, incarnation, boot, uptime_s, first_held, next_seq, reset_cause, firmware, kit, sensors, platform):
        super().__init__(node, incarnation)
        self.boot = boot
        self.uptime_s = uptime_s
        self.first_held = first_held
        self.next_seq = next_seq
        self.reset_cause = reset_cause
        self.firmware = firmware
        self.kit = kit
        self.sensors = sensors
        self.platform = platform

    def _tail(self) -> bytes:
        fixed = struct.pack(_HELLO, self.boot, self.uptime_s, self.first_held, self.next_seq, self.reset_cause)
        names = (self.firmware, self.kit, self.sensors, self.platform)
        return fixed + b"".join([_pack_name(name) for name in names])


class Record:
    """One minute of one node, without the address. `bin_start` is UTC seconds, 0 where the node had no time yet.

    Totals run since boot, modulo 2**28; `d_ab` and `d_ba` are this minute's share. `temperature_centi` is hundredths of
    a degree or NO_TEMPERATURE, `humidity_half` half percents or NO_HUMIDITY, both means of `n_climate` readings.
    """

    def __init__(
        self, seq, boot, bin_start, uptime_end_s, covered_s, d_ab, d_ba, total_ab, total_ba,
        temperature_centi=NO_TEMPERATURE, humidity_half=NO_HUMIDITY, n_climate=0, flags=0,
    ):  # fmt: skip
        self.seq = seq
        self.boot = boot
        self.bin_start = bin_start
        self.uptime_end_s = uptime_end_s
        self.covered_s = covered_s
        self.d_ab = d_ab
        self.d_ba = d_ba
        self.total_ab = total_ab
        self.total_ba = total_ba
        self.temperature_centi = temperature_centi
        self.humidity_half = humidity_half
        self.n_climate = n_climate
        self.flags = flags

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return "Record%s" % (self.__dict__,)

    def pack(self) -> bytes:
        """The 28-byte body. Refuses what does not fit instead of wrapping it."""
        if self.bin_start % 60 or not 0 <= self.bin_start // 60 < 1 << 26:
            raise WireError("bin_start", self.bin_start, "a whole minute in UTC seconds")
        if not (0 <= self.d_ab <= MAX_DELTA and 0 <= self.d_ba <= MAX_DELTA):
            raise WireError("delta", (self.d_ab, self.d_ba), "0 to %d" % MAX_DELTA)
        if not 0 <= self.covered_s <= MAX_COVERED_S and self.covered_s != BOOT_MARK:
            raise WireError("covered_s", self.covered_s, "0 to 60")
        if not (0 <= self.n_climate <= 15 and 0 <= self.flags <= 15):
            raise WireError("nibble", (self.n_climate, self.flags), "0 to 15")
        if not (-32768 <= self.temperature_centi <= 32767 and 0 <= self.humidity_half <= 255):
            raise WireError("climate", (self.temperature_centi, self.humidity_half), "16 bits with sign, 8 without")
        return struct.pack(
            _BODY, self.seq, self.boot, self.bin_start // 60 << 6 | self.covered_s, self.uptime_end_s,
            (self.total_ab & TOTAL_MASK) << 4 | self.n_climate, (self.total_ba & TOTAL_MASK) << 4 | self.flags,
            self.d_ab & 0xFF, self.d_ab >> 8 | (self.d_ba & 0xF) << 4, self.d_ba >> 4,
            self.temperature_centi, self.humidity_half,
        )  # fmt: skip


def unpack_record(body) -> Record:
    """The inverse of Record.pack, for exactly 28 bytes of which a CRC has already been checked."""
    if len(body) != BODY_SIZE:
        raise WireError("record size", len(body), BODY_SIZE)
    seq, boot, minute, uptime, ab, ba, low, mid, high, temperature, humidity = struct.unpack(_BODY, body)
    covered_s = minute & 63
    if covered_s > MAX_COVERED_S and covered_s != BOOT_MARK:
        raise WireError("covered_s", covered_s, "0 to 60")
    return Record(
        seq, boot, (minute >> 6) * 60, uptime, covered_s, low | (mid & 0xF) << 8, mid >> 4 | high << 4,
        ab >> 4, ba >> 4, temperature, humidity, ab & 15, ba & 15,
    )  # fmt: skip


class RecordMessage(Message):
    """A record on its way. No record is held any more between `previous` and this one: numbers have gaps (they are skipped
    at boot), and this is how a receiver tells a gap from a frame that was lost."""

    kind = RECORD

    def __init__(self, node, incarnation, previous, record):
        super().__init__(node, incarnation)
        self.previous = previous
        self.record = record

    def _tail(self) -> bytes:
        return struct.pack("<I", self.previous) + self.record.pack()


class Live(Message):
    """Running totals as of the last 10 s tick, and what else is known now as [(id, value in wire units), ...]."""

    kind = LIVE

    def __init__(self, node, incarnation, boot, uptime_s, total_ab, total_ba, objects=()):
        super().__init__(node, incarnation)
        self.boot = boot
        self.uptime_s = uptime_s
        self.total_ab = total_ab
        self.total_ba = total_ba
        self.objects = list(objects)

    def _tail(self) -> bytes:
        fixed = struct.pack(_LIVE, self.boot, self.uptime_s, self.total_ab & TOTAL_MASK, self.total_ba & TOTAL_MASK)
        return fixed + encode_objects(self.objects)


class Ack(Message):
    """Every record up to and including `watermark` is committed: the node may forget it."""

    kind = ACK

    def __init__(self, node, incarnation, watermark):
        super().__init__(node, incarnation)
        self.watermark = watermark

    def _tail(self) -> bytes:
        return struct.pack("<I", self.watermark)


class Time(Message):
    """UTC in milliseconds at the moment of sending."""

    kind = TIME

    def __init__(self, node, incarnation, unix_ms):
        super().__init__(node, incarnation)
        self.unix_ms = unix_ms

    def _tail(self) -> bytes:
        return struct.pack("<Q", self.unix_ms)


class Command(Message):
    kind = COMMAND

    def __init__(self, node, incarnation, verb, argument=0):
        super().__init__(node, incarnation)
        self.verb = verb
        self.argument = argument

    def _tail(self) -> bytes:
        return struct.pack("<BI", self.verb, self.argument)


class Log(Message):
    """One line from the node. `level` as in syslog: 3 error, 4 warning, 6 information."""

    kind = LOG

    def __init__(self, node, incarnation, level, uptime_s, text):
        super().__init__(node, incarnation)
        self.level = level
        self.uptime_s = uptime_s
        self.text = text

    def _tail(self) -> bytes:
        return struct.pack("<BI", self.level, self.uptime_s) + _cut(self.text, MAX_TEXT)


class Challenge(Message):
    """`nonce` are NONCE_SIZE bytes that were never used before. The incarnation is not known yet: 0."""

    kind = CHALLENGE

    def __init__(self, node, incarnation, nonce):
        super().__init__(node, incarnation)
        self.nonce = nonce

    def _tail(self) -> bytes:
        return bytes(self.nonce)


class Answer(Message):
    """`counter` is the one that the node's next advert will have at least, `mac` proves the session's key: see session_text."""

    kind = ANSWER

    def __init__(self, node, incarnation, nonce, counter, mac):
        super().__init__(node, incarnation)
        self.nonce = nonce
        self.counter = counter
        self.mac = mac

    def _tail(self) -> bytes:
        return struct.pack(_ANSWER, bytes(self.nonce), self.counter, bytes(self.mac))


class Proof(Message):
    kind = PROOF

    def __init__(self, node, incarnation, mac):
        super().__init__(node, incarnation)
        self.mac = mac

    def _tail(self) -> bytes:
        return bytes(self.mac)


class Update(Message):
    """OFFER: `at` is the size of a manifest, `data` its MAC under the node's key (update_text). BLOCK: the bytes of `data` belong
    at `at` of a file, 0 for the manifest, else as the manifest counts them. SWITCH and ABORT have neither."""

    kind = UPDATE

    def __init__(self, node, incarnation, step, file=0, at=0, data=b""):
        super().__init__(node, incarnation)
        self.step = step
        self.file = file
        self.at = at
        self.data = data

    def _tail(self) -> bytes:
        if len(self.data) > MAX_BLOCK:
            raise WireError("block", len(self.data), MAX_BLOCK)
        return struct.pack(_UPDATE, self.step, self.file, self.at) + bytes(self.data)


class UpdateState(Message):
    """WANTS: the block of `file` from `at` on. REFUSED: `text` says why. READY: all is there and authentic, SWITCH starts it."""

    kind = UPDATE_STATE

    def __init__(self, node, incarnation, state, file=0, at=0, text=""):
        super().__init__(node, incarnation)
        self.state = state
        self.file = file
        self.at = at
        self.text = text

    def _tail(self) -> bytes:
        return struct.pack(_UPDATE, self.state, self.file, self.at) + _cut(self.text, MAX_TEXT)


class TestResult(Message):
    """`results` are (check, verdict, value): indices of TEST_CHECKS and TEST_VERDICTS, and a number with the check's meaning."""

    kind = TEST_RESULT
    __test__ = False  # its name is no pytest class

    def __init__(self, node, incarnation, results):
        super().__init__(node, incarnation)
        self.results = list(results)

    def _tail(self) -> bytes:
        return b"".join([struct.pack(_TEST, check, verdict, value) for check, verdict, value in self.results])


class Sight(Message):
    """Totals since boot modulo 2**16, and what the part sees now, by its kind: radar x mm, y mm, cm/s for each target; LiDAR the
    two ranges in mm; time of flight the two zones in mm; switches their two levels. -1: nothing valid."""

    kind = SIGHT

    def __init__(self, node, incarnation, uptime_ms, total_ab, total_ba, seen):
        super().__init__(node, incarnation)
        self.uptime_ms = uptime_ms
        self.total_ab = total_ab
        self.total_ba = total_ba
        self.seen = list(seen)

    def _tail(self) -> bytes:
        if len(self.seen) > MAX_SEEN:
            raise WireError("seen", len(self.seen), MAX_SEEN)
        fixed = struct.pack(_SIGHT, self.uptime_ms & 0xFFFFFFFF, self.total_ab & 0xFFFF, self.total_ba & 0xFFFF)
        return fixed + struct.pack("<%dh" % len(self.seen), *self.seen)


def decode(payload):
    """Any bytes -> the message they are, or WireError."""
    payload = bytes(payload)
    if len(payload) > MAX_PAYLOAD:
        raise WireError("too long", len(payload), MAX_PAYLOAD)
    if len(payload) < _HEAD_SIZE:
        raise WireError("too short", len(payload), _HEAD_SIZE)
    head, node, incarnation = struct.unpack_from(_HEAD, payload)
    if head >> 4 != VERSION:
        raise WireError("version", head >> 4, VERSION)
    if node > NODE_MASK:
        raise WireError("node", node, "a 24-bit number")
    read_tail = _READERS.get(head & 15)
    if read_tail is None:
        raise WireError("kind", head & 15, "1 to 14")
    try:
        return read_tail(node, incarnation, payload[_HEAD_SIZE:])
    except WireError:
        raise
    except (ValueError, IndexError) as error:  # text that is not UTF-8, a name that ends too early
        raise WireError("fields", str(error), "the fields of kind %d" % (head & 15))


def _fixed(form, tail):
    if len(tail) != struct.calcsize(form):
        raise WireError("size", len(tail), struct.calcsize(form))
    return struct.unpack(form, tail)


def _read_hello(node, incarnation, tail):
    size = struct.calcsize(_HELLO)
    boot, uptime_s, first_held, next_seq, cause = _fixed(_HELLO, tail[:size])
    firmware, at = _unpack_name(tail, size)
    kit, at = _unpack_name(tail, at)
    sensors, at = _unpack_name(tail, at)
    platform, at = _unpack_name(tail, at)
    if at != len(tail):
        raise WireError("size", len(tail), at)
    return Hello(node, incarnation, boot, uptime_s, first_held, next_seq, cause, firmware, kit, sensors, platform)


def _read_record(node, incarnation, tail):
    if len(tail) != 4 + BODY_SIZE:
        raise WireError("size", len(tail), 4 + BODY_SIZE)
    record = unpack_record(tail[4:])
    if record.covered_s > MAX_COVERED_S:
        raise WireError("covered_s", record.covered_s, "0 to 60")
    return RecordMessage(node, incarnation, struct.unpack_from("<I", tail)[0], record)


def _read_live(node, incarnation, tail):
    size = struct.calcsize(_LIVE)
    boot, uptime_s, total_ab, total_ba = _fixed(_LIVE, tail[:size])
    if total_ab > TOTAL_MASK or total_ba > TOTAL_MASK:
        raise WireError("total", (total_ab, total_ba), "below 2**28")
    return Live(node, incarnation, boot, uptime_s, total_ab, total_ba, decode_objects(tail[size:]))


def _read_log(node, incarnation, tail):
    level, uptime_s = _fixed("<BI", tail[:5])
    if len(tail) > 5 + MAX_TEXT:
        raise WireError("text", len(tail) - 5, MAX_TEXT)
    return Log(node, incarnation, level, uptime_s, str(tail[5:], "utf-8"))


def _read_update(node, incarnation, tail):
    size = struct.calcsize(_UPDATE)
    step, file, at = _fixed(_UPDATE, tail[:size])
    if not OFFER <= step <= ABORT or len(tail) > size + MAX_BLOCK:
        raise WireError("update", (step, len(tail)), "a step, and %d bytes at most" % MAX_BLOCK)
    return Update(node, incarnation, step, file, at, tail[size:])


def _read_update_state(node, incarnation, tail):
    size = struct.calcsize(_UPDATE)
    state, file, at = _fixed(_UPDATE, tail[:size])
    if not WANTS <= state <= ROLLED_BACK or len(tail) > size + MAX_TEXT:
        raise WireError("update state", (state, len(tail)), "a state, and %d bytes at most" % MAX_TEXT)
    return UpdateState(node, incarnation, state, file, at, str(tail[size:], "utf-8"))


def _read_test(node, incarnation, tail):
    size = struct.calcsize(_TEST)
    if len(tail) % size:
        raise WireError("size", len(tail), "a multiple of %d" % size)
    results = [struct.unpack_from(_TEST, tail, at) for at in range(0, len(tail), size)]
    for check, verdict, _ in results:
        if check >= len(TEST_CHECKS) or verdict >= len(TEST_VERDICTS):
            raise WireError("test", (check, verdict), "a check and a verdict")
    return TestResult(node, incarnation, results)


def _read_sight(node, incarnation, tail):
    size = struct.calcsize(_SIGHT)
    uptime_ms, total_ab, total_ba = _fixed(_SIGHT, tail[:size])
    seen = _fixed("<%dh" % ((len(tail) - size) // 2), tail[size:])
    if len(seen) > MAX_SEEN:
        raise WireError("seen", len(seen), MAX_SEEN)
    return Sight(node, incarnation, uptime_ms, total_ab, total_ba, seen)


_READERS = {
    HELLO: _read_hello,
    RECORD: _read_record,
    LIVE: _read_live,
    ACK: lambda node, incarnation, tail: Ack(node, incarnation, *_fixed("<I", tail)),
    TIME: lambda node, incarnation, tail: Time(node, incarnation, *_fixed("<Q", tail)),
    COMMAND: lambda node, incarnation, tail: Command(node, incarnation, *_fixed("<BI", tail)),
    LOG: _read_log,
    CHALLENGE: lambda node, incarnation, tail: Challenge(node, incarnation, *_fixed("<16s", tail)),
    ANSWER: lambda node, incarnation, tail: Answer(node, incarnation, *_fixed(_ANSWER, tail)),
    PROOF: lambda node, incarnation, tail: Proof(node, incarnation, *_fixed("<8s", tail)),
    UPDATE: _read_update,
    UPDATE_STATE: _read_update_state,
    TEST_RESULT: _read_test,
    SIGHT: _read_sight,
}


def _cut(text: str, size: int) -> bytes:
    # At most `size` bytes of UTF-8, cut between characters: half a one would make the whole payload undecodable.
    raw = text.encode()
    if len(raw) > size:
        while raw[size] & 0xC0 == 0x80:
            size -= 1
    return raw[:size]


def _pack_name(name: str) -> bytes:
    raw = _cut(name, MAX_NAME)
    return bytes((len(raw),)) + raw


def _unpack_name(tail, at):
    size = tail[at]
    end = at + 1 + size
    if size > MAX_NAME or end > len(tail):
        raise WireError("name", size, "at most %d bytes that are there" % MAX_NAME)
    return str(tail[at + 1 : end], "utf-8"), end


def encode_objects(objects) -> bytes:
    """[(id, value in wire units), ...] -> BTHome v2 objects, ascending by id as its receivers demand; those of one id keep
    their order, which is what tells them apart."""
    for key, _ in objects:
        if key not in _ROW_OF_ID:
            raise WireError("object", key, "an id in QUANTITIES")
    out = b""
    for row in QUANTITIES:  # not sorted(): MicroPython's does not keep the order of equals
        for key, value in objects:
            if key == row[0]:
                out += struct.pack("<B" + row[2], key, value)
    return out


def decode_objects(raw):
    """The inverse of encode_objects. An unknown id ends the reading with an error: its length is unknown."""
    objects = []
    at = 0
    while at < len(raw):
        row = _ROW_OF_ID.get(raw[at])
        if row is None:
            raise WireError("object", raw[at], "an id in QUANTITIES")
        form = "<" + row[2]
        if at + 1 + struct.calcsize(form) > len(raw):
            raise WireError("object size", len(raw) - at - 1, struct.calcsize(form))
        objects.append((raw[at], struct.unpack_from(form, raw, at + 1)[0]))
        at += 1 + struct.calcsize(form)
    return objects


# -- adverts: BTHome v2 (bthome.io/format, bthome.io/encryption)

BTHOME_UUID = 0xFCD2
MAX_ADVERT = 31  # of a legacy advert
ADVERT_TOTAL_MASK = 0xFFFF
_BTHOME = b"\xd2\xfc\x41"  # the UUID as sent; version 2, at regular intervals, encrypted
_FLAGS = b"\x02\x01\x06"  # generally discoverable, low energy only: receivers expect it of whom they may connect to
_SERVICE_DATA = 0x16
_RAW = 0x54  # object of BTHome: a length, and bytes that mean something to us alone
_TAIL_SIZE = 4 + 4  # of the service data: counter, and the MIC of CCM


def boot_tag(incarnation, boot) -> int:
    """16 bits that no two boots of one incarnation share while fewer than 65,536 lie between, and those of two hardly ever."""
    return (crc32(struct.pack("<I", incarnation)) + boot) & 0xFFFF


class Advert:
    """Totals modulo 2**16 as of the last ten seconds' tick. `tag` tells the boot (boot_tag); climate is None if unknown."""

    def __init__(self, counter, tag, total_ab, total_ba, temperature_centi=None, humidity_pct=None):
        self.counter = counter
        self.tag = tag
        self.total_ab = total_ab
        self.total_ba = total_ba
        self.temperature_centi = temperature_centi
        self.humidity_pct = humidity_pct

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return "Advert%s" % (self.__dict__,)


def pack_advert(advert, address, encrypt) -> bytes:
    """All that is broadcast. `address` are the six bytes of the sender's, as it is read; `encrypt(nonce, plain)` is AES-CCM with
    the node's key, a nonce of 13 bytes and a MIC of 4, which stands behind."""
    objects = [
        (ID_OF["count16"], advert.total_ab & ADVERT_TOTAL_MASK),
        (ID_OF["count16"], advert.total_ba & ADVERT_TOTAL_MASK),
    ]
    if advert.temperature_centi is not None:
        objects.append((ID_OF["temperature_c"], advert.temperature_centi))
    if advert.humidity_pct is not None:
        objects.append((ID_OF["humidity_whole_pct"], advert.humidity_pct))
    plain = encode_objects(objects) + struct.pack("<BBH", _RAW, 2, advert.tag)
    counter = struct.pack("<I", advert.counter)
    sealed = encrypt(bytes(address) + _BTHOME + counter, plain)
    data = _BTHOME + sealed[: len(plain)] + counter + sealed[len(plain) :]
    return _FLAGS + bytes((len(data) + 1, _SERVICE_DATA)) + data


def unpack_advert(data, address, decrypt):
    """The inverse, from the service data without its UUID, as receivers hand it out. `decrypt(nonce, sealed)` gives the plain
    bytes or None where the MIC is wrong. WireError: `plaintext`, `not ours` (another version or layout), `size`, `forged`."""
    if not len(data) or data[0] != _BTHOME[2]:
        is_plain = len(data) > 0 and data[0] == _BTHOME[2] & ~1
        raise WireError("plaintext" if is_plain else "not ours", data[0] if len(data) else None, _BTHOME[2])
    size = len(data) - 1 - _TAIL_SIZE
    if not 0 < size <= MAX_ADVERT - len(_FLAGS) - 2 - len(_BTHOME) - _TAIL_SIZE:
        raise WireError("size", len(data), "what fits into an advert")
    counter = bytes(data[1 + size : 5 + size])
    plain = decrypt(bytes(address) + _BTHOME + counter, bytes(data[1 : 1 + size]) + bytes(data[5 + size :]))
    if plain is None:
        raise WireError("forged", counter, "the MIC of the node's key")
    if len(plain) < 4 or plain[-4] != _RAW or plain[-3] != 2:
        raise WireError("not ours", plain, "a boot's tag at the end")
    objects = decode_objects(plain[:-4])
    counts = [value for key, value in objects if key == ID_OF["count16"]]
    others = dict([row for row in objects if row[0] != ID_OF["count16"]])
    temperature_centi = others.pop(ID_OF["temperature_c"], None)
    humidity_pct = others.pop(ID_OF["humidity_whole_pct"], None)
    if len(counts) != 2 or others:
        raise WireError("not ours", objects, "two totals and climate")
    tag = struct.unpack("<H", plain[-2:])[0]
    return Advert(struct.unpack("<I", counter)[0], tag, counts[0], counts[1], temperature_centi, humidity_pct)


# -- sessions on the air

SERVICE_UUID = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"  # Nordic's UART service: a byte stream in each direction
TO_NODE_UUID = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"  # written by the gateway
TO_GATEWAY_UUID = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"  # notified by the node
NODE_SAYS = b"node"
GATEWAY_SAYS = b"gateway"


def session_text(node, incarnation, challenge, answer, counter) -> bytes:
    """Its MAC under the node's key is the key of the session. Each side proves to have it by the first MAC_SIZE bytes of the MAC
    of NODE_SAYS or GATEWAY_SAYS under it."""
    return b"trottoir session" + struct.pack("<BIII", VERSION, node & NODE_MASK, incarnation, counter) + challenge + answer


def update_text(node, manifest_sha256) -> bytes:
    """What the node's key signs of an update: whose it is, and the SHA-256 of its manifest."""
    return b"trottoir update" + struct.pack("<BI", VERSION, node & NODE_MASK) + manifest_sha256


class Seal:
    """One side of a session. `mac(data)` is keyed with the session's key, and gives MAC_SIZE bytes or more; `says` and `hears` are
    NODE_SAYS and GATEWAY_SAYS or the other way round, so that nothing can be sent back to whom it came from."""

    def __init__(self, mac, says, hears):
        self._mac = mac
        self._says = says
        self._hears = hears
        self._sent = 0
        self._heard = 0

    def close(self, payload) -> bytes:
        self._sent += 1
        numbered = bytes(payload) + struct.pack("<I", self._sent)
        return numbered + self._mac(self._says + numbered)[:MAC_SIZE]

    def open(self, sealed) -> bytes:
        """The payload. WireError `seal` where the MAC is not that of the other side, `replayed` where it was heard before."""
        if len(sealed) <= SEAL_SIZE:
            raise WireError("too short", len(sealed), SEAL_SIZE + 1)
        numbered = bytes(sealed[:-MAC_SIZE])
        if not is_same(self._mac(self._hears + numbered)[:MAC_SIZE], sealed[-MAC_SIZE:]):
            raise WireError("seal", len(sealed), "the MAC of this session")
        number = struct.unpack_from("<I", numbered, len(numbered) - 4)[0]
        if number <= self._heard:
            raise WireError("replayed", number, "more than %d" % self._heard)
        self._heard = number
        return numbered[:-4]


def is_same(mac, other) -> bool:
    """Compares in a time that does not tell where they differ."""
    if len(mac) != len(other):
        return False
    difference = 0
    for a, b in zip(mac, other):
        difference |= a ^ b
    return not difference


def crc32(data, seed=0) -> int:
    """CRC-32; two seeds never give the same bytes the same result, so a seed tells whose bytes they are."""
    return binascii.crc32(data, seed) & 0xFFFFFFFF


def cobs_encode(data) -> bytearray:
    """Consistent Overhead Byte Stuffing (Cheshire and Baker 1999): the same bytes without any 00."""
    out = bytearray(1)
    code_at = 0
    code = 1
    for byte in data:
        if code == 255:  # a block is full: the next one starts without a 00 between
            out[code_at] = 255
            code_at = len(out)
            out.append(0)
            code = 1
        if byte:
            out.append(byte)
            code += 1
        else:
            out[code_at] = code
            code_at = len(out)
            out.append(0)
            code = 1
    out[code_at] = code
    return out


def cobs_decode(data) -> bytearray:
    """The inverse of cobs_encode; WireError where a block runs past the end or a 00 stands inside."""
    out = bytearray()
    at = 0
    size = len(data)
    while at < size:
        code = data[at]
        end = at + code
        if code == 0 or end > size:
            raise WireError("cobs", code, "a block inside %d bytes" % size)
        for i in range(at + 1, end):
            if data[i] == 0:
                raise WireError("cobs", 0, "no 00 inside")
            out.append(data[i])
        at = end
        if code < 255 and at < size:
            out.append(0)
    return out


def encode_frame(payload) -> bytes:
    payload = bytes(payload)
    return b"\x00" + bytes(cobs_encode(payload + struct.pack("<I", crc32(payload)))) + b"\x00"


class Deframer:
    """Bytes in any portions -> payloads. Holds at most one frame; counts what it had to drop.

    `frames` good ones, `bad_frames` with content that failed, `dropped_bytes` that belonged to no good frame.
    """

    def __init__(self):
        self._held = bytearray(MAX_FRAME)
        self._size = 0  # MAX_FRAME + 1 stands for "too long, skipping to the next delimiter"
        self.frames = 0
        self.bad_frames = 0
        self.dropped_bytes = 0

    def feed(self, data):
        """Returns the payloads that became complete, in order, CRC checked, as a list of bytes."""
        data = bytes(data)
        payloads = []
        at = 0
        while at < len(data):
            end = data.find(b"\x00", at)
            self._hold(data, at, len(data) if end < 0 else end)
            if end < 0:
                break
            payload = self._finish()
            if payload is not None:
                payloads.append(payload)
            at = end + 1
        return payloads

    def _hold(self, data, start, end):
        size = end - start
        if self._size + size > MAX_FRAME:
            self.dropped_bytes += size + (self._size if self._size <= MAX_FRAME else 0)
            self._size = MAX_FRAME + 1
        else:
            self._held[self._size : self._size + size] = data[start:end]
            self._size += size

    def _finish(self):
        size = self._size
        self._size = 0
        if size == 0:
            return None
        if size <= MAX_FRAME:
            try:
                content = cobs_decode(memoryview(self._held)[:size])
                if len(content) > 4 and struct.unpack_from("<I", content, len(content) - 4)[0] == crc32(content[:-4]):
                    self.frames += 1
                    return bytes(content[:-4])
            except WireError:
                pass
            self.dropped_bytes += size
        self.bad_frames += 1
        return None
