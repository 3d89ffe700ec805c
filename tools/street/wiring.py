"""What hangs where on a kit's board, as the stand-ins for the board read it: from the same pin file as the firmware's own."""

from __future__ import annotations

from functools import lru_cache

from tools.board import KIT, pins_of

DEFAULT_KIT = KIT.parent.name
# Streams by number: the air, one or two of what counts, the button, the radio.
AIR, COUNTER, COUNTER_B, BUTTON, RADIO = range(5)
_STREAM_OF_ROLE = {"COUNTER": COUNTER, "COUNTER_A": COUNTER, "COUNTER_B": COUNTER_B, "BUTTON": BUTTON}


@lru_cache
def places(kit: str) -> str:
    """`uart2=ld2450:1 i2c0.68=sht4x ...`: a bus, an address on one or a pin, the part there, and the stream that it senses."""
    pins = pins_of(kit)
    wiring = {signal["name"]: signal["gpio"] for signal in pins["signals"]} | pins["buses"]
    parts = {role.upper(): part for role, part in pins["parts"].items()} | {"BUTTON": "button", "BATTERY": "battery"}
    found = []
    for name, number in wiring.items():
        role, _, end = name.rpartition("_")
        if end == "UART":
            found.append((f"uart{number}", role))
        elif end == "I2C":
            found.append((f"i2c{number}.{wiring[role + '_ADDRESS']}", role))
        elif end == "DATA":
            found.append((f"pin{number}", role))
        elif name in ("COUNTER_A", "COUNTER_B", "BUTTON", "BATTERY"):
            found.append((f"pin{number}", name))
    return " ".join(f"{place}={parts[role.partition('_')[0]]}{_stream(role)}" for place, role in found)


def _stream(role: str) -> str:
    return f":{_STREAM_OF_ROLE[role]}" if role in _STREAM_OF_ROLE else ""
