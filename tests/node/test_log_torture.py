"""The record log's torture (log_torture.py) under both interpreters, and proof that it notices when a rule of the log is gone."""

import subprocess
import sys
import types

import log_torture
import pytest

from tests.real_parts import needs
from tools import torture_log
from tools.torture_log import ROOT

CPYTHON_CASES, MICROPYTHON_CASES = 40_000, 20_000  # about as long each; `python -m tools.torture_log --cases 1000000` does more
LOG = torture_log.FIRMWARE / "node" / "log.py"

WITHOUT_A_RULE = {  # name: what stands in the log, and what stands there without the rule
    "crc": ("== streetwire.crc32(self._body, incarnation)", "!= -1"),
    "read_back": ("if self._read(self._active, slot) == entry:", "if True:"),
    "skipped_numbers": ("(self._last_seq // _SEQ_BLOCK + 2 * (1 + damaged)) * _SEQ_BLOCK", "self._last_seq + 1"),
    "numbers_of_damaged_entries": ("2 * (1 + damaged)", "2"),
    "boots_of_damaged_entries": ("(self.boot + damaged) %", "self.boot %"),
    "boot_mark": ("        self._write(self._mark())\n", ""),
    "newest_sector_by_number": ("firsts.index(max(firsts))", "0"),
    "incarnation_from_any_mark": (" or self._ask_marks(range(1, self._per_sector))", ""),
    "damaged_head_hides_nothing": ("if slot == 0 and entry == _ERASED:", "if slot == 0 and not self._is_ours():"),
    "numbers_rise_in_a_sector": (" and seq >= self._last_seq:", ":"),
    "damage_is_stepped_over_when_reached": ("                damaged += 1", "                self._slot = slot + 1"),
    "oldest_sector_goes": ("(self._active + 1) % self._sectors\n        self._active", "0\n        self._active"),
    "first_held_forgets_what_went": ("        self._first_seq[sector] = 0\n", ""),
    "marks_are_not_records": (" or _is_mark(entry):", ":"),
}


@pytest.mark.parametrize(
    ("interpreter", "first", "cases"),
    [
        ("cpython", 0, CPYTHON_CASES),
        pytest.param("micropython", CPYTHON_CASES, MICROPYTHON_CASES, marks=needs("micropython")),
    ],
)
@pytest.mark.timeout(900)
def test_no_case_loses_changes_or_repeats_a_record(interpreter, first, cases):
    done = torture_log.torture(interpreter, first, cases)
    assert min(done.values()) >= cases // 100, done  # every kind of fault was among them


@needs("micropython")
def test_a_case_is_the_same_under_both_interpreters():
    assert torture_log.torture("cpython", 777, 300) == torture_log.torture("micropython", 777, 300)


@pytest.mark.parametrize("rule", WITHOUT_A_RULE)
def test_a_log_without_a_rule_is_found_out(rule, monkeypatch):
    source = LOG.read_text(encoding="utf-8")
    with_rule, without = WITHOUT_A_RULE[rule]
    assert source.count(with_rule) == 1
    log = types.ModuleType("log_without_a_rule")
    exec(compile(source.replace(with_rule, without), rule, "exec"), log.__dict__)
    monkeypatch.setattr(log_torture, "RecordLog", log.RecordLog)
    with pytest.raises(Exception):  # noqa: B017  a wrong record may also break what reads it
        log_torture.run(0, 2000)


def test_a_failing_case_is_named_so_that_it_can_be_done_again(monkeypatch, capsys, tmp_path):
    broken = LOG.read_text(encoding="utf-8").replace("== streetwire.crc32(self._body, incarnation)", "!= -1")
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "__init__.py").touch()
    (tmp_path / "node" / "log.py").write_text(broken)
    (tmp_path / "streetwire.py").write_text((torture_log.FIRMWARE / "streetwire.py").read_text(encoding="utf-8"))
    monkeypatch.setattr(torture_log, "FIRMWARE", tmp_path)
    assert torture_log.main(["--cases", "50", "--seed", "400"]) == 1
    assert "case 4" in capsys.readouterr().err


def test_the_command_tells_what_it_did_in_one_line(capsys):
    assert torture_log.main(["--cases", "40", "--seed", "9"]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert '"cases": 40, "failed": 0, "interpreter": "cpython", "seed": 9' in told


def test_it_runs_without_the_packages_of_the_tests():
    run_it = "import runpy, sys; sys.modules['pytest'] = None; runpy.run_module('tools.torture_log', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", run_it, "--cases", "5"], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_micropython_it_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torture_log.micropython, "find", lambda: None)
    assert torture_log.main(["--cases", "5", "--interpreter", "micropython"]) == 3
    assert capsys.readouterr().err == "tools.torture_log: no micropython beside this Python or on the PATH\n"
