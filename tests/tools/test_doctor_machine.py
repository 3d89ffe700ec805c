"""doctor, on machines that are trees of files: who has a port, what takes it away, what a disk has borne; and Windows' listings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gateway import config
from tests.tools.test_cli import no_environment  # noqa: F401
from tools import doctor_disk, doctor_ports, doctor_windows, rights
from tools.doctor import examine
from tools.doctor_windows import Device
from tools.finding import BAD, GOOD, NOTE
from tools.install import udev
from tools.machine import Holder, Machine, Wear
from tools.usb_boards import BOARDS

CH340 = next(board for board in BOARDS if board.name == "CH340")
BRLTTY = """\
# Device: 10C4:EA60
# ENV{PRODUCT}=="10c4/ea60/*", ENV{BRLTTY_BRAILLE_DRIVER}="sk"
ENV{PRODUCT}=="1a86/7523/*", ATTRS{manufacturer}=="", ENV{BRLTTY_BRAILLE_DRIVER}="bm", GOTO="brltty_usb_run"
"""


class Tree(Machine):
    """A machine to be furnished."""

    def put(self, path: str, text: str = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def process(self, pid: int, name: str, *opened: str) -> None:
        self.put(f"proc/{pid}/comm", name + "\n")
        (self.root / f"proc/{pid}/fd").mkdir()
        for number, path in enumerate(opened):
            (self.root / f"proc/{pid}/fd/{number}").symlink_to(path)

    def plug(self, vid: int, pid: int) -> None:
        self.put(f"sys/bus/usb/devices/1-{vid}/idVendor", f"{vid:04x}\n")
        self.put(f"sys/bus/usb/devices/1-{vid}/idProduct", f"{pid:04x}\n")

    def disk(self, sectors: int, up_s: float = 7200, **about: str) -> None:
        """mmcblk0 with a partition 179:2 on it."""
        row = "1 0 8 2 1 0 {} 5 0 6 7"
        rows = ["179 0 mmcblk0 " + row.format(sectors), "179 2 mmcblk0p2 " + row.format(1)]
        self.put("proc/diskstats", "\n".join(rows))
        self.put("proc/uptime", f"{up_s} 100.0\n")
        self.put("sys/block/mmcblk0/mmcblk0p2/dev", "179:2\n")
        for name, value in about.items():
            self.put(f"sys/block/mmcblk0/device/{name}", value + "\n")


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path / "machine")


@pytest.fixture(autouse=True)
def linux(monkeypatch):
    for room in (doctor_ports, doctor_disk):
        monkeypatch.setattr(room.sys, "platform", "linux")


def found(tree: Tree, check: str) -> list[tuple[str, str]]:
    settings = config.parse('[gateway]\nstate_dir = "/nowhere/at/all"\n', "test", {})
    return [(f.level, f.detail.key) for f in doctor_ports.examine_ports(settings, False, tree) if f.check == check]


# -- who has a port


def test_who_has_a_port_open_is_named(tree):
    tree.process(7, "screen", "/dev/null", "/dev/ttyUSB0")
    tree.process(12, "ModemManager", "/dev/ttyUSB0")
    tree.process(13, "sh", "/dev/ttyUSB1")
    assert tree.holders("/dev/ttyUSB0") == ([Holder(12, "ModemManager"), Holder(7, "screen")], True)
    assert tree.holders("/dev/ttyUSB2") == ([], True)


def test_what_may_not_be_looked_into_is_said(tree, monkeypatch):
    tree.process(7, "screen", "/dev/ttyUSB0")
    original = Path.iterdir

    def closed(path):
        if path.name == "fd":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert tree.holders("/dev/ttyUSB0") == ([], False)
    assert doctor_ports._busy("/dev/ttyUSB0", [], False).key == "doctor.port-held-unseen"
    assert doctor_ports._busy("/dev/ttyUSB0", [], True).key == "error.port-busy"


def test_a_process_that_ends_meanwhile_is_nobody(tree):
    tree.put("proc/9/comm", "gone\n")  # without fd
    tree.put("proc/version", "Linux")
    assert tree.holders("/dev/ttyUSB0") == ([], True)


# -- rights


def test_a_user_without_the_group_is_told_the_command(tree, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor_ports, "is_in_group", lambda name: False)
    monkeypatch.setattr(doctor_ports, "waits_for_login", lambda name: False)
    assert (NOTE, "doctor.dialout") in found(tree, "rights")
    monkeypatch.setattr(doctor_ports, "waits_for_login", lambda name: True)
    assert (NOTE, "doctor.dialout-login") in found(tree, "rights")
    monkeypatch.setattr(doctor_ports, "is_in_group", lambda name: True)
    assert [key for _, key in found(tree, "rights")] == ["doctor.udev-missing"]


def test_a_group_that_is_not_there_keeps_nobody_out():
    assert rights.is_in_group("no-such-group-anywhere")


def test_the_rules_are_there_missing_or_of_another_version(tree):
    assert found(tree, "rights")[-1] == (NOTE, "doctor.udev-missing")
    rules = tree.put("etc/udev/rules.d/70-trottoir.rules", udev.render(BOARDS[:2]))
    assert found(tree, "rights")[-1] == (NOTE, "doctor.udev-other")
    rules.write_text(udev.render(BOARDS))
    assert found(tree, "rights")[-1] == (GOOD, "doctor.udev")


def test_no_system_file_is_written_without_being_shown_first(tree):
    assert not [f for f in examine(None, tree) if f.check in ("rights", "traps") and f.fix is not None]


# -- traps


def test_brltty_is_a_trap_and_bad_where_such_a_board_is_plugged_in(tree):
    assert found(tree, "traps") == []
    tree.put("usr/lib/udev/rules.d/85-brltty.rules", BRLTTY)
    assert found(tree, "traps") == [(NOTE, "doctor.brltty")]
    tree.plug(0x10C4, 0xEA60)  # only in a comment there
    assert found(tree, "traps") == [(NOTE, "doctor.brltty")]
    tree.plug(CH340.vid, CH340.pid)
    assert found(tree, "traps") == [(BAD, "doctor.brltty")]


def test_the_command_that_doctor_names_for_brltty_is_understood_as_its_end(tree):
    tree.put("lib/udev/rules.d/85-brltty.rules", BRLTTY)
    (told,) = [f.detail for f in examine(None, tree) if f.check == "traps"]
    assert "sudo ln -s /dev/null /etc/udev/rules.d/85-brltty.rules" in told.line()
    (tree.root / "etc/udev/rules.d").mkdir(parents=True)
    (tree.root / "etc/udev/rules.d/85-brltty.rules").symlink_to("/dev/null")
    assert found(tree, "traps") == []


def test_ids_are_written_as_the_kernel_writes_them():
    assert [board.name for board in doctor_ports.grabbed_by_brltty('ENV{PRODUCT}=="403/6001/*"')] == ["FT232R"]
    assert list(doctor_ports.grabbed_by_brltty('ENV{PRODUCT}=="403/6002/*"')) == []


def test_modemmanager_is_a_trap_until_the_rules_keep_it_off(tree):
    tree.process(40, "ModemManager")
    assert found(tree, "traps") == [(NOTE, "doctor.modemmanager")]
    tree.put("etc/udev/rules.d/70-trottoir.rules", udev.render(BOARDS))
    assert found(tree, "traps") == []


# -- wear


def worn(tree: Tree) -> Wear:
    about = tree.wear(os.makedev(179, 2))
    assert about is not None
    return about


def test_what_was_written_is_that_of_the_whole_disk(tree):
    tree.disk(2_000_000, type="SD", date="03/2024")
    assert worn(tree) == Wear("mmcblk0", "SD", "03/2024", None, None, 1024, 7200)
    told = doctor_disk.judge(worn(tree))
    assert (told.level, told.detail.key) == (NOTE, "doctor.wear-much")  # 12 GB a day
    tree.disk(200_000, type="SD", date="03/2024")
    told = doctor_disk.judge(worn(tree))
    assert (told.level, told.detail.key) == (GOOD, "doctor.wear-card")
    assert "made 03/2024; 102 MB written in 2 h" in told.detail.line()


def test_soon_after_a_start_nothing_is_said_of_a_day(tree):
    tree.disk(2_000_000, up_s=60)
    assert doctor_disk.judge(worn(tree)).detail.key == "doctor.wear-disk"


@pytest.mark.parametrize(
    ("life", "reserve", "level", "said"),
    [
        ("0x01 0x02", "0x01", GOOD, "at most 20 %"), ("0x00 0x00", "0x01", GOOD, "its wear is not told"),
        ("0x09 0x01", "0x01", GOOD, "at most 90 %"), ("0x0a 0x01", "0x01", NOTE, "at most 100 %"),
        ("0x0b 0x01", "0x01", BAD, "trottoir backup"), ("0x01 0x01", "0x02", NOTE, "trottoir backup"),
        ("0x01 0x01", "0x03", BAD, "trottoir backup"),
    ],
)  # fmt: skip
def test_what_a_disk_tells_of_itself(tree, life, reserve, level, said):
    tree.disk(1000, type="MMC", life_time=life, pre_eol_info=reserve)
    told = doctor_disk.judge(worn(tree))
    assert (told.level, said in told.detail.line()) == (level, True)


@pytest.mark.parametrize("junk", ["", "nonsense", "0x", "-1", "9" * 400, "\x00"])
def test_a_disk_that_tells_nonsense_has_told_nothing(tree, junk):
    tree.disk(1000, life_time=junk, pre_eol_info=junk)
    assert (worn(tree).used_percent, worn(tree).reserve) == (None, None)


def test_memory_is_no_disk(tree):
    tree.disk(1000)
    assert tree.wear(os.makedev(0, 42)) is None
    assert Machine(tree.root / "nothing").wear(os.makedev(179, 2)) is None


# -- versions


def test_the_pinned_interpreter_is_named(tmp_path, tree):
    path = tmp_path / "trottoir.toml"
    path.write_text(f'[gateway]\nstate_dir = "{tmp_path}"\npage = "off"\n')
    lock = tmp_path / "firmware" / "lock.toml"

    def told() -> list[str]:
        return [f.detail.line() for f in examine(path, tree) if f.check == "versions"]

    assert not any("MicroPython" in line for line in told())
    lock.parent.mkdir()
    lock.write_text('version = "1.26.1"\n')
    assert "MicroPython for boards: 1.26.1" in told()
    for broken in ("", "version", "version = 3\n[", "\x00"):
        lock.write_text(broken)
        assert any("node firmware pin" in line for line in told())


# -- Windows


def listing(*rows: tuple[str, str, object]) -> bytes:
    told = [{"Name": name, "PNPDeviceID": id_, "ConfigManagerErrorCode": trouble} for name, id_, trouble in rows]
    return ("\ufeff" + json.dumps(told[0] if len(told) == 1 else told, ensure_ascii=False)).encode()


def judged(answer: bytes, *ports: str) -> list[tuple[str, str]]:
    return [(f.level, f.detail.line()) for f in doctor_windows.judge(doctor_windows.read_listing(answer), ports)]


def test_a_german_windows_with_its_drivers():
    answer = listing(
        ("Silicon Labs CP210x USB to UART Bridge (COM3)", "USB\\VID_10C4&PID_EA60\\0001", 0),
        ("USB-SERIAL CH340 (COM12)", "USB\\VID_1A86&PID_7523\\5&2C", 0),
        ("Serielles USB-Gerät (COM5)", "USB\\VID_303A&PID_1001&MI_00\\6&1", 0),
        ("USB-Verbundgerät", "USB\\VID_303A&PID_1001\\F4", 0),
        ("USB-Massenspeichergerät", "USB\\VID_0781&PID_5567\\4C", 0),
        ("USB-Root-Hub (USB 3.0)", "USB\\ROOT_HUB30\\4&1", 0),
    )
    assert judged(answer, "com12") == [
        (GOOD, "board with CP210x at COM3, which is not listed in [serial] ports"),
        (GOOD, "board with CH340 at COM12"),
        (GOOD, "board with Espressif USB at COM5, which is not listed in [serial] ports"),
    ]


@pytest.mark.parametrize(("ids", "driver"), [("VID_10C4&PID_EA60", "CP210x VCP"), ("vid_1a86&pid_7523", "CH341SER")])
def test_a_driver_that_is_missing_is_named(ids, driver):
    ((level, text),) = judged(listing(("USB2.0-Serial", f"USB\\{ids}\\5", 28)))
    assert (level, driver in text) == (BAD, True)
    assert "Only this needs an administrator" in text


def test_a_board_for_which_windows_has_its_own_driver_needs_another_cable_at_most():
    ((level, text),) = judged(listing(("Unbekanntes Gerät", "USB\\VID_303A&PID_1001\\5", 10)))
    assert (level, "10" in text) == (BAD, True)


@pytest.mark.parametrize("junk", [b"", b"nonsense", b"[1, null, {}]", b'{"PNPDeviceID": 3}', b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_an_answer_that_is_none_is_no_board(junk):
    assert judged(junk)[0][0] == NOTE


def test_a_name_that_holds_no_port_is_not_made_one():
    assert list(doctor_windows.judge([Device("(COM7) something", CH340.vid, CH340.pid, 0)], ())) == []
