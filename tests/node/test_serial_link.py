"""Frames over byte streams: never waits, costs a bounded amount, and minds nothing that it hears."""

import os
import select

import pytest

import streetwire
from node.links.serial import SerialLink

pytestmark = pytest.mark.skipif(not hasattr(select, "poll"), reason="this system cannot poll pipes")

ACK = streetwire.Ack(0xC30001, 0x5EED1234, 7)
FRAME = streetwire.encode_frame(ACK.encode())


class Wires:
    """A link between two pipes: `hear` puts bytes into one, `said` takes them from the other."""

    def __init__(self):
        source, self._ear = os.pipe()
        self._mouth, sink = os.pipe()
        os.set_blocking(self._mouth, False)
        self.source = open(source, "rb", buffering=0)
        self.sink = open(sink, "wb", buffering=0)
        self.link = SerialLink(self.source, self.sink)

    def hear(self, data):
        os.write(self._ear, data)

    def hang_up(self):
        os.close(self._ear)
        self._ear = -1

    def said(self):
        try:
            return os.read(self._mouth, 1 << 20)
        except BlockingIOError:
            return b""

    def close(self):
        self.source.close()
        self.sink.close()
        for end in (self._ear, self._mouth):
            if end >= 0:
                os.close(end)


@pytest.fixture
def wires():
    wires = Wires()
    yield wires
    wires.close()


def test_messages_are_heard_in_order(wires):
    wires.hear(FRAME + streetwire.encode_frame(streetwire.Time(1, 2, 3).encode()))
    assert wires.link.receive() == [ACK, streetwire.Time(1, 2, 3)]
    assert wires.link.receive() == []


def test_a_frame_cut_anywhere_is_heard_once_it_is_whole(wires):
    for at in range(1, len(FRAME)):
        wires.hear(FRAME[:at])
        early = wires.link.receive()
        wires.hear(FRAME[at:])
        assert early + wires.link.receive() == [ACK]


def test_one_look_costs_at_most_256_bytes_and_loses_none(wires):
    wires.hear(FRAME * 40)
    heard = []
    looks = 0
    while len(heard) < 40:
        more = wires.link.receive()
        assert len(more) <= 256 // len(FRAME) + 1
        heard += more
        looks += 1
    assert heard == [ACK] * 40
    assert looks >= 40 * len(FRAME) // 256


def test_bad_frames_and_refused_payloads_are_counted(wires):
    wires.hear(b"\x00hello\x00" + streetwire.encode_frame(b"\x24" + bytes(20)) + FRAME)
    assert wires.link.receive() == [ACK]
    assert wires.link.frames_refused == 1
    assert wires.link.frames_bad == 2


def test_a_line_that_hung_up_is_silence(wires):
    wires.hear(FRAME)
    wires.hang_up()
    assert wires.link.receive() == [ACK]
    assert wires.link.receive() == []


def test_a_message_is_said_as_one_frame(wires):
    assert wires.link.send(ACK) is True
    assert wires.said() == FRAME


def test_a_port_that_takes_nothing_is_said_and_not_waited_for(wires):
    os.set_blocking(wires.sink.fileno(), False)
    while wires.sink.write(bytes(4096)):
        pass
    os.set_blocking(wires.sink.fileno(), True)
    assert wires.link.send(ACK) is False
    wires.said()
    assert wires.link.send(ACK) is True
