"""The accuracy command: verdicts, pooling, intervals, tables; and that jobs and order change nothing."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.real_parts import needs
from tools.accuracy import __main__ as command
from tools.accuracy import goals, report
from tools.accuracy.goals import DENSITIES, Density, Goal, Verdict, verdict_of_false, verdict_of_saturation
from tools.accuracy.plays import Played, Wish, play
from tools.accuracy.pool import pooled
from tools.street.replay import Replayed
from tools.street.scenes import SCENES
from tools.traces.score import Score
from tools.traces.trace import open_trace, read_truth

GOAL = Goal(0.88, 0.93, 0.16, 0.08)
STEADY = Density("100 to 300/h", ("steady",), ("ld2450", "pir"), GOAL)


def played(true: int, counted: int, matched: int, *, saturated_ms=0, sensor="ld2450", ab: int | None = None) -> Played:
    """`ab` of those counted went that way, all of them where it is not said; all true ones did."""
    ab = counted if ab is None else ab
    sides = Counter({"ab": true}), Counter({"ab": ab, "ba": counted - ab})
    return Played(Wish("steady", sensor, "1", 1800), Score(true, counted, matched), *sides, saturated_ms)


@pytest.mark.parametrize(("f1", "error", "verdict"), [
    (0.93, -0.08, "met"), (0.99, 0.081, "floor"), (0.929, 0.0, "floor"), (0.88, -0.16, "floor"), (0.879, 0.0, "missed"),
    (0.99, -0.161, "missed"), (0.99, 0.161, "missed"),
])  # fmt: skip
def test_a_goal_is_met_by_both_figures_or_not_at_all(f1, error, verdict):
    assert GOAL.verdict(f1, error) == verdict


def test_what_is_false_and_what_is_saturated():
    assert [verdict_of_false(rate) for rate in (0.0, 0.1, 2.0, 2.1)] == ["met", "floor", "floor", "missed"]
    assert [verdict_of_saturation(share) for share in (0.49, 0.5)] == ["missed", "met"]


def test_plays_are_pooled_by_their_sums():
    row = pooled(STEADY, "ld2450", [played(100, 90, 88), played(10, 20, 10, ab=15)], "1")
    assert (row.plays, row.hours, row.true, row.counted) == (2, 1.0, 110, 110)
    assert row.f1 == pytest.approx(2 * 98 / 220)
    assert (row.precision, row.recall) == (pytest.approx(98 / 110), pytest.approx(98 / 110))
    assert (row.error_ab, row.error_ba, row.signed_error) == (pytest.approx(-5 / 110), None, 0.0)
    assert row.verdict is Verdict.FLOOR


def test_the_interval_spans_the_plays_and_a_seed_repeats_it():
    plays = [played(100, 80 + 4 * n, 80) for n in range(10)]
    row = pooled(STEADY, "ld2450", plays, "1")
    assert row.signed_error_interval is not None
    low, high = row.signed_error_interval
    assert -0.2 < low < -0.06 < row.signed_error < 0.02 < high < 0.16
    assert pooled(STEADY, "ld2450", plays, "1") == row
    assert pooled(STEADY, "ld2450", plays, "2").signed_error_interval != row.signed_error_interval
    alike = pooled(STEADY, "ld2450", [played(100, 90, 88)] * 5, "1")
    assert alike.f1_interval == (alike.f1, alike.f1)
    assert pooled(STEADY, "ld2450", plays[:1], "1").f1_interval is None


def test_an_index_has_no_goal():
    row = pooled(STEADY, "pir", [played(100, 50, 40, sensor="pir")], "1")
    assert (row.verdict, row.f1_floor) == (None, None)
    assert report.cells(row)[1] == "pir (index)"


def test_where_by_chance_nobody_came_nothing_is_met_or_missed():
    assert pooled(STEADY, "ld2450", [played(0, 0, 0)], "1").verdict is None


def test_the_document_has_four_digits():
    row = pooled(STEADY, "ld2450", [played(30, 20, 20), played(30, 28, 28)], "1").as_json()
    assert row["f1"] == 0.8889
    assert row["f1_interval"] == [0.8, 0.9655]


def test_where_nobody_is_false_counts_are_told_an_hour():
    empty = Density("empty", ("empty",), ("ld2450",))
    row = pooled(empty, "ld2450", [played(0, 1, 0), played(0, 2, 0)], "1")
    assert (row.false_per_hour, row.verdict) == (3.0, Verdict.MISSED)
    assert (row.f1, row.f1_interval, row.precision, row.recall) == (None,) * 4
    assert "3.0 false an hour, 2 / 0" in report.cells(row)


def test_where_too_many_are_the_share_of_saturated_time_is_told():
    packed = Density("above 1200/h", ("packed",), ("ld2450",))
    row = pooled(packed, "ld2450", [played(9, 9, 9, saturated_ms=1_800_000), played(9, 9, 9)], "1")
    assert (row.saturated_share, row.verdict) == (0.5, Verdict.MET)
    assert "50 %" in report.cells(row)


def test_the_goals_are_those_that_were_set():
    pavement = ("ld2450", "tfluna", "pir")
    assert [(density.name, density.sensors, density.goal) for density in DENSITIES] == [
        ("up to 100/h", pavement, Goal(f1_floor=0.88, f1_goal=0.93, total_floor=0.16, total_goal=0.08)),
        ("100 to 300/h", pavement, Goal(f1_floor=0.88, f1_goal=0.93, total_floor=0.15, total_goal=0.08)),
        ("300 to 600/h", pavement, Goal(f1_floor=0.85, f1_goal=0.91, total_floor=0.20, total_goal=0.12)),
        ("600 to 1200/h", pavement, Goal(f1_floor=0.80, f1_goal=0.87, total_floor=0.28, total_goal=0.18)),
        ("above 1200/h", ("ld2450", "tfluna"), None),
        ("stress, 200/h", pavement, Goal(f1_floor=0.85, f1_goal=0.92, total_floor=0.10, total_goal=0.05)),
        ("empty", pavement, None),
        ("door, up to 500/h", ("vl53l1x",), Goal(f1_floor=0.95, f1_goal=0.98, total_floor=0.10, total_goal=0.04)),
    ]
    assert (goals.FALSE_PER_HOUR_FLOOR, goals.FALSE_PER_HOUR_GOAL, goals.SATURATED_FLOOR) == (2.0, 0.0, 0.5)
    assert goals.INDEX == ("pir",)


def test_a_play_whose_geometry_the_firmware_refuses_is_no_result(monkeypatch):
    monkeypatch.setattr("tools.accuracy.plays.replay", lambda *_: Replayed(complaints=["lidar.height_mm: 9000"]))
    with pytest.raises(ValueError, match=r"lidar\.height_mm: 9000"):
        play(Wish("steady", "tfluna", "1", 60))


def test_every_scene_belongs_to_a_class():
    assert sorted(scene for density in DENSITIES for scene in density.scenes) == sorted(SCENES)


def test_the_table_is_written_between_its_marks_and_nowhere_else():
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.renewed(text, "new") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    with pytest.raises(ValueError, match="each once"):
        report.renewed("before", "new")


def test_the_readme_shows_every_class_and_sensor_and_its_seeds():
    between = report.README.read_text(encoding="utf-8").partition(report.BEGIN)[2].partition(report.END)[0]
    said, *table = between.strip().splitlines()
    seed, last, minutes = (int(word) for word in said.replace(",", "").split() if word.isdigit())
    assert said == report.Run(seed, last - seed + 1, minutes).line()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line]
    assert rows[0] == list(report.HEAD)
    wanted = [(density.name, sensor) for density in DENSITIES for sensor in density.sensors]
    assert [(row[0], row[1].removesuffix(" (index)")) for row in rows[2:]] == wanted
    assert all(len(row) == len(report.HEAD) for row in rows)


def run(capsys, *words: str) -> tuple[int, dict]:
    code = command.main(["--minutes", "4", "--seeds", "2", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


@needs("micropython")
def test_jobs_change_nothing_and_a_missed_floor_is_exit_code_1(capsys, monkeypatch):
    words = ("--scenes", "steady", "--sensors", "ld2450")
    code, one = run(capsys, *words, "--jobs", "1")
    assert run(capsys, *words, "--jobs", "2") == (code, one)
    (row,) = one["rows"]
    assert (one["seed"], one["seeds"], one["minutes"], one["interpreter"]) == (1, 2, 4, "micropython")
    assert (row["density"], row["sensor"], row["plays"], row["hours"]) == ("100 to 300/h", "ld2450", 2, 0.1333)
    assert row["true"] > 5 and row["f1"] > 0.5
    assert run(capsys, *words, "--seed", "3")[1]["rows"][0]["true"] != row["true"]
    hard = [Density("x", ("steady",), ("ld2450",), Goal(1.01, 1.01, 0.0, 0.0))]
    monkeypatch.setattr(command, "DENSITIES", hard)
    code, missed = run(capsys, *words)
    assert (code, missed["missed"], missed["rows"][0]["verdict"]) == (1, 1, "missed")
    monkeypatch.setattr(command, "DENSITIES", [Density("x", ("steady",), ("ld2450",), Goal(0.0, 0.0, 9.0, 9.0))])
    assert run(capsys, *words)[0] == 0


def test_without_the_interpreter_nothing_is_said_to_be_right(capsys, monkeypatch):
    monkeypatch.setattr(command.micropython, "find", lambda: None)
    assert command.main(["--scenes", "steady"]) == 3
    assert "no micropython" in capsys.readouterr().err


def test_traces_are_written_as_replay_reads_them(tmp_path, capsys):
    words = ["--write", str(tmp_path), "--scenes", "busy", "--seed", "3", "--seeds", "1", "--minutes", "2", "--sensors", "ld2450"]
    assert command.main(words) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "busy-3")]
    assert open_trace(tmp_path / "busy-3", "ld2450").duration_ms == 120_000
    assert read_truth(tmp_path / "busy-3") == [(c.t_ms, c.direction) for c in SCENES["busy"].play("3", 120).truth]


@pytest.mark.parametrize("words", [
    ["--scenes", "moon"], ["--sensors", "nose"], ["--readme", "--scenes", "calm"], ["--seeds", "0"], ["--json", "--readme"],
])  # fmt: skip
def test_mistakes_in_the_words_are_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
