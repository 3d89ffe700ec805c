"""Ten boards at once through the real command: esptool against the bootloader's mock, mpremote's transport against MicroPython."""

import csv
import time
import tomllib

from gateway.radio.keys import KeyStore
from tests.flashing.desk import KEPT, Desk
from tests.real_parts import needs
from tools.flashing.image import build
from tools.flashing.layout import APP_AT, BOOTLOADER_AT, TABLE_AT, pack_table

pytestmark = [needs("pty"), needs("micropython")]
BAD = 4


def test_ten_blank_boards_one_of_which_has_another_chip(tmp_path):
    desk = Desk(tmp_path)
    desk.marked(10)
    node = build("school-pir")
    with desk.boards(10, "--fault", f"{BAD}=wrong-chip", "--kit", "school-pir") as ports:
        code, rows, said = desk.flash(ports, "--board", "school-pir")
        assert (code, len(rows)) == (6, 10), said
        good = {port: row for n, (port, row) in enumerate(rows.items()) if port != ports[BAD]}
        assert rows[ports[BAD]]["result"] == "failed" and "ESP32-C3" in rows[ports[BAD]]["problem"]
        assert {row["result"] for row in good.values()} == {"good"}, said
        assert {row["did"] for row in good.values()} == {"everything"}
        assert len({row["id"] for row in good.values()}) == 9
        assert {row["sha256"] for row in good.values()} == {node.sha256}

        begin_s = time.monotonic()
        code, again, said = desk.flash([port for port in ports if port != ports[BAD]], "--board", "school-pir")
        print(f"nothing to do: {time.monotonic() - begin_s:.1f} s")
        assert code == 0 and {row["did"] for row in again.values()} == {"nothing"}, said

    keys = {key.node: key for key in KeyStore(desk.state / "keys").read()[0].values()}
    for n in range(10):
        for part, mark in KEPT.items():
            assert desk.part(n, part.end - 4096, 4096) == mark  # the log's first block is the node's own by now
        if n == BAD:
            assert desk.part(n, BOOTLOADER_AT, 4096) == b"\xff" * 4096
            continue
        assert desk.part(n, BOOTLOADER_AT, len(desk.interpreter.bootloader)) == desk.interpreter.bootloader
        assert desk.part(n, TABLE_AT, len(pack_table())) == pack_table()
        assert desk.part(n, APP_AT, len(desk.interpreter.app)) == desk.interpreter.app
        assert desk.files(n) == node.files
        name = f"tr-a{n:05x}"
        assert desk.nvs(n) == {"key": keys[name].key.hex(), "counter": "00000000"}
        assert keys[name].address == f"24:DC:C3:A0:00:{n + 2:02X}"

    table = tmp_path / "boards.csv"
    assert desk.command("node", "report", "--last", "19", "--csv", str(table)).returncode == 0
    told = list(csv.DictReader(table.open()))
    assert [row["result"] for row in told].count("good") == 18 and len({row["mac"] for row in told}) >= 9
    labels = desk.command("node", "label", "--last", "10").stdout
    assert labels.count("<svg") == 9 and "TR-A00000" in labels and "24:dc:c3:a0:00:00" in labels
    for text in (labels, said, table.read_text(), (desk.state / "nodes" / "flashed.jsonl").read_text()):
        assert not [key for key in keys.values() if key.key.hex() in text]
    assert all(len(tomllib.loads(file.read_text())) == 3 for file in (desk.state / "keys").glob("*.key"))


def test_ten_boards_on_which_only_files_differ(tmp_path):
    desk = Desk(tmp_path)
    with desk.boards(10, "--flashed", "school-pir"):
        pass
    node = build("school-pir")
    for n in range(10):
        desk.change(n, {"a/node/app.mpy": b"M\x06 of another day", "a/gone.mpy": b"M", "node.json": b'{"hold_ms": 2100}'})
        desk.change(n, {"a/node/board.mpy": None, "a/manifest": b"x"})
    before = desk.part(0, APP_AT, 60_000)
    with desk.boards(10, "--fault", f"{BAD}=busy", "--kit", "school-pir") as ports:
        code, rows, said = desk.flash(ports, "--board", "school-pir")
        assert code == 6 and rows[ports[BAD]]["problem"].startswith("port"), said
        assert {row["did"] for port, row in rows.items() if port != ports[BAD]} == {"files"}
        assert {row["result"] for port, row in rows.items() if port != ports[BAD]} == {"good"}, said
    for n in set(range(10)) - {BAD}:
        assert desk.files(n) == {**node.files, "node.json": b'{"hold_ms": 2100}'}
    assert desk.part(0, APP_AT, 60_000) == before
