"""A radio: Bumble's controller, with what it lacks of one at work on a real air.

Bumble's own reports every advert twice and always at -50 dBm, drops those that cannot be connected to, sends data the moment they
come and cannot give up connecting. Extended advertising is left out, as small radios (ESP32, the Pi 3 and 4) have none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.device import AdvertisingType

if TYPE_CHECKING:
    from tools.air.link import Air

ADV_DELAY_MS = 10  # upper bound of the pseudo-random delay before each advert (Core 5.4, Vol 6, Part B, 4.4.2.2.1)
SLOT_S = 0.000625  # in which intervals of adverts are given
ACL_BYTES = 251  # data length extension, which ESP32 and the Pi have
ACL_PACKETS = 12  # that a controller takes before the host has to wait; small ones hold about as many
CONNECTABLE, NOT_CONNECTABLE = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE, AdvertisingType.UNDIRECTED
_ADVERT = hci.HCI_LE_Advertising_Report_Event


class Advertiser(LegacyAdvertiser):
    """Legacy advertising with its random delay. HCI's slots are slots."""

    def start(self) -> None:
        self.stop()
        self.enabled = True
        self._plan(0.0)

    def send_advertising_data(self) -> None:
        pdu = ll.AdvInd if self.is_connectable else ll.AdvNonConnInd
        self.controller.send_advertising_pdu(pdu(self.address, self.advertising_data))

    @property
    def is_connectable(self) -> bool:
        return self.advertising_type == CONNECTABLE

    def _plan(self, after_s: float) -> None:
        radio = self.controller
        assert isinstance(radio, Radio)
        delay_s = radio.air.rng.randrange(ADV_DELAY_MS + 1) / 1000
        self.timer_handle = asyncio.get_running_loop().call_later(after_s + delay_s, self._on_timer_fired)

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        self._plan(self.advertising_interval_min * SLOT_S)


class Radio(Controller):
    """`text` is its public address, `is_on` whether it has power."""

    le_features = Controller.le_features & ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    le_acl_data_packet_length = ACL_BYTES
    total_num_le_acl_data_packets = ACL_PACKETS

    def __init__(self, air: Air, address: str) -> None:
        self.text = address
        self.air = air
        self.is_on = True
        self._is_stalled = self._is_deep = False
        super().__init__(address, link=air, public_address=hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS))
        self.le_legacy_advertiser = Advertiser(self)

    # -- faults

    def switch_off(self) -> None:
        self.is_on = False
        self._is_stalled = self._is_deep = False
        self.le_legacy_advertiser.stop()
        self.give_up_connecting(hci.HCI_HARDWARE_FAILURE_ERROR)
        for connection in list(self.le_connections.values()):
            self.on_le_disconnected(connection, hci.HCI_HARDWARE_FAILURE_ERROR)

    def switch_on(self) -> None:
        self.is_on = True
        self.le_scan_enable = False

    def stall(self, is_deep: bool) -> None:
        self._is_stalled, self._is_deep = True, is_deep

    # -- adverts and connecting

    @property
    def is_listening(self) -> bool:
        return self.le_scan_enable or self.pending_le_connection is not None

    def hear_advert(self, packet: ll.AdvertisingPdu, rssi_dbm: int) -> None:
        """One advert from the air: a report, and what an initiator has waited for."""
        assert isinstance(packet, (ll.AdvInd, ll.AdvNonConnInd))
        if self.le_scan_enable and not self._is_stalled:
            kind = _ADVERT.EventType.ADV_IND if isinstance(packet, ll.AdvInd) else _ADVERT.EventType.ADV_NONCONN_IND
            address = packet.advertiser_address
            self.send_hci_packet(_ADVERT([_ADVERT.Report(kind, address.address_type, address, packet.data, rssi_dbm)]))
        wanted = self.pending_le_connection
        if wanted is not None and isinstance(packet, ll.AdvInd) and wanted.peer_address == packet.advertiser_address:
            self.create_le_connection(packet.advertiser_address)

    def accept(self, packet: ll.ConnectInd) -> bool:
        """A central wants to connect. False where it is not waited for."""
        advertiser = self.le_legacy_advertiser
        if not (advertiser.enabled and isinstance(advertiser, Advertiser) and advertiser.is_connectable):
            return False
        self.on_le_connect_ind(packet)
        return True

    def connection_to(self, peer: Radio) -> Connection | None:
        return self.le_connections.get(peer.public_address)

    def drop(self, connection: Connection | None, reason: int) -> None:
        """A connection is over, unless it was already."""
        if connection is not None and self.le_connections.get(connection.peer_address) is connection:
            self.on_le_disconnected(connection, reason)

    # -- commands of the host that Bumble leaves out

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        connection = self.find_le_connection_by_handle(packet.connection_handle)
        if connection is not None:
            self.air.queue(self, connection, packet)

    def on_hci_disconnect_command(self, command: Any) -> None:
        if self.find_le_connection_by_handle(command.connection_handle) is not None:
            super().on_hci_disconnect_command(command)
            return
        status = hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        event = hci.HCI_Command_Status_Event(status=status, num_hci_command_packets=1, command_opcode=command.op_code)
        self.send_hci_packet(event)

    def on_hci_le_set_scan_enable_command(self, command: Any) -> hci.HCI_StatusReturnParameters:
        if command.le_scan_enable and not self._is_deep:
            self._is_stalled = False
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        self.give_up_connecting()
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def give_up_connecting(self, status: int = hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR) -> None:
        wanted, self.pending_le_connection = self.pending_le_connection, None
        if wanted is None:
            return
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=status, connection_handle=0, role=hci.Role.CENTRAL, peer_address_type=wanted.peer_address.address_type,
                peer_address=wanted.peer_address, connection_interval=0, peripheral_latency=0, supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )  # fmt: skip
