"""gateway.radio.keys: keys that nobody else can read, and files that cannot be trusted are said and left out."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

from gateway.errors import ConfigError
from gateway.radio.keys import KEY_SIZE, KeyStore, NodeKey

NODE, ADDRESS = "tr-a3f1c2", "24:DC:C3:51:A0:02"
OTHER, OTHER_ADDRESS = "tr-0000b2", "24:DC:C3:51:A0:03"
SECRET = bytes(range(100, 100 + KEY_SIZE))

posix = pytest.mark.skipif(os.name != "posix", reason="rights are no bits of a mode here")


def random(size: int) -> bytes:
    return SECRET[:size]


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path / "state" / "keys")


def file_of(store: KeyStore, node: str = NODE):
    return store.folder / f"{node}.key"


def problems(store: KeyStore) -> list[str]:
    return [problem.key for problem in store.read()[1]]


def test_what_is_made_is_read_again(store):
    made = store.make(NODE, ADDRESS, random)
    assert made == NodeKey(NODE, ADDRESS, SECRET)
    assert store.read() == ({ADDRESS: made}, [])


def test_a_key_is_never_shown():
    key = NodeKey(NODE, ADDRESS, SECRET)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert NODE in shown
        assert SECRET.hex() not in shown
        assert repr(SECRET)[2:-1] not in shown


def test_a_key_is_told_from_the_next_by_its_hash():
    assert NodeKey(NODE, ADDRESS, SECRET).key_id == int(hashlib.sha256(SECRET).hexdigest()[:8], 16)


def test_the_number_and_the_bytes_of_the_address_are_those_on_the_air():
    key = NodeKey(NODE, ADDRESS, SECRET)
    assert (key.number, key.address_bytes) == (0xA3F1C2, b"\x24\xdc\xc3\x51\xa0\x02")


def test_no_folder_is_no_key_and_no_problem(store):
    assert store.read() == ({}, [])


@posix
def test_nobody_else_can_read_a_key_from_its_first_byte_on(store, monkeypatch):
    modes = []
    sync = os.fsync

    def look(handle):
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        store.make(NODE, ADDRESS, random)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o700], "the file before it has its name, the folder after that"
    assert stat.S_IMODE(file_of(store).stat().st_mode) == 0o600


def test_a_node_that_has_a_key_keeps_it(store):
    store.make(NODE, ADDRESS, random)
    with pytest.raises(ConfigError) as caught:
        store.make(NODE, OTHER_ADDRESS, os.urandom)
    assert [problem.key for problem in caught.value.problems] == ["config.key-there"]
    assert list(store.read()[0]) == [ADDRESS]


def test_a_key_is_replaced_if_that_is_asked_for(store):
    store.make(NODE, ADDRESS, random)
    second = store.make(NODE, OTHER_ADDRESS, os.urandom, replace=True)
    assert store.read() == ({OTHER_ADDRESS: second}, [])


def test_a_cut_while_a_key_is_replaced_leaves_the_old_one_and_blocks_nothing(store, monkeypatch):
    first = store.make(NODE, ADDRESS, random)
    with monkeypatch.context() as cut:
        cut.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(ConfigError) as caught:
            store.make(NODE, ADDRESS, os.urandom, replace=True)
    assert "Input/output error" in caught.value.line()
    assert store.read() == ({ADDRESS: first}, [])
    assert store.make(NODE, ADDRESS, os.urandom, replace=True) != first


@pytest.mark.parametrize(("node", "address"), [("../x", ADDRESS), ("tr-A3F1C2", ADDRESS), (NODE, "24:dc"), (NODE, ADDRESS.lower())])
def test_what_could_not_be_read_again_is_not_made(store, node, address):
    with pytest.raises(ConfigError):
        store.make(node, address, random)
    assert not store.folder.exists()


def test_a_source_of_randomness_that_gives_less_makes_no_key(store):
    with pytest.raises(ConfigError):
        store.make(NODE, ADDRESS, lambda size: b"short")
    assert not store.folder.exists()


def test_a_removed_key_is_gone(store):
    store.make(NODE, ADDRESS, random)
    store.remove(NODE)
    assert store.read() == ({}, [])
    with pytest.raises(ConfigError):
        store.remove(NODE)


# -- files that cannot be trusted: said, left out, and the other node is heard


@pytest.fixture
def both(store):
    store.make(NODE, ADDRESS, random)
    store.make(OTHER, OTHER_ADDRESS, os.urandom)
    return store


def left_out(store: KeyStore, problem: str) -> None:
    keys, said = store.read()
    assert list(keys) == [OTHER_ADDRESS]
    assert [each.key for each in said] == [f"config.key-{problem}"]
    for language in ("en", "de"):
        line = said[0].line(language)
        assert str(file_of(store)) in line
        assert SECRET.hex() not in line


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_is_open_to_others(both, mode):
    file_of(both).chmod(mode)
    left_out(both, "open")


@posix
def test_a_file_of_another_owner(both, monkeypatch):
    mine = os.stat_result
    fstat = os.fstat

    def of_another(handle):
        about = fstat(handle)
        is_it = about.st_ino == file_of(both).stat().st_ino
        return mine((*about[:4], about.st_uid + 1, *about[5:])) if is_it else about

    monkeypatch.setattr(os, "fstat", of_another)
    left_out(both, "owner")


@posix
def test_a_link(both, tmp_path):
    file_of(both).rename(tmp_path / "elsewhere")
    file_of(both).symlink_to(tmp_path / "elsewhere")
    left_out(both, "not-a-file")


def test_a_folder(both):
    file_of(both).unlink()
    file_of(both).mkdir()
    left_out(both, "not-a-file")


@posix
def test_a_pipe_that_nobody_writes_to(both):
    file_of(both).unlink()
    os.mkfifo(file_of(both))
    left_out(both, "not-a-file")


def test_a_file_that_cannot_be_read(both, monkeypatch):
    opened = os.open

    def denied(path, *rest):
        if path == file_of(both):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(os, "open", denied)
    left_out(both, "file")


GOOD = f'node = "{NODE}"\naddress = "{ADDRESS}"\nkey = "{SECRET.hex()}"\n'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no table",
        GOOD.replace(NODE, OTHER),  # a file that was copied
        GOOD.replace(ADDRESS, "24:DC:C3"),
        GOOD.replace("key", "token"),
        GOOD + 'more = "x"\n',
        GOOD.replace(f'"{SECRET.hex()}"', "12"),
        GOOD.replace(f'"{NODE}"', "12"),
        GOOD.replace(SECRET.hex(), "xy"),
        GOOD.replace(f'"{SECRET.hex()}"', "[" * 900),
        GOOD + "#" * 2000,
        b"\xff\xfe".decode("latin-1"),
    ],
)
def test_another_layout(both, content):
    file_of(both).write_bytes(content.encode("latin-1"))
    left_out(both, "layout")


@pytest.mark.parametrize("size", [0, KEY_SIZE - 1, KEY_SIZE + 1])
def test_a_key_of_another_size(both, size):
    file_of(both).write_text(GOOD.replace(SECRET.hex(), bytes(size).hex()), encoding="utf-8")
    left_out(both, "size")


def test_two_nodes_with_one_address_are_both_left_out(both):
    both.make("tr-000003", ADDRESS, os.urandom)
    keys, said = both.read()
    assert list(keys) == [OTHER_ADDRESS]
    assert [each.key for each in said] == ["config.key-twice"] * 2


def test_what_is_no_key_file_is_not_looked_at(both):
    (both.folder / "README").write_text("notes", encoding="utf-8")
    assert problems(both) == []


def test_a_folder_that_is_none_is_said(tmp_path):
    (tmp_path / "keys").write_text("", encoding="utf-8")
    assert problems(KeyStore(tmp_path / "keys")) == ["config.key-file"]
