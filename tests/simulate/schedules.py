"""Schedules for tests: one plain node and the strokes that a test names."""

from __future__ import annotations

from contextlib import contextmanager

from tools.simulate import mutants, world
from tools.simulate.gateway import quiet_gateways
from tools.simulate.schedule import MINUTE_MS, NodePlan, Plan, Stroke
from tools.simulate.street import Street
from tools.simulate.world import Outcome

NODE = NodePlan(0xA00001, "site-1", "cable-1", Street(60, 0.0), 16, 4096, has_climate=False, ticks_before_wrap_ms=0)


def plan(*strokes: Stroke, minutes: int = 5, nodes=(NODE,), seed: int = 1, audit_minutes: int = 1440) -> Plan:
    return Plan(seed, tuple(nodes), minutes * MINUTE_MS, 0, 500, audit_minutes, tuple(strokes))


def at(minute: float, fault: str, *numbers: int, node: int = 0) -> Stroke:
    return Stroke(round(minute * MINUTE_MS), fault, node, numbers)


def run(*strokes: Stroke, **more) -> Outcome:
    with quiet_gateways():
        return world.run(plan(*strokes, **more))


@contextmanager
def mutated(name: str):
    with quiet_gateways(), mutants.applied(name):
        yield


def laws(outcome: Outcome) -> set[str]:
    return {violation.law for violation in outcome.violations}
