"""The board module is made from the kit's pins, and pins that an ESP32 cannot use that way are refused."""

import copy
import json

import pytest

from node import board
from tools.board import BOARD, KIT, PinError, main, render

PINS = json.loads(KIT.read_text(encoding="utf-8"))


def changed(**signal):
    """The kit's pins with changes to its first signal, which drives a line."""
    pins = copy.deepcopy(PINS)
    assert pins["signals"][0]["direction"] == "out"
    pins["signals"][0].update(signal)
    return pins


def test_the_firmwares_board_is_what_the_kits_pins_give():
    assert render(PINS) == BOARD.read_text(encoding="utf-8")
    assert main(["--check"]) == 0


def test_the_board_says_what_the_pins_say():
    for signal in PINS["signals"]:
        assert getattr(board, signal["name"]) == signal["gpio"]
    for key, value in {**PINS["buses"], **PINS["log"], "KIT": PINS["kit"]}.items():
        assert getattr(board, key) == value


def test_what_is_made_is_python_with_a_name_for_every_signal():
    names: dict[str, object] = {}
    exec(render(changed(gpio=25)), names)
    assert names[PINS["signals"][0]["name"]] == 25


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
    for direction in ("out", "both"):
        with pytest.raises(PinError, match=rf"GPIO {gpio} can only be an input"):
            render(changed(gpio=gpio, direction=direction))
    render(changed(gpio=gpio, direction="in"))


def test_two_signals_on_one_pin_are_refused_by_name():
    first, second = PINS["signals"][:2]
    with pytest.raises(PinError, match=rf"{second['name']}: GPIO {second['gpio']} is already {first['name']}"):
        render(changed(gpio=second["gpio"]))


@pytest.mark.parametrize("gpio", [4, 13, 14, 16, 17, 18, 19, 23, 25, 26, 27, 32, 33])
def test_all_other_pins_are_taken(gpio):
    pins = changed(gpio=gpio)
    pins["signals"] = pins["signals"][:1]
    assert f"{pins['signals'][0]['name']} = {gpio} " in render(pins)
