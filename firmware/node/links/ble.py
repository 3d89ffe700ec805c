# Frames over Bluetooth Low Energy: adverts that everybody hears, and a connection for whoever holds the node's key.
#
# Theory of operation
#   silent       nothing is broadcast before the first live message, nor while the vault has no number for an advert.
#   advertising  what the newest live message tells is broadcast every 2 s, encrypted, and the next one replaces it. While
#                nobody is connected adverts can be connected to.
#   connected    a peer has UNPROVEN_MS to challenge and to prove itself (node/session); it is heard, and told nothing but the
#   challenged   answer to a challenge. What does not fit ends the connection.
#   proven       what the application sends is told; behind a hello the newest live message, since a gateway hangs up as soon as
#                it has all that the hello spoke of. Everything is sealed; the first frame with a wrong seal ends the connection,
#                and so do PROVEN_MS without a good one.
#   leaving      the stack has been asked to hang up; nothing is heard any more. It is asked again until it says that it did.
#
# Rules of this file
#   - The stack calls `_note` at any moment: that only notes what happened, in fields that exist. All work is done in `receive` and
#     `send`, on the node's beat, and neither waits.
#   - Whoever is within reach may connect and write what they like: 512 bytes wait at most, and that is what a beat reads.
#   - One frame at a time is on its way out, in notifications that fit the MTU. What the stack has no room for is tried with the
#     next beat; a frame of which nothing went out is the sender's again. A connection that has just gone is noted by itself.
#   - Who connected is never kept.

import streetwire

UNPROVEN_MS = 5000
PROVEN_MS = 30000
INTERVAL_US = 2000000
_MAX_READ = 512  # bytes between two beats; more is lost, and the frames' delimiters survive it
_LEAST_MTU = 23
_NOTIFY_HEAD = 3  # bytes of an MTU
_NAME = 0x09  # complete local name, in the scan response
_PUBLIC = 0  # address mode: a random static one changes with each start
_CONNECTED, _DISCONNECTED, _WRITTEN, _MTU_EXCHANGED = 1, 2, 3, 21  # the stack's events


class BleLink:
    """`bluetooth` is MicroPython's module, `encrypt(nonce, plain)` AES-CCM with the key, `new_session()` gives a Session;
    `ticks` are (now_ms, difference), `say(level, text)` tells the technician."""

    def __init__(self, bluetooth, node, vault, encrypt, new_session, ticks, say):
        self._vault = vault
        self._encrypt = encrypt
        self._new_session = new_session
        self._ticks_ms, self._ticks_diff = ticks
        self._say = say
        self._name = bytes((10, _NAME)) + ("TR-%06X" % node).encode()
        self._live = None
        self._advert = None
        self._is_advert_due = False
        self.is_silent = False  # no number for adverts is left or can be stored
        self._deframer = streetwire.Deframer()
        self._frames_refused = 0
        self._is_serving = False  # a connection, until it is gone
        self._session = None  # with who is connected, unless hung up
        self._since_ms = 0  # of the connection, or of the last frame that was good
        self._frame = b""  # on its way out
        self._frame_at = 0
        # What the stack notes:
        self._connection = None
        self._surplus = None  # a second connection, to be ended
        self._is_new = False
        self._is_written = False
        self._mtu = _LEAST_MTU
        self._start(bluetooth)

    @property
    def frames_bad(self):
        return self._deframer.bad_frames + self._frames_refused

    @property
    def is_proven(self):
        return self._session is not None and self._session.is_proven

    def receive(self):
        """The messages of a proven gateway since the last call, as a list; never waits."""
        messages = []
        if not self._is_new:
            self._take_written(messages)  # also from who has just hung up: its last word was the time
        self._attend()
        if self._is_advert_due:
            self._advertise()
        if not self._is_serving:
            return messages
        self._take_written(messages)
        self._flush()
        if self._ticks_diff(self._ticks_ms(), self._since_ms) > (PROVEN_MS if self.is_proven else UNPROVEN_MS):
            self._hang_up()
        return messages

    def send(self, message):
        """True once the message is broadcast (Live) or on its way to a proven gateway (all others)."""
        if message.kind == streetwire.LIVE:
            return self._renew_advert(message)
        session = self._session
        if session is None or not session.is_proven or not self._flush():
            return False
        self._put(session.close(message))
        if message.kind == streetwire.HELLO:
            self._put(session.close(self._live))  # there is one, or nobody could have connected
        if not self._flush() and not self._frame_at:
            self._frame = b""
            return False
        return True

    # -- the stack

    def _start(self, bluetooth):
        self._ble = bluetooth.BLE()
        self._ble.active(True)
        self._ble.config(addr_mode=_PUBLIC)
        self._address = bytes(self._ble.config("mac")[1])
        self._ble.irq(self._note)
        to_node = (bluetooth.UUID(streetwire.TO_NODE_UUID), bluetooth.FLAG_WRITE | bluetooth.FLAG_WRITE_NO_RESPONSE)
        to_gateway = (bluetooth.UUID(streetwire.TO_GATEWAY_UUID), bluetooth.FLAG_NOTIFY)
        service = (bluetooth.UUID(streetwire.SERVICE_UUID), (to_node, to_gateway))
        ((self._to_node, self._to_gateway),) = self._ble.gatts_register_services((service,))
        self._ble.gatts_set_buffer(self._to_node, _MAX_READ, True)

    def _note(self, event, data):
        if event == _CONNECTED and self._connection is not None:
            self._surplus = data[0]
        elif event == _CONNECTED:
            self._mtu = _LEAST_MTU
            self._is_new = True
            self._connection = data[0]
        elif data[0] != self._connection:
            return
        elif event == _DISCONNECTED:
            self._connection = None
        elif event == _WRITTEN:
            self._is_written = True
        elif event == _MTU_EXCHANGED:
            self._mtu = data[1]

    # -- adverts

    def _renew_advert(self, live):
        self._live = live
        counter = self._vault.take_counter()
        if counter is None and not self.is_silent:
            self._say(3, "no number for adverts can be stored: this node is silent on the air")
        self.is_silent = counter is None
        self._advert = None if counter is None else self._advert_of(live, counter)
        self._advertise()
        return self._advert is not None

    def _advert_of(self, live, counter):
        objects = dict(live.objects)
        humidity_centi = objects.get(streetwire.ID_OF["humidity_pct"])
        advert = streetwire.Advert(
            counter, streetwire.boot_tag(live.incarnation, live.boot), live.total_ab, live.total_ba,
            objects.get(streetwire.ID_OF["temperature_c"]),
            None if humidity_centi is None else (humidity_centi + 50) // 100,
        )  # fmt: skip
        return streetwire.pack_advert(advert, self._address, self._encrypt)

    def _advertise(self):
        # What the stack does not take now is tried again with the next beat.
        try:
            if self._advert is None:
                self._ble.gap_advertise(None)
            else:
                self._ble.gap_advertise(INTERVAL_US, self._advert, resp_data=self._name, connectable=not self._is_serving)
            self._is_advert_due = False
        except OSError:
            self._is_advert_due = True

    # -- connections

    def _attend(self):
        """Takes note of connections that came and went."""
        if self._surplus is not None:
            self._ask_to_hang_up(self._surplus)
            self._surplus = None
        if self._is_new:
            self._is_new = False
            self._is_serving = True
            self._forget()
            self._deframer.feed(b"\x00")  # ends what another peer began
            self._session = self._new_session()
            self._since_ms = self._ticks_ms()
            self._is_advert_due = True  # the stack ended it when the peer connected
        elif self._is_serving and self._connection is None:
            self._is_serving = False
            self._forget()
            self._ble.gatts_read(self._to_node)  # what nobody will hear
            self._is_written = False
            self._is_advert_due = True

    def _forget(self):
        self._session = None
        self._frame = b""
        self._frame_at = 0

    def _take_written(self, messages):
        if self._is_written:
            self._is_written = False
            for payload in self._deframer.feed(self._ble.gatts_read(self._to_node)):
                self._hear(payload, messages)

    def _hear(self, payload, messages):
        session = self._session
        if session is None:
            return
        try:
            if session.is_proven:
                messages.append(session.open(payload))
                self._since_ms = self._ticks_ms()
            elif session.is_challenged:
                session.take_proof(payload)
                self._since_ms = self._ticks_ms()
            else:
                self._put(session.answer(payload, self._vault.next_counter))
        except streetwire.WireError:
            self._frames_refused += 1
            self._hang_up()

    def _hang_up(self):
        self._forget()
        self._since_ms = self._ticks_ms()
        self._ask_to_hang_up(self._connection)

    def _ask_to_hang_up(self, connection):
        if connection is None:  # it has gone by itself
            return
        try:
            self._ble.gap_disconnect(connection)
        except OSError:  # just now
            pass

    # -- out

    def _put(self, payload):
        self._frame = self._frame[self._frame_at :] + streetwire.encode_frame(payload)
        self._frame_at = 0

    def _flush(self):
        """True if nothing is left to go out."""
        size = max(self._mtu, _LEAST_MTU) - _NOTIFY_HEAD
        connection = self._connection  # may go at any moment
        while self._frame_at < len(self._frame):
            if connection is None:
                return False
            try:
                self._ble.gatts_notify(connection, self._to_gateway, self._frame[self._frame_at : self._frame_at + size])
            except OSError:
                return False
            self._frame_at += size
        return True
