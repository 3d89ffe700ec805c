"""Where what is in a node's flash."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.flashing import layout
from tools.flashing.layout import APP, FILES, FLASH_SIZE, LOG, NVS, PARTITIONS, TABLE_AT, pack_table, unpack_table


def test_the_rows_are_read_back():
    assert unpack_table(pack_table()) == PARTITIONS


def test_no_two_partitions_overlap_and_all_end_inside_the_flash():
    ends = [TABLE_AT + 0x1000, *(part.end for part in PARTITIONS)]
    assert all(part.offset >= end for part, end in zip(PARTITIONS, ends, strict=False))
    assert PARTITIONS[-1].end == FLASH_SIZE


def test_what_the_firmware_relies_on():
    assert (LOG.name, LOG.size // layout.BLOCK_SIZE) == ("streetlog", 160)
    assert (NVS.offset, NVS.size) == (0x9000, 0x6000)  # where MicroPython's own table has it: another firmware's key stays
    assert FILES.name == "vfs" and APP.offset == 0x10000


def test_a_bootloader_finds_the_hash_of_the_rows():
    rows = 32 * len(PARTITIONS)
    assert pack_table()[rows : rows + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert pack_table()[rows + 16 : rows + 32] == hashlib.md5(pack_table()[:rows]).digest()


@given(at=st.integers(0, 32 * len(PARTITIONS) + 31), bit=st.integers(0, 7))
def test_no_flipped_bit_is_taken_for_our_table(at, bit):
    table = bytearray(pack_table())
    table[at] ^= 1 << bit
    with contextlib.suppress(ValueError):
        assert unpack_table(bytes(table)) != PARTITIONS or bytes(table[:160]) == pack_table()[:160]


@pytest.mark.parametrize("table", [b"", b"\xff" * 0xC00, b"\0" * 0xC00, bytes(32)])
def test_what_is_no_table(table):
    with pytest.raises(ValueError):
        unpack_table(table)
