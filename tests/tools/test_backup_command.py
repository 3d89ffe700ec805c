"""`trottoir backup` and `restore`: a gateway moves to a new machine, and nothing is replaced that was not asked for."""

from __future__ import annotations

import getpass
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from gateway import adoption, restored, service
from gateway.config import load
from gateway.ownership import Ownership
from gateway.radio.keys import KeyStore
from gateway.store import Store
from tests.gateway.parts import acked, hello, records
from tests.gateway.readback import MemoryServer
from tests.gateway.test_adoption import Generation, publish
from tests.tools.test_cli import no_environment, one_line, trottoir  # noqa: F401
from tools import asking, backup_command, cli
from tools.backup import putting_back, sealed
from tools.backup.sealed import Sealer

WORDS = "ein langer Satz über Süsterplatz"
TOML = '[gateway]\nid = "gw-1"\nstate_dir = "{state}"\npage = "off"\n[uplink]\ntoken_file = "{etc}/token"\n'


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """What costs a thief time costs us none; and no machine's own configuration is met."""
    monkeypatch.setattr(sealed, "_N", 2)
    monkeypatch.setattr(sealed, "CHUNK", 4096)
    monkeypatch.setattr(backup_command, "CONFIG", tmp_path / "no" / "trottoir.toml")


@pytest.fixture
def passphrase(tmp_path) -> Path:
    path = tmp_path / "words"
    path.write_text(WORDS + "\n")
    path.chmod(0o600)
    return path


class Site:
    """A machine's folders with all that a gateway leaves there, and the commands on it."""

    def __init__(self, root: Path, words: Path, capsys) -> None:
        self.root, self.words, self._capsys = root, words, capsys
        self.state, self.etc, self.file = root / "var/lib/trottoir", root / "etc/trottoir", root.parent / "altstadt.backup"
        self.config = self.etc / "trottoir.toml"

    def furnish(self) -> None:
        self.state.mkdir(parents=True, mode=0o700)
        self.etc.mkdir(parents=True)
        self.config.write_text(TOML.format(state=self.state, etc=self.etc))
        self.config.chmod(0o644)
        _put(self.etc / "token", "geheim", 0o600)
        KeyStore(self.state / "keys").make("tr-00a1b2", "24:DC:C3:00:A1:B2", os.urandom)
        _put(self.state / "nodes/tr-00a1b2.tests.jsonl", "{}\n")
        _put(self.state / "firmware/lock.toml", 'version = "1.26.1"\n')
        _put(self.state / "firmware/image.bin", "x" * 20_000)
        _put(self.state / "audit.json", "{}")
        _put(self.state / "wishes/audit", "")
        _put(self.state / "lock", "")
        (self.state / "link").symlink_to("/etc/passwd")
        Store(self.state / "store.db").close()

    def run(self, *words: str, config: bool = True) -> tuple[int, str, str]:
        before = ["--config", str(self.config)] if config else []
        code = cli.main([*before, *words])
        done = self._capsys.readouterr()
        return code, done.out, done.err

    def backup(self, *more: str) -> tuple[int, str, str]:
        return self.run("backup", str(self.file), "--passphrase-file", str(self.words), *more)

    def restore(self, *more: str, yes: bool = True) -> tuple[int, str, str]:
        words = ["restore", str(self.file), "--passphrase-file", str(self.words), *(["--yes"] if yes else []), *more]
        return self.run(*words, config=False)

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of everything."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if not path.is_symlink() and not path.name.endswith(("-wal", "-shm")):  # these come and go with who reads
                content = b"" if path.is_dir() else path.read_bytes()
                found[str(path.relative_to(self.root))] = (stat.S_IMODE(path.stat().st_mode), content)
        return found


def _put(path: Path, text: str, mode: int = 0o640) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def site(tmp_path, passphrase, capsys) -> Site:
    found = Site(tmp_path / "pi", passphrase, capsys)
    found.furnish()
    return found


NOT_NEEDED = {"var/lib/trottoir/lock", "var/lib/trottoir/wishes", "var/lib/trottoir/wishes/audit"}


def test_all_that_a_new_machine_needs_is_there_again_with_its_rights(site):
    before = site.tree()
    assert site.backup()[0] == 0
    shutil.rmtree(site.root)
    code, out, _ = site.restore()
    assert code == 0
    assert "old gateway must not run any more" in out
    after = site.tree()
    store, lock = "var/lib/trottoir/store.db", "var/lib/trottoir/lock"
    assert set(before) - NOT_NEEDED == set(after) - {lock}
    for name in set(after) - {store, lock}:
        if name not in ("var", "var/lib", "etc", "etc/trottoir"):  # not ours
            assert after[name] == before[name], name
    assert KeyStore(site.state / "keys").read()[1] == []
    assert load(site.config).uplink.read_token() == "geheim"
    assert not (site.state / "link").exists()


def test_nobody_reads_it_without_the_passphrase_and_nothing_is_left_beside(site):
    site.backup()
    content = site.file.read_bytes()
    assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
    assert not any(word in content for word in (b"geheim", b"tr-00a1b2", b"trottoir.toml", b"SQLite"))
    assert sorted(path.name for path in site.file.parent.iterdir()) == ["altstadt.backup", "pi", "words"]


def test_root_gives_everything_to_whom_the_folder_belongs(site):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    site.backup()
    shutil.rmtree(site.state)
    site.state.mkdir()
    os.chown(site.state, 61_234, 61_235)
    assert site.restore()[0] == 0
    owners = {path.name: path.stat().st_uid for path in site.state.rglob("*") if path.name != "lock"}
    assert owners == dict.fromkeys(owners, 61_234)
    assert (site.etc / "token").stat().st_uid == 0


# -- the gateway at work


def test_a_running_gateway_is_backed_up_and_not_replaced(site):
    owner = Ownership(site.state / "lock")
    store = Store(site.state / "store.db")
    with store.transaction():  # in the middle of a commit
        store.put_note("told_s", 1_800_000_000)
        assert site.backup()[0] == 0
    store.note("told_s", 1_800_000_060)
    assert site.backup("--replace")[0] == 0  # what is still in its log is in the backup
    told = json.loads(
        site.run("--json", "restore", str(site.file), "--passphrase-file", str(site.words), "--dry-run", config=False)[1]
    )
    assert told["newest_s"] == 1_800_000_060
    code, _, err = site.restore()
    assert (code, "systemctl stop trottoir" in one_line(err)) == (3, True)
    store.close()
    owner.release()
    assert site.restore()[0] == 0


def test_the_restored_gateway_goes_on_and_counts_exactly_once(site):
    server = MemoryServer()
    store = site.state / "store.db"
    old = publish(server, *records(1, 30), path=store)
    assert site.backup()[0] == 0
    old.hear(*records(31, 40))  # the old machine goes on for a while, and the node forgets what it has acknowledged
    old.send()
    old.desk.store.close()
    shutil.rmtree(site.root)
    assert site.restore()[0] == 0
    new = Generation(server, store)
    assert adoption.is_due(new.desk.store)
    new.adopt()
    effects = new.hear(hello(uptime_s=2400, next_seq=51, first_held=36), *records(36, 50, previous=0))
    assert acked(effects) == 50
    new.send()
    truth = publish(MemoryServer(), *records(1, 50))
    assert server.counts() == truth.office.server.counts()
    assert new.told("losses") == new.told("gaps") == []


def test_the_store_that_was_put_back_is_a_new_generation(site):
    with closing(Store(site.state / "store.db")) as store:
        store.note(adoption.ADOPTED, 1)
    site.backup()
    site.restore()
    with closing(Store(site.state / "store.db")) as store:
        assert adoption.is_due(store)


def test_a_gateway_starts_from_it(site):
    site.backup()
    shutil.rmtree(site.root)
    site.restore()
    (site.state / "audit.json").rename(site.state / "restored.audit")
    (site.state / "restored").mkdir()  # as a cut would leave it
    (site.state / "restored.audit").rename(site.state / "restored" / "audit.json")
    gateway = service.Service(load(site.config), lambda: 1_800_000_000_000)
    assert (site.state / "audit.json").read_text() == "{}"
    gateway._store.close()
    gateway._ownership.release()


# -- what is refused, before anything is replaced


def test_another_passphrase_a_cut_and_a_change_replace_nothing(site):
    site.backup()
    whole, before = site.file.read_bytes(), site.tree()
    site.words.write_text("another")
    code, _, err = site.restore()
    assert (code, "passphrase" in one_line(err)) == (6, True)
    site.words.write_text(WORDS)
    for size in (0, 10, 40, 5000, len(whole) // 2, len(whole) - 1):
        site.file.write_bytes(whole[:size])
        assert [site.restore()[0], site.restore("--dry-run")[0]] == [6, 6]
    for at in (0, 16, 20, 45, 4300, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        site.file.write_bytes(bytes(changed))
        code, _, err = site.restore()
        assert code == 6
        assert str(site.file) in one_line(err)
    assert site.tree() == before


def _sealed_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with path.open("wb") as file:
        sealer = Sealer(file, WORDS, os.urandom)
        with tarfile.open(mode="w|", fileobj=sealer) as archive:  # type: ignore[call-overload]
            for member, data in members:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        sealer.close()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def _manifest(site, **other: object) -> tuple[tarfile.TarInfo, bytes]:
    told = {"trottoir": "1", "gateway": "g", "made_s": 1, "state_dir": str(site.state), "config": None, "apart": []}
    return _member("manifest.json"), json.dumps({**told, **other}).encode()


@pytest.mark.parametrize(
    "member",
    [
        _member("state/../../evil"), _member("/etc/evil"), _member("evil"), _member("apart/0"), _member("apart/../x"),
        _member("state/a", tarfile.SYMTYPE, "/etc/passwd"), _member("state/a", tarfile.LNKTYPE, "/etc/passwd"),
        _member("state/a", tarfile.CHRTYPE), _member("state/a", tarfile.FIFOTYPE), _member("state"), _member("state//a"),
    ],
    ids=lambda member: f"{member.name} {member.type.decode()}",
)  # fmt: skip
def test_an_archive_that_would_write_elsewhere_is_refused(site, member):
    before = site.tree()
    _sealed_tar(site.file, _manifest(site), (member, b""))
    code, _, err = site.restore()
    assert (code, "holds what no backup holds" in one_line(err)) == (6, True)
    assert site.tree() == before


@pytest.mark.parametrize(
    "other",
    [
        {"state_dir": "relative"},
        {"state_dir": "/a/../b"},
        {"apart": ["x"]},
        {"apart": ["/x"]},
        {"made_s": "1"},
        {"apart": 3},
        {"more": {}},
    ],
)
def test_a_manifest_that_is_none_is_refused(site, other):
    before = site.tree()
    _sealed_tar(site.file, _manifest(site, **other), (_member("state/x"), b"x"))
    code, out, _ = site.restore("--dry-run")
    assert code == (0 if "more" in other else 6), out
    _sealed_tar(site.file, (_member("state/x"), b"x"))
    assert site.restore()[0] == 6
    with site.file.open("wb") as file:
        sealer = Sealer(file, WORDS, os.urandom)
        sealer.write(b"no tar at all")
        sealer.close()
    assert site.restore()[0] == 6
    assert site.tree() == before


def test_a_store_of_another_version_is_refused(site):
    site.backup()
    with closing(sqlite3.connect(site.state / "store.db")) as database:
        database.execute("PRAGMA user_version = 99")
    site.backup("--replace")
    before = site.tree()
    code, _, err = site.restore()
    assert (code, "store" in one_line(err)) == (6, True)
    assert {name: about for name, about in site.tree().items() if "-wal" not in name and "-shm" not in name} == before


def test_a_newer_store_stays_unless_asked(site):
    site.backup()
    with closing(Store(site.state / "store.db")) as store:
        store.note("told_s", 1_900_000_000)
    code, _, err = site.restore()
    assert (code, "--replace" in one_line(err)) == (3, True)
    assert site.restore("--replace")[0] == 0
    with closing(Store(site.state / "store.db")) as store:
        assert store.noted("told_s") == 0
    with closing(sqlite3.connect(site.state / "store.db.replaced")) as database:
        assert database.execute("SELECT value FROM meta WHERE name = 'told_s'").fetchall() == [(1_900_000_000,)]


# -- cut off anywhere


class CutError(BaseException):
    """The power goes."""


def _cut_at(number: int, monkeypatch) -> None:
    """The power goes before the change with this number."""
    left = [number]

    def cutting(change):
        def cut(*arguments, **more):
            if left[0] == 0:
                raise CutError
            left[0] -= 1
            return change(*arguments, **more)

        return cut

    for name in ("replace", "rename", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, cutting(getattr(Path, name)))
    monkeypatch.setattr(putting_back, "clear", lambda places: None) if number > 3 else None


def test_a_power_cut_at_any_step_leaves_the_old_or_the_new_and_the_same_command_repairs_it(site, monkeypatch):
    with closing(Store(site.state / "store.db")) as store:
        store.note("told_s", 1_700_000_000)
    site.backup()
    with closing(Store(site.state / "store.db")) as store:
        store.note("told_s", 1_900_000_000)
    _put(site.state / "firmware/lock.toml", "changed")
    saved = site.root.with_name("saved")
    shutil.copytree(site.root, saved, symlinks=True)
    seen = set()
    for number in range(200):
        shutil.rmtree(site.root)
        shutil.copytree(saved, site.root, symlinks=True)
        with monkeypatch.context() as patch:
            _cut_at(number, patch)
            try:
                code = site.restore("--replace")[0]
            except CutError:
                code = None
        if code == 0:
            break
        Ownership(site.state / "lock").release()  # the system let go of it
        restored.finish(site.state)  # as the gateway's start does
        with closing(Store(site.state / "store.db")) as store:
            told = store.noted("told_s")
        text = (site.state / "firmware/lock.toml").read_text()
        assert (told, text) in ((1_900_000_000, "changed"), (1_700_000_000, 'version = "1.26.1"\n'))
        seen.add(told)
        assert site.restore("--replace")[0] == 0
        with closing(Store(site.state / "store.db")) as store:
            assert store.noted("told_s") == 1_700_000_000
        assert not [path for path in site.root.rglob("*") if "restor" in path.name]
    assert code == 0
    assert seen == {1_900_000_000, 1_700_000_000}


def test_what_fails_on_the_way_leaves_nothing_beside(site, monkeypatch):
    site.backup()
    before = site.tree()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(putting_back, "_begin_generation", full)
    code, _, err = site.restore()
    assert (code, "No space left" in one_line(err)) == (3, True)
    assert site.tree() == before


def test_what_a_healing_left_does_not_become_the_store(site):
    site.backup()
    _put(site.state / "store.db.healed", "half")
    assert site.restore()[0] == 0
    assert not (site.state / "store.db.healed").exists()


# -- how it asks


def test_the_passphrase_is_asked_twice_for_a_backup_and_once_for_a_restore(site, monkeypatch):
    answers = [WORDS, WORDS, WORDS, "y"]
    monkeypatch.setattr(asking, "is_answerable", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: answers.pop(0))
    monkeypatch.setattr(asking, "confirm", lambda question: answers.pop(0) == "y")
    assert site.run("backup", str(site.file))[0] == 0
    code, _, err = site.run("restore", str(site.file), config=False)
    assert (code, answers) == (0, [])
    assert f"replaces {site.etc}/token" in err  # before the question
    answers += [WORDS, "no"]
    assert site.run("restore", str(site.file), config=False)[0] == 1
    answers += [WORDS, "another"]
    assert site.run("backup", str(site.file), "--replace")[0] == 2


def test_where_nobody_can_be_asked_a_file_is_wanted_that_nobody_else_reads(site):
    assert site.run("backup", str(site.file))[0] == 2
    site.words.chmod(0o640)
    code, _, err = site.backup()
    assert (code, "0640" in one_line(err)) == (3, True)
    site.words.chmod(0o600)
    site.words.write_text("\n")
    assert site.backup()[0] == 2
    site.words.write_bytes(b"\xff\xfe")
    assert site.backup()[0] == 3
    assert not site.file.exists()


def test_a_file_that_is_there_stays_unless_asked(site):
    site.file.write_text("something else")
    assert site.backup()[0] == 2
    assert site.file.read_text() == "something else"
    assert site.backup("--replace")[0] == 0


def test_dry_runs_write_nothing(site):
    code, out, _ = site.backup("--dry-run")
    assert (code, site.file.exists()) == (0, False)
    assert f"{site.state}/keys/tr-00a1b2.key" in out
    site.backup()
    before = site.tree()
    code, out, _ = site.restore("--dry-run", yes=False)
    assert (code, site.tree()) == (0, before)
    assert f"replaces {site.config}" in out
    code, _, err = site.restore(yes=False)
    assert (code, "--yes" in one_line(err)) == (2, True)


def test_below_another_root_and_with_another_name_for_the_configuration(site, tmp_path):
    site.backup()
    assert site.restore("--prefix", str(tmp_path / "card"))[0] == 0
    assert (tmp_path / "card" / str(site.etc)[1:] / "token").read_text() == "geheim"
    other = tmp_path / "other.toml"
    code = site.run("--config", str(other), "restore", str(site.file), "--passphrase-file", str(site.words), "--yes", config=False)[
        0
    ]
    assert (code, other.exists()) == (0, True)


def test_what_is_not_there_or_not_allowed_is_one_line(site, monkeypatch):
    code, _, err = site.restore()
    assert (code, "altstadt.backup" in one_line(err)) == (3, True)
    (site.etc / "token").unlink()
    code, _, err = site.backup()
    assert (code, "token" in one_line(err)) == (3, True)
    assert not site.file.exists()

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", "/etc/trottoir/token")

    monkeypatch.setattr(backup_command.contents, "write", denied)
    code, _, err = site.backup()
    assert (code, "sudo" in one_line(err)) == (5, True)


def test_a_key_that_is_kept_apart_goes_along(site, tmp_path):
    KeyStore(tmp_path / "pi/keys").make("tr-00a1b3", "24:DC:C3:00:A1:B3", os.urandom)
    site.config.write_text(site.config.read_text() + f'[ble]\nkeys_dir = "{tmp_path}/pi/keys"\n')
    site.backup()
    shutil.rmtree(site.root)
    assert site.restore()[0] == 0
    assert [key.node for key in KeyStore(tmp_path / "pi/keys").read()[0].values()] == ["tr-00a1b3"]


def test_without_an_option_the_services_configuration_is_meant(site, monkeypatch):
    monkeypatch.setattr(backup_command, "CONFIG", site.config)
    code = site.run("backup", str(site.file), "--passphrase-file", str(site.words), config=False)[0]
    assert code == 0
    assert str(site.config) in site.restore("--dry-run")[1]
