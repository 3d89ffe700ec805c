"""A cable that is pulled at any moment: what is left is repaired by the next run, and a key that counts is always known."""

import time

from gateway.radio.keys import KeyStore
from tests.flashing.desk import KEPT, Desk
from tests.real_parts import needs
from tools.flashing.image import build
from tools.standin.line import Line

pytestmark = [needs("pty"), needs("micropython")]
AWAY_S = 14  # longer than esptool waits for a board to come back


def run_twice(desk: Desk, count: int, moments: list[int]):
    faults = [word for n, at in enumerate(moments) for word in ("--fault", f"{n}=pulled-at:{at}:{AWAY_S}")]
    with desk.boards(count, *faults) as ports:
        code, first, said = desk.flash(ports)
        assert code in (4, 6), said
        assert {row["result"] for row in list(first.values())} == {"failed"}, said
        known = {key.node: key.key.hex() for key in KeyStore(desk.state / "keys").read()[0].values()}
        for n in range(count):  # a key that a node would use is the gateway's as well
            kept = desk.nvs(n)
            assert "counter" not in kept or kept["key"] == known[f"tr-a{n:05x}"]
        ends_s = time.monotonic() + AWAY_S + 5
        while time.monotonic() < ends_s and not all(is_there(port) for port in ports):
            time.sleep(0.1)
        code, second, said = desk.flash(ports)
        assert code == 0, said
        assert {row["result"] for row in second.values()} == {"good"}
    node = build("pavement-radar")
    known = {key.node: key.key.hex() for key in KeyStore(desk.state / "keys").read()[0].values()}
    for n in range(count):
        assert desk.files(n) == node.files
        assert desk.nvs(n)["key"] == known[f"tr-a{n:05x}"] and desk.nvs(n)["counter"] == "00000000"


def is_there(port: str) -> bool:
    from pathlib import Path

    return Path(port).exists()


def test_while_everything_is_written(tmp_path):
    desk = Desk(tmp_path)
    desk.marked(5)
    run_twice(desk, 5, [700, 9_000, 40_000, 100_000, 120_000])
    for n in range(5):
        for part, mark in KEPT.items():
            assert desk.part(n, part.end - 4096, 4096) == mark  # the log's first block is the node's own by now


def test_while_files_and_key_are_written(tmp_path):
    desk = Desk(tmp_path)
    with desk.boards(5, "--flashed", "pavement-radar"):
        pass
    for n in range(5):
        desk.change(n, {"a/streetwire.mpy": b"old", "boot.py": b"old = 1", "a/node/log.mpy": None})
    run_twice(desk, 5, [60, 2_600, 6_000, 12_000, 24_000])


def test_the_line_itself_is_pulled_and_plugged_in(tmp_path):
    line = Line(tmp_path / "port", 0)
    first = (tmp_path / "port").resolve()
    line.pull()
    assert not (tmp_path / "port").exists()
    line.plug_in()
    assert (tmp_path / "port").exists() and first
