"""The air: who hears whom, how loud, when and how often not. Bumble's controllers speak through it.

Theory of operation
    Radios stand somewhere (metres). An advert goes to every radio in reach that is on, and is lost with a stated share; what is
    heard carries the strength that distance gives it, with noise. A connection is a `Contact` (contact.py): data move at its
    connection events only, and it breaks when its two ends have not heard each other for the supervision timeout.
    All randomness comes from one generator that is handed in, all time from the running loop: on a loop whose clock is
    simulated, the same seed gives the same run.

What this cannot show
    Interference and collisions (losses are drawn, whoever else is on the air), channels and their hopping, fading that lasts,
    antennas and bodies between them, the duty cycle of a real scanner beside Wi-Fi, scan requests and their responses, pairing,
    faults of a real controller's firmware, BlueZ and NimBLE with their limits and defects, energy.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING

from bumble import core, hci, ll
from bumble.link import LocalLink

from tools.air.contact import INTERVAL_S, Contact

if TYPE_CHECKING:
    from bumble.controller import Connection, Controller

    from tools.air.controller import Radio

# Log-distance path loss (Rappaport, Wireless Communications, 2nd ed., 4.9.1). -59 dBm at a metre is what beacons at 0 dBm are
# calibrated to; the exponent is between free space (2.0) and a street with people in it (2.7 and more).
RSSI_AT_1M_DBM = -59
PATH_LOSS_EXPONENT = 2.4
NOISE_DB = 4.0  # one standard deviation: bodies and reflections, from advert to advert
SENSITIVITY_DBM = -95  # of small radios at 1 Mbit/s, as their data sheets have it; -90 in bad ones
NEAREST_M = 0.1  # nearer than this the model means nothing


def mean_rssi_dbm(distance_m: float) -> float:
    return RSSI_AT_1M_DBM - 10 * PATH_LOSS_EXPONENT * math.log10(max(distance_m, NEAREST_M))


RANGE_M = 10 ** ((RSSI_AT_1M_DBM - SENSITIVITY_DBM) / (10 * PATH_LOSS_EXPONENT))  # 31.6 m: beyond it nothing is heard


class Air(LocalLink):
    """`advert_loss` is the share of all adverts that a radio in reach does not hear, `advert_loss_of` that of one sender's, by
    address, on top; `interval_s` lies between the events of a connection. Addresses are texts: `24:DC:C3:00:00:01`. Who has not
    been placed stands at (0, 0)."""

    def __init__(self, rng: Random, advert_loss: float = 0.0, interval_s: float = INTERVAL_S) -> None:
        super().__init__()
        self.rng = rng
        self.interval_s = interval_s
        self.advert_loss = advert_loss
        self.advert_loss_of: defaultdict[str, float] = defaultdict(float)
        self.adverts_sent = 0
        self._radios: dict[str, Radio] = {}  # in the order in which they came: Bumble's set has none
        self._places: defaultdict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._contacts: list[Contact] = []

    # -- where everybody is

    def place(self, address: str, x_m: float, y_m: float = 0.0) -> None:
        """Puts a radio somewhere else; connections notice."""
        self._places[address] = (x_m, y_m)
        for contact in self._contacts:
            contact.look()

    def distance_m(self, one: str, other: str) -> float:
        return math.dist(self._places[one], self._places[other])

    def is_in_reach(self, one: Radio, other: Radio) -> bool:
        return one.is_on and other.is_on and self.distance_m(one.text, other.text) <= RANGE_M

    # -- faults, on demand

    def cut(self, address: str) -> None:
        """Breaks the connections of a radio at once, as if they had been unheard of for the supervision timeout."""
        for contact in self._contacts_of(self._radios[address]):
            contact.end()

    def switch_off(self, address: str) -> None:
        """Power cut, or an adapter that is unplugged: nothing goes out, nothing comes in, its host loses its connections. The
        other ends notice after the supervision timeout."""
        radio = self._radios[address]
        radio.switch_off()
        for contact in self._contacts_of(radio):
            contact.hang_up(radio, hci.HCI_HARDWARE_FAILURE_ERROR)

    def switch_on(self, address: str) -> None:
        """On again, after a reset: neither advertising nor scanning."""
        self._radios[address].switch_on()

    def stall(self, address: str, is_deep: bool = False) -> None:
        """The scanner of a radio reports nothing more and no error. Starting it anew cures that; if the stall is deep, only
        switching the radio off and on does."""
        self._radios[address].stall(is_deep)

    # -- what Bumble's controllers ask of a link

    def add_controller(self, controller: Controller) -> None:
        super().add_controller(controller)
        radio: Radio = controller  # type: ignore[assignment]  no others are made
        self._radios[radio.text] = radio

    def remove_controller(self, controller: Controller) -> None:
        super().remove_controller(controller)
        del self._radios[controller.public_address.to_string(False)]

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        sender = self._radios[sender_controller.public_address.to_string(False)]
        if isinstance(packet, ll.ConnectInd):
            self._connect(sender, packet)
            return
        self.adverts_sent += 1
        loss = 1 - (1 - self.advert_loss) * (1 - self.advert_loss_of[sender.text])
        for radio in self._radios.values():
            if radio is not sender and radio.is_listening and self.is_in_reach(sender, radio) and self.rng.random() >= loss:
                noise_db = self.rng.gauss(0, NOISE_DB)
                rssi_dbm = round(mean_rssi_dbm(self.distance_m(sender.text, radio.text)) + noise_db)
                radio.hear_advert(packet, max(-127, min(20, rssi_dbm)))

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        receiver = self._radios.get(destination_address.to_string(False))
        if receiver is not None:
            receiver.on_link_acl_data(sender_controller.public_address, transport, data)

    def send_ll_control_pdu(self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu) -> None:
        sender = self._radios[sender_address.to_string(False)]
        for contact in self._contacts_of(sender):
            contact.send_control(sender, packet)

    # -- connections

    def queue(self, radio: Radio, connection: Connection, packet: hci.HCI_AclDataPacket) -> None:
        """A host has something for the other end of a connection."""
        for contact in self._contacts_of(radio):
            contact.send(radio, connection, packet)

    def forget(self, contact: Contact) -> None:
        self._contacts.remove(contact)

    def _contacts_of(self, radio: Radio) -> list[Contact]:
        return [contact for contact in self._contacts if radio in contact.ends]

    def _connect(self, central: Radio, packet: ll.ConnectInd) -> None:
        peripheral = self._radios.get(packet.advertiser_address.to_string(False))
        assert peripheral is not None, "an initiator answers an advert that it has heard"
        contact = Contact(self, central, peripheral)
        self._contacts.append(contact)
        asyncio.get_running_loop().call_soon(contact.begin, packet)
