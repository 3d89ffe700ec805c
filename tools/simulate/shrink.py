"""A failing schedule -> a short one that breaks the same law: fewer strokes, fewer nodes, less time, plainer nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tools.simulate import world
from tools.simulate.schedule import MINUTE_MS, Plan
from tools.simulate.street import Street

MOST_RUNS = 150
_PLAIN: tuple[dict[str, Any], ...] = (
    {"has_climate": False}, {"ticks_before_wrap_ms": 0}, {"first_total": 0, "first_boot": 0}, {"street": Street(60, 0.0)},
    {"sectors": 16, "sector_size": 4096},
)  # fmt: skip


def shrink(plan: Plan, laws_of: Callable[[Plan], set[str]] | None = None) -> Plan:
    """The plan itself where it breaks no law. A step is kept if one of the laws that were broken at first still is."""
    broken = laws_of or _laws_of
    wanted = broken(plan)
    if not wanted:
        return plan
    runs = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(plan):
            if runs == MOST_RUNS:
                return plan
            runs += 1
            if broken(smaller) & wanted:
                plan, is_smaller = smaller, True
                break
    return plan


def _laws_of(plan: Plan) -> set[str]:
    return {violation.law for violation in world.run(plan).violations}


def _smaller(plan: Plan) -> Iterator[Plan]:
    """One step each, the greatest first."""
    size = len(plan.strokes)
    while size:
        for at in range(0, len(plan.strokes), size):
            yield replace(plan, strokes=plan.strokes[:at] + plan.strokes[at + size :])
        size //= 2
    if len(plan.nodes) > 1:
        for k in range(len(plan.nodes)):
            yield _without_node(plan, k)
    shortest = max((stroke.at_ms + MINUTE_MS for stroke in plan.strokes), default=MINUTE_MS)
    for active_ms in (shortest, plan.active_ms // 2):
        if MINUTE_MS <= active_ms < plan.active_ms:
            strokes = tuple(stroke for stroke in plan.strokes if stroke.at_ms < active_ms)
            yield replace(plan, active_ms=active_ms, strokes=strokes)
    yield from _earlier(plan)
    yield from _plainer(plan)


def _without_node(plan: Plan, k: int) -> Plan:
    strokes = tuple(replace(stroke, node=stroke.node - (stroke.node > k)) for stroke in plan.strokes if stroke.node != k)
    return replace(plan, nodes=plan.nodes[:k] + plan.nodes[k + 1 :], strokes=strokes)


def _earlier(plan: Plan) -> Iterator[Plan]:
    """Less time before the first stroke."""
    first = plan.strokes[0].at_ms if plan.strokes else 0
    for by_ms in (first // 2 // MINUTE_MS * MINUTE_MS, MINUTE_MS if first > MINUTE_MS else 0):
        if by_ms:
            strokes = tuple(replace(stroke, at_ms=stroke.at_ms - by_ms) for stroke in plan.strokes)
            yield replace(plan, active_ms=max(MINUTE_MS, plan.active_ms - by_ms), strokes=strokes)


def _plainer(plan: Plan) -> Iterator[Plan]:
    for plain in _PLAIN:
        nodes = tuple(replace(node, **plain) for node in plan.nodes)
        if nodes != plan.nodes:
            yield replace(plan, nodes=nodes)
    if plan.first_minute:
        yield replace(plan, first_minute=0)
