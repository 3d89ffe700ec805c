"""One process owns a state folder."""

import os
import subprocess
import sys

import pytest

from gateway import findings, updates, wishes
from gateway.errors import StoreError
from gateway.ownership import Ownership, hand_over
from gateway.radio.keys import KeyStore


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


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_in_a_gateways_folder_is_the_gateways(tmp_path):
    os.chown(tmp_path, 61_234, 61_235)
    wishes.ask(tmp_path, wishes.AUDIT)
    KeyStore(tmp_path / "keys").make("tr-00a1b2", "24:DC:C3:00:A1:B2", os.urandom)
    findings.keep(tmp_path, "tr-00a1b2", "tests", {"time": 1})
    updates.ask(tmp_path, "tr-00a1b2", b"bundle")
    made = {path.relative_to(tmp_path).as_posix(): path.stat() for path in tmp_path.rglob("*")}
    del made["wishes/audit"]  # empty, and for him to remove whose the folder is: it may be gone before it could be given away
    assert sorted(made) == [
        "keys", "keys/tr-00a1b2.key", "nodes", "nodes/tr-00a1b2.tests.jsonl", "updates", "updates/tr-00a1b2.bundle", "wishes",
    ]  # fmt: skip
    assert {(about.st_uid, about.st_gid) for about in made.values()} == {(61_234, 61_235)}
    assert [key.node for key in KeyStore(tmp_path / "keys").read()[0].values()] == ["tr-00a1b2"]  # and root may read it


def test_who_is_not_root_gives_nothing_away(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", None)
    hand_over(tmp_path)
