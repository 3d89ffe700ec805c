# A radio in whose range a gateway is at work: every few minutes it connects, proves its key, asks for a hello, acknowledges each
# record and hangs up; each other time somebody connects who only makes noise.

import hashlib

from desk import desk

import streetwire
from node.hmac_sha256 import hmac_sha256

FLAG_WRITE, FLAG_WRITE_NO_RESPONSE, FLAG_NOTIFY = 8, 4, 16
KEY = bytes(range(16))
EVERY_MS = 120000
_STAYS_MS = 20000
_CONNECTED, _DISCONNECTED, _WRITTEN, _MTU_EXCHANGED = 1, 2, 3, 21
_TO_NODE, _TO_GATEWAY = 11, 13
_MTU = 247


class UUID:
    def __init__(self, value):
        pass


class BLE:
    def __init__(self):
        self._written = bytearray()
        self._session = None
        self._next_ms = EVERY_MS
        self._connection = 0
        self._is_connected = False
        self.sessions = 0  # in which a hello was heard, and what is live behind it

    def active(self, active):
        pass

    def config(self, param="", addr_mode=0):
        return 0, b"\x24\xdc\xc3\xc3\x0a\x03"

    def irq(self, handler):
        self._handler = handler
        desk.radios.append(self)

    def gatts_register_services(self, services_definition):
        return ((_TO_NODE, _TO_GATEWAY),)

    def gatts_set_buffer(self, value_handle, len, append=False):
        pass

    def gatts_read(self, value_handle):
        written, self._written = bytes(self._written), bytearray()
        return written

    def gatts_notify(self, conn_handle, value_handle, data):
        if not self._is_connected:
            raise OSError(128)
        for payload in self._deframer.feed(data):
            self._hear(payload)

    def gap_advertise(self, interval_us, adv_data=None, resp_data=None, connectable=True):
        pass

    def gap_disconnect(self, conn_handle):
        self._end()

    # -- who is in range

    def look(self):
        """Connects or hangs up if it is time to."""
        if not self._is_connected and desk.now_ms >= self._next_ms:
            self._next_ms += EVERY_MS
            self._connection += 1
            self._is_connected = True
            self._mac = self._seal = None
            self._deframer = streetwire.Deframer()
            self._handler(_CONNECTED, (self._connection, 0, b""))
            self._handler(_MTU_EXCHANGED, (self._connection, _MTU))
            self._say(streetwire.Challenge(0xC30A01, 0, bytes(16)).encode() if self._connection % 2 else b"noise")
        elif self._is_connected and desk.now_ms >= self._next_ms - EVERY_MS + _STAYS_MS:
            self._end()

    def _end(self):
        if self._is_connected:
            self._is_connected = False
            self._handler(_DISCONNECTED, (self._connection, 0, b""))

    def _say(self, payload):
        self._written.extend(streetwire.encode_frame(payload))
        self._handler(_WRITTEN, (self._connection, _TO_NODE))

    def _hear(self, payload):
        if self._seal is None:
            self._prove(streetwire.decode(payload))
            return
        message = streetwire.decode(self._seal.open(payload))
        if isinstance(message, streetwire.RecordMessage):
            self._say(self._seal.close(streetwire.Ack(message.node, message.incarnation, message.record.seq).encode()))
        elif isinstance(message, streetwire.Live):
            self.sessions += 1

    def _prove(self, answer):
        text = streetwire.session_text(answer.node, answer.incarnation, bytes(16), answer.nonce, answer.counter)
        mac = hmac_sha256(hashlib.sha256, hmac_sha256(hashlib.sha256, KEY)(text))
        self._say(streetwire.Proof(answer.node, 0, mac(streetwire.GATEWAY_SAYS)[: streetwire.MAC_SIZE]).encode())
        self._seal = streetwire.Seal(mac, streetwire.GATEWAY_SAYS, streetwire.NODE_SAYS)
        self._say(self._seal.close(streetwire.Command(answer.node, answer.incarnation, streetwire.SAY_HELLO).encode()))
