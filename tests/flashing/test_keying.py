"""A node's key, cut at every step: what counts on the node is known to the gateway, and no counter goes back."""

import contextlib
import hashlib
import io
import sys
from types import SimpleNamespace

import pytest

from gateway.radio.keys import KeyStore
from node.vault import Vault
from tests.node.ramnvs import PowerCut, RamNvs
from tools.flashing import keying
from tools.flashing.errors import FlashError
from tools.flashing.image import build
from tools.flashing.interpreter import read as read_image
from tools.flashing.plan import plan
from tools.flashing.survey import Survey
from tools.standin import images

NODE = "tr-a3f1c2"
INTERPRETER = read_image(images.interpreter())


class BoardPrompt:
    """Runs what is said to it against NVS in memory."""

    device_name = "/dev/x"

    def __init__(self, nvs):
        self.nvs = nvs
        self.said = []

    def ask(self, code):
        self.said.append(code)
        out = io.StringIO()
        sys.modules["esp32"] = SimpleNamespace(NVS=lambda name: self.nvs)
        try:
            with contextlib.redirect_stdout(out):
                exec(code, {})
        finally:
            del sys.modules["esp32"]
        return out.getvalue()


def found_on(nvs) -> Survey:
    """As the board would tell it."""
    key, counter = nvs.cells.get("key"), nvs.cells.get("counter")
    told = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") if key and len(key) == 16 else None
    return Survey(bytes.fromhex("24dcc3a3f1c2"), 6, "", "", "", {}, {"slot": "a"}, 0, told, counter is not None)


class Random:
    """A new key each time."""

    def __init__(self):
        self.calls = 0

    def __call__(self, n):
        self.calls += 1
        return bytes([self.calls]) * n


def run(nvs, folder, random):
    """What flashing does about the key of a board; True where it had to."""
    found = found_on(nvs)
    known = keying.key_to_compare(keying.known_key(folder, NODE), found)
    is_due = plan(found, build("school-pir"), INTERPRETER, known).needs_key
    if is_due:
        keying.put_in(BoardPrompt(nvs), found, folder, random)
    return is_due


def holds(nvs, folder):
    """The law: what the node would use, the gateway has."""
    key = Vault(nvs).key
    if key is None:
        return True
    known = keying.known_key(folder, NODE)
    return known is not None and known.key == key


def test_a_new_board_gets_one_and_keeps_it(tmp_path):
    nvs, random = RamNvs(), Random()
    assert run(nvs, tmp_path, random)
    assert nvs.cells == {"key": b"\1" * 16, "counter": bytes(4)} and nvs.commits == 1
    assert keying.known_key(tmp_path, NODE).address == "24:DC:C3:A3:F1:C4"
    assert not run(nvs, tmp_path, random)
    assert random.calls == 1


@pytest.mark.parametrize("is_lazy", [False, True])
@pytest.mark.parametrize(
    "cells", [{}, {"key": b"o" * 16}, {"key": b"o" * 16, "counter": b"\x00\x04\x00\x00"}, {"counter": b"\x00\x08\x00\x00"}]
)
@pytest.mark.parametrize("step", range(9))
def test_cut_at_every_step(tmp_path, cells, step, is_lazy):
    nvs, random = RamNvs(cells), Random()
    nvs.is_lazy, nvs.steps_until_cut = is_lazy, step
    with contextlib.suppress(PowerCut):
        run(nvs, tmp_path, random)
    nvs.power_up()
    assert holds(nvs, tmp_path) or nvs.cells == cells  # an old key of somebody else's gateway is as it was
    run(nvs, tmp_path, random)
    assert holds(nvs, tmp_path) and Vault(nvs).key is not None
    assert nvs.cells["counter"] >= cells.get("counter", bytes(4))
    assert not run(nvs, tmp_path, random)


def test_a_key_that_was_used_is_never_put_in_again(tmp_path):
    nvs, random = RamNvs(), Random()
    run(nvs, tmp_path, random)
    used = nvs.cells["key"]
    nvs.cells.clear()  # erased, and with it how far the counter had come
    assert run(nvs, tmp_path, random)
    assert nvs.cells["key"] != used


def test_a_counter_is_left_where_it_is(tmp_path):
    nvs = RamNvs({"counter": b"\x00\x0c\x00\x00"})
    run(nvs, tmp_path, Random())
    assert nvs.cells["counter"] == b"\x00\x0c\x00\x00"


def test_another_board_under_the_same_name_gets_its_own(tmp_path):
    nvs, random = RamNvs(), Random()
    KeyStore(tmp_path).make(NODE, "AA:DC:C3:A3:F1:C4", random)
    assert run(nvs, tmp_path, random)
    assert keying.known_key(tmp_path, NODE).address == "24:DC:C3:A3:F1:C4"


def test_a_board_that_does_not_keep_it_has_failed(tmp_path):
    prompt = BoardPrompt(RamNvs())
    prompt.ask = lambda code: "00000000\r\n"
    with pytest.raises(FlashError) as caught:
        keying.put_in(prompt, found_on(RamNvs()), tmp_path, Random())
    assert caught.value.key == "flash-key"
    assert (b"\1" * 16).hex() not in caught.value.line("de")
