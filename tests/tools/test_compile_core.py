"""tools.compile_core: what lies compiled beside the sources is of these sources, or nothing lies there."""

from __future__ import annotations

import os

import pytest

from tools import compile_core


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Sources, and something compiled that is younger."""
    (tmp_path / "gateway").mkdir()
    for name in compile_core.MODULES:
        for path in compile_core.sources(tmp_path, name):
            path.write_text("")
            os.utime(path, (1000, 1000))
        compile_core.compiled_file(tmp_path, name).write_text("old")
    monkeypatch.setattr(compile_core, "ROOT", tmp_path)
    return tmp_path


def test_what_is_younger_than_its_sources_stays(checkout, monkeypatch):
    monkeypatch.setattr(compile_core, "compile_into", lambda folder: pytest.fail("compiled without need"))
    assert not compile_core.is_stale(checkout)
    assert compile_core.main() == 0


@pytest.mark.parametrize("touched", ["window.py", "cells.pxd", "native.pxd"])
def test_a_younger_source_takes_the_compiled_files_away_where_they_cannot_be_made_anew(checkout, monkeypatch, capsys, touched):
    os.utime(checkout / "gateway" / touched, (2**33, 2**33))
    monkeypatch.setattr(compile_core, "compile_into", lambda folder: "no compiler")
    assert compile_core.is_stale(checkout)
    assert compile_core.main() == 1
    assert "no compiler" in capsys.readouterr().err
    assert not list((checkout / "gateway").glob(f"*{compile_core.SUFFIX}"))


def test_without_a_compiler_nothing_is_made_and_it_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert compile_core.compile_into(tmp_path)
    assert not list(tmp_path.rglob(f"*{compile_core.SUFFIX}"))


def test_it_is_possible_in_a_checkout_with_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(compile_core.shutil, "which", lambda name: name)
    assert compile_core.is_possible()
    monkeypatch.setattr(compile_core.shutil, "which", lambda name: None)
    assert not compile_core.is_possible()
    assert compile_core.is_checkout()
    monkeypatch.setattr(compile_core.shutil, "which", lambda name: name)
    monkeypatch.setattr(compile_core, "ROOT", tmp_path)
    assert not compile_core.is_possible()
