"""`trottoir simulate`: the same seed gives the same bytes, a failure is cut down and can be had again, the law holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from schedules import at, laws, mutated, plan

from tools import simulate_command
from tools.simulate import run, shrink, world
from tools.simulate.gateway import quiet_gateways

ROOT = Path(__file__).resolve().parents[2]


def trottoir(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tools.cli", *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}", "NO_COLOR": "1", "LANG": "C"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_hundreds_of_schedules_keep_the_law():
    result = run.simulate(600, 1)
    assert result.schedules == 600
    assert result.failed_seeds == []
    assert 0 < result.flagged <= result.ceiling


def test_the_number_of_processes_changes_nothing():
    one, two = run.simulate(24, 5, workers=1), run.simulate(24, 5, workers=2)
    assert one == two
    assert one.faults


def test_a_schedule_is_the_same_wherever_it_stands_in_a_run():
    with quiet_gateways():
        alone = [run.run_seed(seed) for seed in (7, 8)]
        again = [run.run_seed(seed) for seed in (8, 7)][::-1]
    assert alone == again


def test_the_command_says_the_same_twice_and_all_that_was_promised():
    first, second = (trottoir("simulate", "--schedules", "12", "--seed", "3", "--json") for _ in range(2))
    assert first[0] == 0
    assert {**json.loads(first[1]), "schedules_per_s": 0} == {**json.loads(second[1]), "schedules_per_s": 0}
    result = json.loads(first[1])
    assert result["schedules"] == 12
    assert (result["violations"], result["failed_seeds"]) == (0, [])
    assert set(result["flagged_per_fault"]) == {"value", "ceiling", "cuts"}
    assert result["node_years"] >= 0
    assert result["faults"]
    assert result["schedules_per_s"] in {0.5, 1, 2, 5, 10, 20, 50, 100, 200}


def test_a_mutant_that_is_caught_ends_with_one_and_its_seed_fails_again():
    code, out, _ = trottoir("simulate", "--mutant", "accept-out-of-order", "--schedules", "400", "--json")
    result = json.loads(out)
    assert code == 1
    seed = result["failed_seeds"][0]
    assert result["failures"][0]["trace"]
    code, out, _ = trottoir("simulate", "--mutant", "accept-out-of-order", "--schedules", "1", "--seed", str(seed))
    assert code == 1
    assert "Caught: accept-out-of-order" in out
    assert f"--seed {seed} --mutant accept-out-of-order" in out


@pytest.mark.parametrize(
    "wrong", [("--mutant", "no-such"), ("--schedules", "0"), ("--seed", "-1"), ("--schedules", "many"), ("--schedules", "99999999")]
)
def test_what_makes_no_sense_is_a_mistake_in_the_words(wrong):
    code, out, err = trottoir("simulate", *wrong)
    assert (code, out) == (2, "")
    assert wrong[0] in err


def test_the_rules_are_listed_in_both_languages():
    english, german = (trottoir("--lang", language, "simulate", "--list-mutants") for language in ("en", "de"))
    assert english[0] == german[0] == 0
    assert "acknowledge only after the commit" in english[1]
    assert "erst nach dem Festschreiben bestätigen" in german[1]
    assert len(json.loads(trottoir("--json", "simulate", "--list-mutants")[1])["mutants"]) == len(english[1].splitlines())


def test_a_failing_schedule_is_cut_down_to_the_stroke_that_matters():
    full = plan(
        at(1, "frame_lost", 30_000, 50), at(2, "gateway_killed", 3, 2000), at(3.5, "server_status", 60_000, 503),
        at(4, "link_down", 20_000), minutes=20,
    )  # fmt: skip
    with mutated("drop-on-5xx"):
        assert laws(world.run(full))
        small = shrink.shrink(full)
        assert [stroke.fault for stroke in small.strokes] == ["server_status"]
        assert small.active_ms < full.active_ms
        assert laws(world.run(small)) & laws(world.run(full))


def test_a_schedule_that_keeps_the_law_is_not_cut():
    good = plan(at(1, "link_down", 20_000))
    assert shrink.shrink(good, lambda _plan: set()) == good


def test_shrinking_ends_whatever_fails():
    asked = []
    shrink.shrink(plan(*(at(k / 10, "link_down", 1) for k in range(40)), minutes=30), lambda p: asked.append(p) or {"lost"})
    assert len(asked) <= shrink.MOST_RUNS + 1


def test_a_trace_says_in_words_what_struck_when():
    trace = run.Trace(1, plan(at(2, "power_cut", 1500), at(2.5, "server_away", 60_000)), [])
    english, german = (simulate_command.trace_lines(trace, language) for language in ("en", "de"))
    assert english[0].startswith("00:00:00  tr-a00001 begins")
    assert english[1] == "00:02:00  tr-a00001: power cut, off for 00:00:01.500"
    assert english[2] == "00:02:30  the server does not answer for 00:01:00.000"
    assert "Stromausfall" in german[1]


@pytest.mark.parametrize(("value", "told"), [(0.3, 0.2), (1, 1), (1.9, 1), (4.99, 2), (5, 5), (27, 20), (99, 50), (100, 100)])
def test_the_speed_is_rounded_down(value, told):
    assert simulate_command.rounded_down(value) == pytest.approx(told)
