"""The technicians' table of settings says what the firmware reads, and the firmware reads what its detectors take."""

import inspect

import pytest

from node.config import GROUPS, Config
from node.passage.lidar_pair import LidarPair
from node.passage.pir_pair import PirPair
from node.passage.radar import LineCrossing
from node.passage.tof import TwoZones
from tools.settings_table import BEGIN, END, README, groups_of, main, said, written


def test_the_table_is_up_to_date():
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert main(["--check"]) == 0
    assert written(text) == text


def test_a_table_that_is_out_of_date_is_found():
    text = README.read_text(encoding="utf-8")
    assert "| 600 |" in text
    assert written(text.replace("| 600 |", "| 601 |")) == text


def test_every_setting_has_a_row_that_names_its_kits():
    text = README.read_text(encoding="utf-8")
    for group, rows in GROUPS.items():
        for key, (default, low, high) in rows.items():
            assert len(said()[group, key]) > 20, key  # behind the row in the source
            assert f"| `{key}` | {default} | {low} | {high} | {said()[group, key]} |" in text, group


def test_a_kit_reads_its_own_groups_only():
    assert groups_of("doorway-tof") == ("door", "supply")
    assert groups_of("pavement-lidar") == ("pavement", "lidar", "supply")


@pytest.mark.parametrize(
    ("detector", "group"), [(LineCrossing, "radar"), (LidarPair, "lidar"), (TwoZones, "door"), (PirPair, "switches")]
)
def test_every_tuning_value_of_a_detector_is_a_setting_with_the_same_default(detector, group):
    tuning = {name: row.default for name, row in inspect.signature(detector).parameters.items() if row.default is not row.empty}
    defaults = {key: row[0] for key, row in GROUPS[group].items()}
    assert Config((group,)).of(group) == defaults
    assert tuning.items() <= defaults.items()
    others = set(defaults) - set(tuning)  # the radar's part takes its scale, the beams' distance has no default
    assert others <= {"range_permille", "separation_mm"}
