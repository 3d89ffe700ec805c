"""Which ports have boards, by USB identity, under names that stay; on any system, in any language."""

from dataclasses import dataclass

import pytest

from tools import flash_command
from tools.flash_command import exit_code
from tools.flashing.ports import chosen, look, named


@dataclass
class Port:
    device: str
    vid: int | None
    pid: int | None
    description: str = ""
    serial_number: str | None = None


def test_boards_are_known_by_their_usb_identity_and_nothing_else():
    found = chosen(
        [
            Port("/dev/ttyUSB1", 0x10C4, 0xEA60), Port("/dev/ttyUSB0", 0x1A86, 0x7523), Port("/dev/ttyS0", None, None),
            Port("/dev/ttyACM0", 0x2341, 0x0043),
        ],
        {},
    )  # fmt: skip
    assert [(port.path, port.bridge) for port in found] == [("/dev/ttyUSB0", "CH340"), ("/dev/ttyUSB1", "CP210x")]


def test_the_name_that_stays_is_taken_where_there_is_one():
    links = {"/dev/ttyUSB0": "/dev/serial/by-path/usb-0:1.10:1.0-port0", "/dev/ttyUSB1": "/dev/serial/by-path/usb-0:1.2:1.0-port0"}
    found = chosen([Port("/dev/ttyUSB0", 0x10C4, 0xEA60), Port("/dev/ttyUSB1", 0x10C4, 0xEA60)], links)
    assert [port.device for port in found] == ["/dev/ttyUSB1", "/dev/ttyUSB0"]  # 2 before 10


def test_german_windows():
    found = chosen(
        [
            Port("COM10", 0x1A86, 0x7523, "USB-SERIAL CH340 (COM10)"),
            Port("COM3", 0x10C4, 0xEA60, "Silicon Labs CP210x-USB-zu-UART-Brücke (COM3)"),
            Port("COM4", None, None, "Kommunikationsanschluss (COM4)"),
            Port("COM5", None, None, "Standardmäßige Seriell-über-Bluetooth-Verbindung (COM5)"),
        ],
        {},
    )
    assert [port.path for port in found] == ["COM3", "COM10"]


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        ("COM3", "COM3"),
        ("com3:", "COM3"),
        (r"\\.\COM12", "COM12"),
        (" com7 ", "COM7"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("COMX", "COMX"),
    ],
)
def test_a_port_as_a_person_names_it(said, is_):
    assert named(said) == is_


def test_this_machine_is_looked_at_without_a_complaint(tmp_path):
    assert isinstance(look(tmp_path / "none"), list)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 0], 0), ([], 0), ([4, 4], 4), ([5], 5), ([0, 4], 6), ([4, 5], 6), ([6, 0], 6), ([0, 1, 0], 1), ([1, 6], 6),
    ],
)  # fmt: skip
def test_one_exit_code_for_all(codes, code):
    assert exit_code(codes) == code


def test_more_than_one_board_is_not_guessed():
    with pytest.raises(flash_command.UsageError) as caught:
        flash_command._check_choice(["/dev/a", "/dev/b"], [], False)
    assert "/dev/a, /dev/b" in caught.value.line("de")
    flash_command._check_choice(["/dev/a", "/dev/b"], [], True)
    flash_command._check_choice(["/dev/a"], [], False)
