"""What a bench meets: one clear line each, the contract's exit codes, and nothing is touched that need not be."""

import json

import pytest

from tests.flashing.desk import Desk
from tests.real_parts import needs
from tools.flashing import looking, one_board
from tools.flashing.image import build
from tools.flashing.layout import FILES
from tools.flashing.one_board import Job
from tools.flashing.writing import Prepared

pytestmark = [needs("pty"), needs("micropython")]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_without_a_pin_nothing_begins(desk):
    (desk.state / "firmware" / "lock.toml").unlink()
    code, rows, said = desk.flash(["/dev/none"])
    assert (code, rows) == (3, {}) and "node firmware pin" in said


def test_a_port_that_is_not_there(desk):
    code, rows, said = desk.flash([str(desk.folder / "none")])
    assert (code, rows) == (4, {}) and "none" in said


def test_no_board_at_all(desk):
    done = desk.command("node", "flash", "--all")
    assert done.returncode == 4 and "no board" in done.stderr


@pytest.mark.parametrize("words", [("--board", "nothing"), ("--jobs", "0"), ("--jobs", "17")])
def test_words_that_make_no_sense(desk, words):
    code, rows, said = desk.flash(["/dev/none"], *words)
    assert (code, rows) == (2, {}) and said.count("\n") == 1


def test_a_board_that_another_program_has(desk):
    with desk.boards(2, "--fault", "busy") as ports:
        code, rows, said = desk.flash(ports)
        assert code == 4 and all("busy" in row["problem"] for row in rows.values()), said


def test_a_dry_run_changes_no_byte(desk):
    with desk.boards(1, "--flashed", "pavement-radar"):
        pass
    desk.change(0, {"boot.py": b"old"})
    before = desk.part(0, FILES.offset, FILES.size)
    with desk.boards(1) as ports:
        code, rows, _ = desk.flash(ports, "--dry-run")
    assert (code, rows[ports[0]]["did"]) == (0, "files")
    assert desk.part(0, FILES.offset, FILES.size) == before
    assert not (desk.state / "keys").exists() and not (desk.state / "nodes").exists()


def test_a_full_file_system_is_said_before_anything_is_touched_and_emptied_on_demand(desk):
    with desk.boards(1, "--flashed", "pavement-radar", "--fault", "full"):
        pass
    desk.change(0, {"a/streetwire.mpy": None, "a/main.py": b"old"})
    desk.change(0, {"more": b"x" * 4096 * (mounted_free(desk) - 4)})
    before = desk.files(0)
    with desk.boards(1) as ports:
        code, rows, said = desk.flash(ports)
        assert code == 6 and "--anew" in rows[ports[0]]["problem"], said
        assert desk.files(0) == before
        code, rows, said = desk.flash(ports, "--anew")
        assert (code, rows[ports[0]]["did"]) == (0, "everything"), said
    assert desk.files(0) == build("pavement-radar").files


def mounted_free(desk) -> int:
    from tests.flashing.desk import mounted_from

    mounted = mounted_from(desk.part(0, FILES.offset, FILES.size))
    return FILES.size // 4096 - mounted.used_block_count


@pytest.mark.parametrize(("fault", "key"), [("nonsense", "flash-n"), ("silent", "flash-no-bootloader"), ("small", "flash-")])
def test_bootloaders_that_do_not_answer_as_they_should(desk, fault, key, monkeypatch):
    monkeypatch.setattr(looking, "LOOK_S", 1.0)
    node = build("pavement-radar")
    job = Job(
        node, desk.interpreter, Prepared(node, desk.interpreter, desk.folder), desk.state / "keys", bytes, help_s=0, is_tested=False
    )
    with desk.boards(1, "--fault", fault) as ports:
        steps = []
        outcome = one_board.flash(ports[0], job, lambda step, share: steps.append(step))
    assert outcome.exit_code == 6 and outcome.problem is not None
    assert outcome.problem.key.startswith(f"error.{key}"), json.dumps(outcome.problem.line())
    assert not (desk.state / "keys").exists()


def test_somebody_is_asked_to_press_the_buttons_and_it_is_not_waited_for_ever(desk, monkeypatch):
    node = build("pavement-radar")
    job = Job(
        node, desk.interpreter, Prepared(node, desk.interpreter, desk.folder), desk.state / "keys", bytes, help_s=2, is_tested=False
    )
    with desk.boards(1, "--fault", "silent") as ports:
        steps = []
        outcome = one_board.flash(ports[0], job, lambda step, share: steps.append(step))
    assert "help" in steps and outcome.exit_code == 6
