# A Bluetooth stack without a radio, as the node's link sees it, and a gateway that holds a key. What this cannot show: packets,
# loss, a stack that is busy.

from ciphers import keyed
from dialect import ticks_add

import streetwire

ENOMEM, ENOTCONN = 12, 128
ADDRESS = bytes.fromhex("24dcc3c30003")


class RamRadio:
    """Module and stack in one. `room` is how many notifications are taken until they are fetched, `is_gone` that the peer has left
    and the stack has not told it yet, `refuses_adverts` that gap_advertise fails."""

    FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, FLAG_NOTIFY = 8, 4, 16
    UUID = str

    def __init__(self):
        self.now_ms = 0
        self.adverts = []  # (advert, scan response, is connectable) as they were set; None: stopped
        self.connection = None
        self.hang_ups = []
        self.notified = []
        self.room = None
        self.is_gone = self.refuses_adverts = False
        self.services = None
        self.longest_read = 0
        self.while_reading = lambda: None  # what the stack tells in the middle of a beat
        self._handles = 0
        self._written = bytearray()

    def ticks_ms(self):
        return ticks_add((1 << 30) - 7000, self.now_ms)

    # -- as the link calls it

    def BLE(self):  # noqa: N802  the module's name
        return self

    def active(self, is_on):
        assert is_on

    def config(self, *names, **values):
        assert names == ("mac",) or values == {"addr_mode": 0}
        return 0, memoryview(ADDRESS)

    def irq(self, handler):
        self._handler = handler

    def gatts_register_services(self, services):
        self.services = services
        return ((11, 13),)

    def gatts_set_buffer(self, handle, size, append):
        assert (handle, size, append) == (11, 512, True)

    def gatts_read(self, handle):
        assert handle == 11
        written, self._written = bytes(self._written), bytearray()
        self.while_reading()
        self.longest_read = max(self.longest_read, len(written))
        return written

    def gatts_notify(self, connection, handle, data):
        if connection + 0 != self.connection or self.is_gone:
            raise OSError(ENOTCONN)
        if self.room is not None and len(self.notified) >= self.room:
            raise OSError(ENOMEM)
        assert handle == 13
        self.notified.append(bytes(data))

    def gap_advertise(self, interval_us, adv_data=None, resp_data=None, connectable=True):
        if self.refuses_adverts:
            raise OSError(16)
        if interval_us is None:
            self.adverts.append(None)
        else:
            assert interval_us == 2000000
            self.adverts.append((bytes(adv_data), bytes(resp_data), connectable))

    def gap_disconnect(self, connection):
        self.hang_ups.append(connection + 0)
        if connection != self.connection:
            raise OSError(ENOTCONN)

    # -- as the air does

    def connect(self):
        self._handles += 1
        if self.connection is None:
            self.connection = self._handles
        self._handler(1, (self._handles, 0, memoryview(bytes(6))))
        return self._handles

    def disconnect(self, connection=None):
        connection = connection or self.connection
        if connection == self.connection:
            self.connection = None
        self.is_gone = False
        self._handler(2, (connection, 0, memoryview(bytes(6))))

    def write(self, data):
        self._written = (self._written + data)[:512]
        self._handler(3, (self.connection, 11))

    def exchange_mtu(self, mtu):
        self._handler(21, (self.connection, mtu))

    def fetch(self):
        notified, self.notified = self.notified, []
        return notified


class Gateway:
    """Whoever connects with a key, right or wrong."""

    def __init__(self, radio, node, key, nonce=bytes(16)):
        self._radio = radio
        self._node = node
        self._key = key
        self.nonce = nonce
        self._deframer = streetwire.Deframer()
        self.answer = None
        self.mac = None
        self.seal = None

    def say(self, payload):
        self._radio.write(streetwire.encode_frame(payload))

    def challenge(self):
        self.say(streetwire.Challenge(self._node, 0, self.nonce).encode())

    def payloads(self):
        return [payload for part in self._radio.fetch() for payload in self._deframer.feed(part)]

    def hear_answer(self):
        """True if the node has proven that it holds this key."""
        self.answer = streetwire.decode(self.payloads()[0])
        incarnation, nonce, counter = self.answer.incarnation, self.answer.nonce, self.answer.counter
        text = streetwire.session_text(self._node, incarnation, self.nonce, nonce, counter)
        self.mac = keyed(keyed(self._key)(text))
        return streetwire.is_same(self.mac(streetwire.NODE_SAYS)[:8], self.answer.mac)

    def prove(self):
        self.say(streetwire.Proof(self._node, 0, self.mac(streetwire.GATEWAY_SAYS)[:8]).encode())
        self.seal = streetwire.Seal(self.mac, streetwire.GATEWAY_SAYS, streetwire.NODE_SAYS)

    def tell(self, message):
        self.say(self.seal.close(message.encode()))

    def told(self):
        return [streetwire.decode(self.seal.open(payload)) for payload in self.payloads()]
