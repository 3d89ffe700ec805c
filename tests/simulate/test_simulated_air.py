"""Nodes without a cable: each fault of the air takes place, and a plain schedule survives it; the law sees the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from schedules import NODE, at, laws, run

from gateway.radio.adverts import Listener
from node.vault import Vault

ON_AIR = replace(NODE, link="air-1", is_on_air=True)
MINUTE = 60_000
SHOWN = {
    "adverts_lost": (10 * MINUTE, 95), "adverts_replayed": (30_000,), "strange_adverts": (60_000, 5), "scanner_deaf": (5 * MINUTE,),
    "adapter_gone": (5 * MINUTE,), "cut_in_reserve": (2000, 0),
}  # fmt: skip


def on_air(*strokes, **more):
    return run(*strokes, nodes=(ON_AIR,), **more)


def test_without_a_fault_everything_arrives_and_nobody_is_spoken_to_more_than_once_an_hour():
    outcome = on_air(minutes=65)
    assert outcome.node_ms > 65 * MINUTE
    assert not outcome.violations


@pytest.mark.parametrize("fault", SHOWN)
def test_a_fault_of_the_air_takes_place_and_the_law_holds(fault):
    outcome = on_air(at(1.9, fault, *SHOWN[fault]))
    assert outcome.faults[fault] > 0
    assert not outcome.violations


@pytest.mark.parametrize("fault", SHOWN)
def test_a_node_with_a_cable_knows_nothing_of_the_air(fault):
    assert run(at(1.9, fault, *SHOWN[fault])).faults[fault] == 0


@pytest.mark.parametrize("chunks", range(0, 24, 3))
def test_a_conversation_may_break_off_at_any_chunk(chunks):
    outcome = on_air(at(0, "conversation_cut", chunks), at(2, "gateway_stopped", 5000))
    assert outcome.faults["conversation_cut"] == 1
    assert not outcome.violations


@pytest.mark.parametrize("is_kept", [0, 1])
def test_the_power_may_go_while_numbers_are_reserved(is_kept):
    assert on_air(at(1.9, "cut_in_reserve", 2000, is_kept)).cuts == 2


@pytest.mark.parametrize("fault", ["gateway_killed", "store_restored", "store_deleted"])
def test_what_was_recorded_and_is_replayed_after_a_restart_is_not_believed(fault):
    numbers = {"gateway_killed": (3, 2000), "store_restored": (60_000,), "store_deleted": (2000,)}[fault]
    outcome = on_air(at(2, fault, *numbers), at(3, "adverts_replayed", 10_000), at(3, "adverts_replayed", 60_000), audit_minutes=2)
    assert outcome.faults["adverts_replayed"] == 2
    assert not outcome.violations


def test_a_listener_that_believed_replays_would_be_noticed(monkeypatch):
    real = Listener.hear

    def hear(self, *args):
        for peer in self._peers.values():
            peer.floor = peer.floor and 0
        return real(self, *args)

    monkeypatch.setattr(Listener, "hear", hear)
    assert "run" in laws(on_air(at(3, "adverts_replayed", 10_000)))


def test_a_node_that_began_its_numbers_again_would_be_noticed(monkeypatch):
    real = Vault.__init__

    def from_zero(self, nvs):
        real(self, nvs)
        self.next_counter = self._reserved = 0

    monkeypatch.setattr(Vault, "__init__", from_zero)
    assert "counter-twice" in laws(on_air(at(2, "power_cut", 2000)))


def test_a_node_that_restarts_while_a_gateway_with_another_clock_cannot_hear_it_is_bounded_all_the_same():
    strokes = [at(1, "clock_stepped", -60_000, 600_000), at(2.2, "scanner_deaf", 120_000), at(2.5, "gateway_killed", 0, 2000)]
    strokes += [at(minute, "power_cut", 2000) for minute in (2.4, 2.8, 3.2)]
    assert not on_air(*sorted(strokes, key=lambda stroke: stroke.at_ms), minutes=7).violations
