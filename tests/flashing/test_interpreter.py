"""What a file is, before it is written to any board; and what of it goes where."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.flashing.interpreter import FirmwareError, mpy_of, read
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, NVS, PHY, TABLE_AT
from tools.standin import images

GOOD = images.interpreter()


def refused(content: bytes) -> str:
    with pytest.raises(FirmwareError) as caught:
        read(content)
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.line("de")
    return caught.value.key


def test_a_good_one():
    found = read(GOOD)
    assert (found.version, found.mpy) == ("1.24.1", "6.3")
    assert (found.sha256, found.size) == (hashlib.sha256(GOOD).hexdigest(), len(GOOD))
    assert found.app_digest == hashlib.sha256(found.app[:-32]).digest()


def test_no_part_of_it_reaches_where_a_node_keeps_its_key():
    found = read(GOOD)
    assert BOOTLOADER_AT + len(found.bootloader) <= TABLE_AT < NVS.offset
    assert PHY.end <= APP_AT
    assert GOOD.startswith(found.bootloader) and GOOD[APP_AT - BOOTLOADER_AT :].startswith(found.app)


def test_what_stands_behind_the_app_is_no_part_of_it():
    assert read(GOOD + b"\xff" * 500).app == read(GOOD).app


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "firmware-short"),
        (b"\xe9" * 100, "firmware-short"),
        (GOOD[:0x7000] + GOOD[0xF000:], "firmware-no-table"),
        (b"\0" + GOOD[1:], "firmware-magic"),
        (GOOD[0xF000:] + bytes(0x10000), "firmware-no-table"),  # an app alone, for updates
        (images.interpreter(bootloader=images.esp_image(bytes(100), chip_id=5)), "firmware-chip"),
        (images.interpreter(chip_id=9), "firmware-chip"),
        (images.interpreter(banner=b"CircuitPython 9.2.1 on 2024-11-20; Some board"), "firmware-other"),
        (images.interpreter(description_magic=0), "firmware-other"),
        (images.interpreter(banner=b"MicroPython v1.18 on 2022-01-17; ESP32 module"), "firmware-old"),
        (GOOD[:-40], "firmware-cut"),
        (GOOD[:-1000] + b"!" + GOOD[-999:], "firmware-damaged"),
        (GOOD + bytes(0x400000), "firmware-long"),
        (images.interpreter(app_image=images.app(0x1F0000)), "firmware-app-large"),
    ],
)
def test_what_is_refused(content, key):
    assert refused(content) == key


@given(st.binary(max_size=64), st.integers(0, len(GOOD) - 1))
@settings(max_examples=300)
def test_damage_is_an_error_of_ours_or_changes_the_hash(damage, at):
    content = GOOD[:at] + damage + GOOD[at + len(damage) :]
    try:
        found = read(content)
    except FirmwareError as error:
        assert error.line("en") and error.line("de")
    else:
        assert content == GOOD or found.sha256 != read(GOOD).sha256
        assert found.app == read(GOOD).app  # its own hash saw to that


@pytest.mark.parametrize(
    ("version", "mpy"), [("1.19.1", "6"), ("1.20.0", "6.1"), ("1.22.2", "6.2"), ("1.23", "6.3"), ("1.29.0-preview", "6.3")]
)
def test_bytecode_by_version(version, mpy):
    assert mpy_of(version) == mpy
