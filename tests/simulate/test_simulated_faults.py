"""Each fault takes place, and a plain schedule survives it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from schedules import NODE, at, laws, plan, run

from gateway.sending import Sending
from tools.simulate import faults, schedule
from tools.simulate.faults import FAULTS
from tools.simulate.link import NOISE, garble
from tools.simulate.schedule import Stroke
from tools.simulate.world import World

MINUTE = 60_000
# Strokes with which a schedule of five minutes shows each fault; what it counts is the fault's own name unless named here.
SHOWN = {
    "power_cut": (1500,), "cut_in_write": (7,), "quick_reboots": (3, 7000), "all_off": (86_400_000,), "flash_bit_flipped": (5,),
    "twin_other": (), "link_down": (60_000,), "answer_lost": (120_000,),
    "gateway_killed": (9, 3000), "gateway_stopped": (30_000,), "clock_stepped": (180_000, 60_000), "clock_lost": (60_000,),
    "disk_full": (60_000,), "disk_unsynced": (60_000,), "server_away": (90_000,), "server_asks_to_wait": (90_000, 30),
    "server_takes_little": (120_000, 1), "server_breaks_off": (120_000, 1), "server_refuses_lines": (120_000, 2),
    "server_answer_lost": (90_000,), "server_slow": (90_000, 20), "store_restored": (60_000,), "server_killed": (60_000,),
    **dict.fromkeys(NOISE, (120000, 50)),
}  # fmt: skip


@pytest.mark.parametrize("fault", SHOWN)
def test_a_fault_takes_place_and_the_law_holds(fault):
    outcome = run(at(1.9, fault, *SHOWN[fault]), audit_minutes=2 if FAULTS[fault].forgets else 1440)
    assert outcome.faults[fault] > 0
    assert not outcome.violations


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 408, 500, 503])
def test_a_status_that_is_no_success_loses_nothing(status):
    outcome = run(at(1.9, "server_status", 120_000, status))
    assert outcome.faults[f"answer_{status}"] > 0
    assert not outcome.violations


@pytest.mark.parametrize("step", range(0, 40, 3))
def test_a_gateway_may_be_killed_at_any_step(step):
    outcome = run(at(1.98, "gateway_killed", step, 2000))
    assert outcome.faults["gateway_killed"] == 1
    assert not outcome.violations


@pytest.mark.parametrize("byte", [0, 1, 16, 31, 32])
def test_the_power_may_go_at_any_byte_of_a_write(byte):
    outcome = run(at(1.9, "cut_in_write", byte))
    assert outcome.cuts == 1
    assert not outcome.violations


def longer_than_it_keeps(rest_days: float):
    """A server that keeps seven days has not heard of the last minutes when everything goes off, for that long."""
    return run(
        at(0, "server_keeps_days", 7), at(2, "server_away", 3 * MINUTE), at(3, "all_off", int(rest_days * 86_400_000)), minutes=6
    )


@pytest.mark.parametrize("rest_days", [6.5, 7.2, 7.9, 10, 30])
def test_what_a_server_does_not_keep_holds_up_nothing_and_is_flagged(rest_days):
    outcome = longer_than_it_keeps(rest_days)
    assert outcome.faults["server_keeps_days"] == 1
    assert (outcome.faults["answer_400"] > 0) is (rest_days > 7)
    assert not outcome.violations


def test_where_being_too_old_proved_nothing_older_results_would_wait_for_ever(monkeypatch):
    async def no_proof(_self: Sending) -> bool:
        return False

    monkeypatch.setattr(Sending, "_is_at_work", no_proof)
    assert "heals" in laws(longer_than_it_keeps(10))


@pytest.mark.parametrize("cut_ms", [4332, 4998, 6330])
def test_who_passed_in_the_second_of_a_cut_that_nobody_heard_of_is_unknowable_too(cut_ms):
    outcome = run(Stroke(0, "gateway_stopped", 0, (MINUTE,)), Stroke(cut_ms, "power_cut", 0, (1000,)), minutes=3)
    assert outcome.cuts == 1
    assert not outcome.violations


def test_a_clock_that_is_lost_again_begins_at_1970_again():
    lost = World(plan(), Path("never-made"))
    for _ in range(2):
        FAULTS["clock_lost"].strike(lost, at(0, "clock_lost", MINUTE))
        assert lost.gateway.clock() == 0
        lost.timeline.now_ms += 20_000


def test_a_small_flash_overflows_while_the_gateway_is_away_and_says_how_many_are_gone():
    outcome = run(at(1, "gateway_stopped", 40 * MINUTE), nodes=(replace(NODE, sectors=2, sector_size=256),), minutes=41)
    assert not outcome.violations


def test_every_fault_that_is_drawn_is_injected_within_two_thousand_schedules():
    kinds = faults.drawn()
    drawn = Counter(stroke.fault for seed in range(2000) for stroke in schedule.draw(seed, kinds).strokes)
    assert set(drawn) == set(kinds)
    assert set(FAULTS) == set(kinds) | faults.NOT_DRAWN


def test_garbled_bytes_are_other_bytes_and_follow_from_the_seed():
    data = bytes(range(40))
    assert garble(data, Random(3)) == garble(data, Random(3))
    assert sum(garble(data, Random(seed)) != data for seed in range(100)) > 95


def test_counters_near_their_wrap_change_nothing():
    old = replace(NODE, first_total=(1 << 28) - 100, first_boot=0xFFFE, ticks_before_wrap_ms=150_000)
    outcome = run(at(2, "power_cut", 2000), at(3, "power_cut", 2000), nodes=(old,))
    assert outcome.cuts == 2
    assert not outcome.violations


def test_a_week_of_rest_costs_nothing():
    outcome = run(at(2, "all_off", 7 * 86_400_000))
    assert outcome.node_ms > 7 * 86_400_000
    assert not outcome.violations
