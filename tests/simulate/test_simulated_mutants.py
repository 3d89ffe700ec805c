"""Each rule is needed: taken away, the simulator notices within 2,000 schedules."""

from __future__ import annotations

import pytest
from schedules import mutated

from tools.simulate import faults, run, schedule, world
from tools.simulate.mutants import MUTANTS

WITHIN = 2000
# What is noticed only after many schedules is looked for where it can show; `trottoir simulate --mutant` looks everywhere.
FOCUS = {
    "settle-any-revision": ("server_slow",),
    "redirect-is-success": ("server_status",),
    "drop-on-5xx": ("server_status",),
    "refused-lines-vanish": ("server_refuses_lines",),
    "reset-overwrites-its-bin": ("power_cut", "quick_reboots"),
    "advert-tag-ignored": ("adverts_replayed", "power_cut"),
    "frame-crc-unchecked": ("frame_garbled",),
    "adopted-records-count-again": ("store_deleted", "store_restored"),
    "success-is-any-200": ("server_status",),
}


def test_there_are_enough_of_them():
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name):
    kinds = dict.fromkeys(FOCUS[name], 1.0) if name in FOCUS else faults.drawn()
    with mutated(name):
        violations = next(filter(None, (world.run(schedule.draw(seed, kinds)).violations for seed in range(1, WITHIN + 1))), [])
    assert violations
    crashed = [violation for violation in violations if "ended by itself" in str(violation.numbers)]
    assert not crashed, "it has to break the law, not to fall over"


def test_a_mutant_leaves_nothing_behind():
    for name in MUTANTS:
        with mutated(name):
            pass
    assert not run.simulate(3, 1, workers=1).violations
