"""The README's pictures: there, real, and taken by the command that it names."""

from __future__ import annotations

import re
import struct
import tempfile
from pathlib import Path

import pytest

from tests.real_parts import needs
from tools import pictures

ROOT = Path(__file__).resolve().parents[2]


def size_of(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), path
    return struct.unpack(">II", data[16:24])


def test_every_picture_of_the_readme_is_there_and_no_other():
    named = set(re.findall(r"\]\((tools/pictures/[\w-]+\.png)\)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == {f"tools/pictures/{path.name}" for path in pictures.FOLDER.iterdir()}
    assert all((ROOT / name).stat().st_size < 400_000 for name in named)
    assert size_of(pictures.FOLDER / "page-wide.png")[0] == pictures.WIDE[0]
    assert size_of(pictures.FOLDER / "page-phone.png")[0] == pictures.PHONE[0] == 360


@pytest.fixture
def short_folder():
    """A browser's socket lies in it, and its path may have 107 letters."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield folder


@needs("chromium")
@needs("pty")
@pytest.mark.timeout(180)
def test_taken_from_a_demo(tmp_path, short_folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", short_folder)
    paths = pictures.take(tmp_path / "pictures", duration="30m", pace=90, moment="10:1")
    assert {path.name for path in paths} == {path.name for path in pictures.FOLDER.iterdir()}
    assert size_of(tmp_path / "pictures/page-wide.png")[1] > 900
    assert size_of(tmp_path / "pictures/terminal.png")[0] > 800
