"""What the climate parts call on what they are given, held against the types of MicroPython for the ESP32.

The node's dialect has no annotations for this, so the calls are written down here once. Nothing runs this file: the type
check reads it, and fails where the board's bus would not take such a call.
"""

from collections.abc import Callable
from typing import Protocol

import machine
import onewire


class RegisterBus(Protocol):
    def writeto(self, address: int, data: bytes, /) -> int: ...

    def readfrom_into(self, address: int, buffer: bytearray, /) -> None: ...

    def readfrom_mem_into(self, address: int, register: int, buffer: bytearray, /) -> None: ...


class ProbeWire(Protocol):
    def reset(self) -> bool: ...

    def writebyte(self, value: int, /) -> None: ...

    def readinto(self, buffer: bytearray, /) -> None: ...


def of_the_board(
    i2c: machine.I2C, wire: onewire.OneWire
) -> tuple[RegisterBus, ProbeWire, Callable[[machine.Pin, bytearray], None]]:
    return i2c, wire, machine.dht_readinto
