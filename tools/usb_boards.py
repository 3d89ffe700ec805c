"""By which USB identities boards with a node are known: the bridges that ESP32 boards carry, and Espressif's own port."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UsbBoard:
    """`vid` and `pid` as the device tells them; `driver` is what Windows needs, empty where it brings its own."""

    vid: int
    pid: int
    name: str
    driver: str


BOARDS: tuple[UsbBoard, ...] = (
    UsbBoard(0x10C4, 0xEA60, "CP210x", "CP210x VCP (Silicon Labs)"),
    UsbBoard(0x1A86, 0x7523, "CH340", "CH341SER (WCH)"),
    UsbBoard(0x1A86, 0x55D4, "CH9102", "CH343SER (WCH)"),
    UsbBoard(0x0403, 0x6001, "FT232R", "CDM (FTDI)"),
    UsbBoard(0x0403, 0x6015, "FT231X", "CDM (FTDI)"),
    UsbBoard(0x303A, 0x1001, "Espressif USB", ""),
)
