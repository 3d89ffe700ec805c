"""Each rule is needed: taken away, the simulator notices within 2,000 schedules."""

from __future__ import annotations

import pytest
from schedules import mutated

from tools.simulate import run
from tools.simulate.mutants import MUTANTS

WITHIN = 2000


def test_there_are_enough_of_them():
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name):
    with mutated(name):
        assert any(run.run_seed(seed).violations for seed in range(1, WITHIN + 1))


def test_a_mutant_leaves_nothing_behind():
    for name in MUTANTS:
        with mutated(name):
            pass
    assert not run.simulate(3, 1, workers=1).violations
