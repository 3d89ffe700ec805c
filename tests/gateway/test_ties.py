"""Ties to the steady clock: kept with boots, taken up by the next process, void once the machine was started again."""

from __future__ import annotations

import json

import pytest

from tests.gateway.gateways import Clock, Gateway, acked
from tests.gateway.parts import INCARNATION, NODE, T0, Desk, hello, minute
from tests.gateway.ptys import run
from tests.real_parts import needs
from tools import cli


def ties(store_rows) -> list[int | None]:
    return [json.loads(state)[-1] for (state,) in store_rows]


def tied_desk() -> Desk:
    desk = Desk()
    desk.hear(hello(uptime_s=10), T0, steady_s=500)
    return desk


@pytest.mark.parametrize(("before", "after", "kept"), [(5, 5, 490_000), (5, 6, None), (5, 0, None), (0, 0, None), (0, 5, None)])
def test_a_tie_is_kept_as_long_as_the_machine_runs(before, after, kept):
    desk = Desk()
    desk.store.keep_ties(before)
    desk.hear(hello(uptime_s=10), T0, steady_s=500)
    desk.store.keep_ties(after)
    assert ties(desk.store.read("SELECT state FROM boots")) == [kept]


def test_the_next_process_goes_on_with_a_tie():
    desk = tied_desk()
    desk.restart()
    assert desk.session._streams[NODE, INCARNATION].moments[1].epoch_ms == 490_000


@needs("pty")
def test_a_gateway_takes_up_ties_of_its_own_run_of_the_machine_and_no_others(tmp_path, line):
    steady = Clock(1000)

    async def scenario():
        found = []
        for seq, machine in enumerate((5, 5, 6), 1):
            gateway = Gateway(tmp_path, line, steady=steady, machine=machine)
            async with gateway:
                found.append([state is not None for state in ties(gateway.rows("SELECT state FROM boots"))])
                if seq == 1:
                    line.say(hello(), minute(1, T0))
                    await acked(line, 1)
        assert found == [[], [True], [False]]

    run(scenario())


def test_the_command_tells_the_gateway_which_run_of_the_machine_this_is(tmp_path, monkeypatch):
    told = {}

    def service(*_how, **more):
        told.update(more)
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.run_command.service.Service", service)
    monkeypatch.setattr("tools.run_command.run_of_machine", lambda: 77)
    file = tmp_path / "trottoir.toml"
    file.write_text(f'[gateway]\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    assert cli.main(["--config", str(file), "run"]) == 130
    assert told["machine"] == 77
