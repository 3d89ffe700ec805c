"""A node at the other end of a pty, spoken to directly."""

import os
import pty
import select
import threading
import tty

import pytest

import streetwire
from gateway.errors import DeviceError
from tests.real_parts import needs
from tools.wired import Wired

pytestmark = needs("pty")
ADDRESS = (0xA3F1C2, 7)
HELLO = streetwire.Hello(*ADDRESS, 3, 60, 1, 9, 1, "0.1.0", "school-pir", "pir,dht22", "esp32")
LIVE = streetwire.Live(*ADDRESS, 3, 60, 0, 0)


class FarEnd:
    """Writes what it is given; answers a command with what `answers` has for its verb, one byte at a time."""

    def __init__(self, answers=()):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave
        self.answers = dict(answers)
        self.commands = []
        self._deframer = streetwire.Deframer()
        self._is_plugged = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, data):
        for byte in data:
            os.write(self.master, bytes((byte,)))

    def unplug(self):
        self._is_plugged = False
        self._thread.join()
        os.close(self._slave)
        os.close(self.master)

    def _serve(self):
        while self._is_plugged:
            data = os.read(self.master, 256) if select.select([self.master], [], [], 0.02)[0] else b""
            for payload in self._deframer.feed(data):
                message = streetwire.decode(payload)
                self.commands.append(message)
                if isinstance(message, streetwire.Command) and message.verb in self.answers:
                    self.say(frame(self.answers[message.verb]))


def frame(message):
    return streetwire.encode_frame(message.encode())


def test_whoever_says_anything_is_asked_who_it_is():
    far = FarEnd({streetwire.SAY_HELLO: HELLO})
    heard = []
    with Wired(far.port, on_bytes=heard.append) as node:
        assert node.node is None
        far.say(b"rst:0x1 (POWERON_RESET)\r\n" + frame(LIVE))
        assert node.meet(5) == node.hello == HELLO
        assert node.node == "tr-a3f1c2"
    assert b"POWERON" in b"".join(heard)
    assert [(one.node, one.incarnation, one.verb) for one in far.commands] == [(*ADDRESS, streetwire.SAY_HELLO)]


def test_garbage_is_counted_and_what_follows_is_heard():
    far = FarEnd()
    with Wired(far.port) as node:
        far.say(b"\x00garbage\x00" + streetwire.encode_frame(b"\x1f" + bytes(20)) + frame(HELLO))
        assert node.meet(5) == HELLO
        assert node.frames_bad == 1


def test_nobody_is_an_error_that_names_the_port():
    far = FarEnd()
    times = iter(range(100))
    with Wired(far.port, steady=lambda: next(times)) as node, pytest.raises(DeviceError) as found:
        node.meet(3)
    assert (found.value.key, found.value.data) == ("node-silent", {"port": far.port, "seconds": 3})


def test_nothing_is_sent_before_anybody_was_heard():
    far = FarEnd()
    with Wired(far.port) as node, pytest.raises(DeviceError) as found:
        node.command(streetwire.RESTART)
    assert found.value.key == "node-silent"


def test_a_port_in_use_and_one_that_is_not_there():
    far = FarEnd()
    with Wired(far.port), pytest.raises(DeviceError) as found:
        Wired(far.port)
    assert found.value.key == "port-busy"
    with pytest.raises(DeviceError) as found:
        Wired("/dev/tty-of-nobody")
    assert found.value.key == "port-missing"


def test_a_cable_that_is_pulled_is_said_and_not_waited_for():
    far = FarEnd()
    with Wired(far.port) as node:
        far.say(frame(HELLO))
        node.meet(5)
        far.unplug()
        with pytest.raises(DeviceError) as found:
            list(node.listen(5))
    assert found.value.key == "port-lost"
