# MicroPython's `bluetooth` for nodes of a street, as far as the firmware uses it. Room, buffers and connections are those of
# `tools/air/peripheral.py`, which stands at the other end.

import os
import struct

from streetradio import ACTIVE, ADVERTISE, HANG_UP, NOTIFY, SERVICES, StreetRadio, Value

FLAG_READ = 0x02
FLAG_WRITE_NO_RESPONSE = 0x04
FLAG_WRITE = 0x08
FLAG_NOTIFY = 0x10

_ENOMEM, _EINVAL, _ENOTCONN = 12, 22, 128  # as on an ESP32
_NOTIFY_HEAD = 3  # bytes of an MTU
_MAX_UNDER_WAY = 12


class UUID:
    def __init__(self, value):
        self.text = value


class BLE:
    def __init__(self):
        self._radio = StreetRadio()

    def active(self, active):
        self._radio.say(ACTIVE, bytes((active,)))

    def config(self, param="", addr_mode=0):
        if addr_mode:  # a random address would be another one with each start
            raise OSError(_EINVAL)
        return 0, bytes.fromhex(os.getenv("STREET_MAC", ""))

    def irq(self, handler):
        self._radio.handler = handler

    def gap_advertise(self, interval_us, adv_data=b"", resp_data=None, connectable=True):
        self._radio.say(ADVERTISE, struct.pack("<IB", interval_us or 0, connectable) + bytes(adv_data))

    def gatts_register_services(self, services_definition):
        handles = []
        lines = []
        for service, characteristics in services_definition:
            lines.append(" ".join([service.text] + ["%s=%d" % (uuid.text, flags) for uuid, flags in characteristics]))
            first = len(self._radio.values) + 1
            self._radio.values.extend([Value() for _ in characteristics])
            handles.append(tuple(range(first, first + len(characteristics))))
        self._radio.say(SERVICES, "\n".join(lines).encode())
        return tuple(handles)

    def gatts_set_buffer(self, value_handle, len, append=False):
        value = self._radio.values[value_handle - 1]
        value.size, value.appends = len, append

    def gatts_read(self, value_handle):
        value = self._radio.values[value_handle - 1]
        data = value.data
        if value.appends:
            value.data = b""
        return data

    def gatts_notify(self, conn_handle, value_handle, data):
        if conn_handle not in self._radio.mtus:
            raise OSError(_ENOTCONN)
        if self._radio.under_way >= _MAX_UNDER_WAY:
            raise OSError(_ENOMEM)
        size = self._radio.mtus[conn_handle] - _NOTIFY_HEAD
        self._radio.say(NOTIFY, bytes((conn_handle, value_handle)) + bytes(data[:size]))

    def gap_disconnect(self, conn_handle):
        if conn_handle not in self._radio.mtus:
            return False
        self._radio.say(HANG_UP, bytes((conn_handle,)))
        return True
