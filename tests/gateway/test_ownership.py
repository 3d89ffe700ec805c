"""One process owns a state folder."""

import subprocess
import sys

import pytest

from gateway.errors import StoreError
from gateway.ownership import Ownership


def test_a_second_owner_is_refused_with_one_line_and_may_have_it_afterwards(tmp_path):
    first = Ownership(tmp_path / "lock")
    with pytest.raises(StoreError, match="another gateway is running") as refused:
        Ownership(tmp_path / "lock")
    assert refused.value.exit_code == 3
    assert "\n" not in refused.value.line()
    first.release()
    Ownership(tmp_path / "lock").release()


def test_a_killed_owner_leaves_nothing_to_clean_up(tmp_path):
    code = "import os, sys, pathlib; from gateway.ownership import Ownership; owner = Ownership(pathlib.Path(sys.argv[1])); "
    killed = subprocess.run([sys.executable, "-c", code + "os.kill(os.getpid(), 9)", str(tmp_path / "lock")])
    assert killed.returncode == -9
    Ownership(tmp_path / "lock").release()


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        Ownership(tmp_path / "missing" / "lock")
