"""The board module is made from the kit's pins, and pins that an ESP32 cannot use that way are refused."""

import copy
import json

import pytest

from node import board
from node.config import GROUPS
from node.sensors.table import PARTS, maker
from tools.board import BOARD, FIRMWARE, KIT, PinError, image, kits, main, pins_of, render

PINS = json.loads(KIT.read_text(encoding="utf-8"))


def changed(**signal):
    """The kit's pins with changes to its first signal, which drives a line."""
    pins = copy.deepcopy(PINS)
    assert pins["signals"][0]["direction"] == "out"
    pins["signals"][0].update(signal)
    return pins


def alone(**signal):
    """The kit's pins with the first signal only, changed."""
    pins = changed(**signal)
    pins["signals"] = pins["signals"][:1]
    return pins


def test_the_firmwares_board_is_what_the_kits_pins_give():
    assert render(PINS) == BOARD.read_text(encoding="utf-8")
    assert main(["--check"]) == 0


def test_the_board_says_what_the_pins_say():
    assert {signal["name"]: signal["gpio"] for signal in PINS["signals"]} | PINS["buses"] == board.WIRING
    for key, value in {**PINS["log"], "KIT": PINS["kit"], "COUNTER": "ld2450", "CLIMATE": "sht4x", "PROBE": None}.items():
        assert getattr(board, key) == value


def test_what_is_made_is_python_with_a_name_for_every_signal():
    names: dict[str, object] = {}
    exec(render(changed(gpio=23)), names)
    assert names["WIRING"][PINS["signals"][0]["name"]] == 23


@pytest.mark.parametrize("gpio", [0, 2, 5, 12, 15])
def test_pins_that_decide_how_the_board_boots_are_refused(gpio):
    with pytest.raises(PinError, match=rf"GPIO {gpio} decides how the ESP32 boots"):
        render(changed(gpio=gpio))


@pytest.mark.parametrize("gpio", range(6, 12))
def test_pins_of_the_flash_are_refused(gpio):
    with pytest.raises(PinError, match=rf"GPIO {gpio} belongs to the flash"):
        render(changed(gpio=gpio))


@pytest.mark.parametrize("gpio", range(34, 40))
def test_pins_that_can_only_listen_are_refused_where_a_line_is_driven(gpio):
    for direction in ("out", "both", "pull-up"):
        with pytest.raises(PinError, match=rf"GPIO {gpio} can only be an input"):
            render(alone(gpio=gpio, direction=direction))
    render(alone(gpio=gpio, direction="in"))


@pytest.mark.parametrize("gpio", [4, 13, 14, 25, 26, 27])
def test_pins_that_cannot_measure_while_the_radio_is_on_are_refused_for_a_voltage(gpio):
    with pytest.raises(PinError, match=rf"GPIO {gpio} cannot measure a voltage"):
        render(alone(gpio=gpio, direction="analog"))


@pytest.mark.parametrize("gpio", range(32, 40))
def test_pins_that_can_always_measure_are_taken(gpio):
    render(alone(gpio=gpio, direction="analog"))


def test_two_signals_on_one_pin_are_refused_by_name():
    first, second = PINS["signals"][:2]
    with pytest.raises(PinError, match=rf"{second['name']}: GPIO {second['gpio']} is already {first['name']}"):
        render(changed(gpio=second["gpio"]))


@pytest.mark.parametrize("gpio", [4, 13, 14, 16, 17, 18, 19, 23, 25, 26, 27, 32, 33])
def test_all_other_pins_are_taken(gpio):
    pins = alone(gpio=gpio)
    assert f'"{pins["signals"][0]["name"]}": {gpio},' in render(pins)


@pytest.mark.parametrize("kit", kits())
def test_every_kit_has_pins_for_its_parts_led_button_and_battery(kit):
    pins = pins_of(kit)
    assert pins["kit"] == kit
    wiring = {signal["name"] for signal in pins["signals"]} | set(pins["buses"])
    assert {"LAMP", "BUTTON", "BATTERY"} <= wiring
    quantities = {"counter": "passages", "climate": "climate", "probe": "probe"}
    assert {role: PARTS[part][1] for role, part in pins["parts"].items()}.items() <= quantities.items()
    for role, part in pins["parts"].items():
        assert {name for name in wiring if name.startswith(role.upper())} == WIRED[PARTS[part][4]](role.upper()), role
    assert set(maker(pins["parts"]["counter"]).settings) <= set(GROUPS)


WIRED = {
    "uart": lambda role: {f"{role}_{name}" for name in ("TX", "RX", "UART", "BAUD")},
    "two_uarts": lambda role: {f"{role}_{side}_{name}" for side in "AB" for name in ("TX", "RX", "UART")} | {f"{role}_BAUD"},
    "i2c": lambda role: {f"{role}_{name}" for name in ("SDA", "SCL", "I2C", "FREQ_HZ", "ADDRESS")},
    "switches": lambda role: {f"{role}_A", f"{role}_B"},
    "dht": lambda role: {f"{role}_DATA"},
    "one_wire": lambda role: {f"{role}_DATA"},
}


def test_all_parts_that_count_have_a_kit():
    assert {pins_of(kit)["parts"]["counter"] for kit in kits()} == {name for name, row in PARTS.items() if row[1] == "passages"}


@pytest.mark.parametrize("kit", kits())
def test_an_image_is_the_firmware_with_the_kits_board(kit, tmp_path):
    folder = image(kit, tmp_path / "image")
    written = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    sources = {path.relative_to(FIRMWARE).as_posix(): path.read_bytes() for path in FIRMWARE.rglob("*.py")}
    assert written == sources | {"node/board.py": render(pins_of(kit)).encode()}
