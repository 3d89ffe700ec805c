"""The cable between node and gateway, and the witness at its node's end."""

import os
import random
from pathlib import Path

import pytest

import streetwire
from tests.real_parts import needs
from tools.street.cable import BYTES_PER_MS, Cable, Witness

pytestmark = needs("pty")


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def cable(tmp_path: Path, heard):
    cable = Cable(tmp_path / "ttyNODE0", heard.append, random.Random(1))
    yield cable
    cable.close()


def open_port(cable: Cable, tmp_path: Path) -> int:
    descriptor = os.open(tmp_path / "ttyNODE0", os.O_RDWR | os.O_NOCTTY)
    cable.heard_from_gateway(True, 1, 0)
    return descriptor


def test_bytes_reach_an_open_port_unchanged(cable, tmp_path):
    port = open_port(cable, tmp_path)
    everything = bytes(range(256))
    assert cable.deliver_to_gateway(everything)
    assert os.read(port, 1000) == everything
    os.close(port)


def test_a_byte_is_under_way_until_the_gateway_says_that_it_has_it(cable, tmp_path):
    port = open_port(cable, tmp_path)
    cable.deliver_to_gateway(b"12345")
    cable.heard_from_gateway(True, 1, 3)
    assert not cable.is_quiet
    cable.heard_from_gateway(True, 1, 5)
    assert cable.is_quiet
    os.close(port)


def test_a_closed_port_takes_nothing_and_nothing_is_under_way(cable):
    assert not cable.deliver_to_gateway(b"12345")
    assert cable.is_quiet


def test_a_port_that_was_opened_again_counts_from_zero(cable, tmp_path):
    port = open_port(cable, tmp_path)
    cable.deliver_to_gateway(b"12345")
    cable.heard_from_gateway(True, 2, 0)
    assert cable.is_quiet
    os.close(port)


def test_pulling_the_plug_is_an_error_for_the_reader_and_a_new_port_stands_under_the_same_name(cable, tmp_path):
    port = open_port(cable, tmp_path)
    cable.pull_out()
    assert os.read(port, 10) == b""
    assert not cable.is_quiet
    cable.heard_from_gateway(False, 1, 0)
    assert cable.is_quiet
    assert not (tmp_path / "ttyNODE0").exists()
    os.close(port)
    cable.plug_in()
    port = open_port(cable, tmp_path)
    assert cable.deliver_to_gateway(b"again")
    assert os.read(port, 10) == b"again"
    os.close(port)


def test_what_the_gateway_writes_reaches_the_node(cable, tmp_path, heard):
    port = open_port(cable, tmp_path)
    os.write(port, b"\x00\x03\xff")
    cable.deliver_to_node(cable.take_from_gateway())
    assert heard == [b"\x00\x03\xff"]
    os.close(port)


def test_a_bad_cable_spoils_about_one_byte_in_fifty_and_a_good_one_none(cable, heard):
    sent = bytes(10_000)
    cable.deliver_to_node(sent)
    cable.is_garbling = True
    cable.deliver_to_node(sent)
    assert heard[0] == sent
    assert 100 < sum(byte != 0 for byte in heard[1]) + abs(len(heard[1]) - len(sent)) < 320
    assert len(heard[1]) != len(sent)


def test_bytes_take_the_time_of_115200_baud():
    assert Cable.transit_ms(bytes(round(1000 * BYTES_PER_MS))) in (1000, 1001)
    assert Cable.transit_ms(b"x") == 1


def test_the_witness_knows_what_the_node_said_however_often():
    witness = Witness()
    record = streetwire.Record(1, 1, 1_778_580_000, 60, 60, 2, 3, 2, 3)
    frame = streetwire.encode_frame(streetwire.RecordMessage(5, 6, 0, record).encode())
    for byte in b"boot text\n" + frame + frame:
        witness.hear(bytes((byte,)))
    assert witness.counted() == (2, 3)
    witness.hear(streetwire.encode_frame(streetwire.Live(5, 6, 1, 70, 4, 3).encode()))
    assert witness.live == (4, 3)
