"""gateway.healing: it starts whatever is on the disk, keeps what is whole, and may be cut off anywhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway import healing, rebuild
from gateway.errors import StoreDamaged, StoreError
from gateway.healing import heal, open_store
from gateway.model import Q_SIMULATED, Gap, Loss, Passport, Status
from gateway.reading import Reader
from gateway.store import AUDITED, DEAD, QUEUED, SENT, SUPPRESSED, Store
from gateway.tables import PAGE_B
from tests.gateway.parts import INCARNATION, NODE, SERIES, T0
from tests.gateway.test_store import accept, refs

PASSPORT = Passport(NODE, INCARNATION, "0.1.0", "kit", "esp32", "radar", "sht4x")


def store_at(folder: Path, minutes: int = 300) -> Path:
    """A store that was closed in order."""
    path = folder / "store.db"
    store = Store(path)
    store.commit([PASSPORT, *(accept(seq, T0 + 60 * seq, ab=seq, climate=(2000, 100, 3)) for seq in range(1, minutes))], T0)
    store.commit([Gap("bahnhof", NODE, "silent", T0, T0 + 900, -1), Loss("bahnhof", NODE, "given_up", T0, 3, 3)], T0)
    store.close()
    return path


def powered_off(folder: Path) -> Path:
    """A store as a power cut leaves it, part of it in its log."""
    path = store_at(folder, 100)
    store = Store(path)
    store.commit([accept(seq, T0 + 60 * seq, ab=seq) for seq in range(100, 300)], T0)
    kept = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal", "-shm")}
    store.close()
    for end, data in kept.items():
        Path(f"{path}{end}").write_bytes(data)
    return path


def people(store: Store) -> dict[int, int]:
    return {bin_.start_s: bin_.ab for bin_ in store.count_bins_since(0)}


EVERYBODY = {T0 + 60 * seq: seq for seq in range(1, 300)}


def spoil(path: Path, page: int = 1, size: int = 100) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_B)
        file.write(b"\xa5" * size)
    log = Path(f"{path}-wal")
    if log.exists():  # the page may stand there as well
        data = bytearray(log.read_bytes())
        data[40] ^= 1
        log.write_bytes(data)


def states(store: Store) -> dict[int, int]:
    return dict(store.read("SELECT start, state FROM bins"))


# -- it starts


def nothing(path):
    path.unlink()


def text(path):
    path.write_text("nothing of the kind\n" * 900)


def folder_instead(path):
    path.unlink()
    (path / "things").mkdir(parents=True)


def foreign(path):
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs(name)")


def of_another_version(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1")


def renamed_column(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'covered_s', 'covered_t') WHERE name = 'bins'")


def empty(path):
    path.write_bytes(b"")


def log_of_noise(path):
    Path(f"{path}-wal").write_bytes(os.urandom(40_000))


def memory_of_noise(path):
    Path(f"{path}-shm").write_bytes(os.urandom(40_000))


def folder_as_log(path):
    Path(f"{path}-wal").mkdir()


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (nothing, 0), (text, 0), (folder_instead, 0), (foreign, 0), (empty, 0), (of_another_version, 299), (renamed_column, 299),
        (log_of_noise, 299), (memory_of_noise, 299), (folder_as_log, 299), (spoil, 299),
    ],
)  # fmt: skip
def test_it_starts_and_works_on(tmp_path, damage, left):
    path = store_at(tmp_path)
    damage(path)
    store, _ = open_store(path, False, T0)
    assert len(people(store)) == left
    store.commit([accept(900, T0 + 60 * 900, ab=9)], T0)
    store.close()
    store, healed = open_store(path, False, T0)
    assert healed is None
    assert people(store)[T0 + 60 * 900] == 9
    store.close()


def test_it_starts_cut_at_any_length(tmp_path):
    path = store_at(tmp_path, 60)
    whole = path.read_bytes()
    for length in [*range(0, 200, 9), *range(200, len(whole), 1777)]:
        for old in tmp_path.iterdir():
            old.unlink()
        path.write_bytes(whole[:length])
        store, _ = open_store(path, False, T0)
        assert people(store).items() <= EVERYBODY.items()
        store.close()


def test_a_whole_store_is_left_alone(tmp_path):
    path = powered_off(tmp_path)
    store, healed = open_store(path, False, T0)
    assert healed is None
    assert people(store) == EVERYBODY
    store.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]


def test_the_pages_of_a_large_store_are_not_all_read_at_a_start_and_damage_there_shows_when_it_is_read(tmp_path, monkeypatch):
    path = store_at(tmp_path)
    store = Store(path)
    ((pages,),) = store.read("PRAGMA page_count")
    ((root,),) = store.read("SELECT rootpage FROM sqlite_master WHERE name = 'bins'")
    store.close()
    spoil(path, root)
    monkeypatch.setattr(healing, "CHECKED_PAGES", pages - 1)
    store, healed = open_store(path, False, T0)
    assert healed is None
    with pytest.raises(StoreDamaged):
        store.count_bins_since(0)
    store.close()
    monkeypatch.setattr(healing, "CHECKED_PAGES", pages)
    store, healed = open_store(path, False, T0)
    assert healed is not None
    store.close()


def test_a_complaint_that_quotes_bytes_which_are_no_text_is_damage_too(tmp_path, monkeypatch):
    def complain(*_):
        return b"\xa0".decode()

    path = store_at(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(healing, "_is_whole", complain)
        store, healed = open_store(path, False, T0)
    assert healed is not None
    monkeypatch.setattr(store, "_db", SimpleNamespace(execute=complain))
    with pytest.raises(StoreDamaged):
        store.read("anything")


# -- what is kept


def test_what_stands_behind_a_damaged_frame_is_kept(tmp_path):
    path = powered_off(tmp_path)
    spoil(path, size=0)
    store, healed = open_store(path, False, T0)
    assert healed.rows["bins"] == 299
    assert people(store) == EVERYBODY
    store.close()


def test_a_file_of_which_nothing_is_left_leaves_its_log(tmp_path):
    path = tmp_path / "store.db"
    store = Store(path)
    store.commit([accept(seq, T0 + 60 * seq, ab=seq) for seq in range(1, 300)], T0)
    log = Path(f"{path}-wal").read_bytes()
    store.close()
    first = path.read_bytes()[:1]
    for gone in (path.unlink, lambda: path.write_bytes(b""), lambda: path.write_bytes(first)):
        gone()
        Path(f"{path}-wal").write_bytes(log)
        store, healed = open_store(path, False, T0)
        assert healed.rows["bins"] == 299
        assert people(store) == EVERYBODY
        store.close()


def test_rows_keep_how_far_they_have_got_except_where_that_needs_a_look(tmp_path):
    path = store_at(tmp_path)
    store = Store(path)
    numbered = enumerate((SENT, SUPPRESSED, AUDITED, QUEUED))
    for number, state in numbered:
        store.settle([ref for ref in refs(store) if ref.time_s == T0 + 60 * (number + 1)], state)
    store.bury(refs(store)[20], "line", "refused", T0)
    buried = next(start for start, state in states(store).items() if state == DEAD)
    store.close()
    spoil(path)
    store, _ = open_store(path, False, T0)
    after = states(store)
    assert [after[T0 + 60 * n] for n in (1, 2, 3, 4)] == [SENT, SUPPRESSED, SENT, QUEUED]
    assert after[buried] == QUEUED
    store.close()


def test_the_newest_revision_wins_wherever_it_stands(tmp_path):
    path = store_at(tmp_path)
    store = Store(path)
    old = path.read_bytes()
    store.commit([accept(500, T0 + 60, ab=10)], T0)
    store.close()
    for pages in (old + path.read_bytes(), path.read_bytes() + old):
        path.write_bytes(b"\0" * 100 + pages[100:])
        store, _ = open_store(path, False, T0)
        assert people(store)[T0 + 60] == 11
        assert store.count_bin(SERIES, T0 + 60).rev == 1
        store.close()


def test_minutes_that_were_summed_up_do_not_come_back_beside_their_quarter(tmp_path):
    from gateway.keeping import make_room

    path = store_at(tmp_path)
    before = path.read_bytes()
    store = Store(path)
    make_room(store, T0 + 40 * 86_400, 0)
    quarters = people(store)
    assert 0 < len(quarters) < 40
    climate = len(store.climate_since(0, 1 << 60))
    store.close()
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:] + before)
    store, _ = open_store(path, False, T0)
    assert people(store) == quarters
    assert len(store.climate_since(0, 1 << 60)) == climate
    store.close()


def test_the_new_store_is_a_generation_of_its_own_that_knows_bins_passports_and_open_gaps(tmp_path):
    path = store_at(tmp_path)
    spoil(path)
    store, healed = open_store(path, False, T0 + 7)
    (stream,) = store.streams()
    newest = T0 + 60 * 299
    assert (stream.watermark, stream.last_bin, stream.adopted, stream.passport) == (0, newest, 299, PASSPORT)
    assert [gap.start_s for gap in store.silences()] == [T0]
    notes = dict(store.read("SELECT * FROM meta"))
    assert notes == {"adopted": 0, "damaged_rows": 0, "healed_s": T0 + 7, "connected": 1, "contact_s": T0 + 7}
    assert (healed.rows["climate"], healed.rows["facts"], healed.rows["series"], healed.broken) == (299, 2, 2, 0)
    assert store.commit([accept(5, T0 + 300, ab=5)], T0) == [], "its minute has it already"
    store.close()


def test_a_node_that_has_introduced_itself_in_two_ways_is_asked_again(tmp_path):
    path = store_at(tmp_path)
    before = path.read_bytes()
    store = Store(path)
    store.commit([Passport(NODE, INCARNATION, "0.2.0", "kit", "esp32", "pir", "")], T0)
    store.close()
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:] + before)
    store, _ = open_store(path, False, T0)
    assert [stream.passport for stream in store.streams()] == [None]
    store.close()


def test_what_a_simulation_says_of_itself_does_not_leave_with_its_passport_gone(tmp_path):
    path = tmp_path / "store.db"
    store = Store(path)
    status = Status("bahnhof", NODE, T0, {"uptime_s": 1, "boot": 1})
    store.commit([accept(1, q=Q_SIMULATED), status, accept(1, node=5), Status("bahnhof", 5, T0, {"uptime_s": 1, "boot": 1})], T0)
    store.close()
    spoil(path)
    store, _ = open_store(path, False, T0)
    waiting = [ref.tags["node"] for ref in refs(store, "node_status")]
    assert waiting == ["tr-000005"]
    store.close()


def test_a_number_that_two_series_have_is_nobodys(tmp_path):
    path = store_at(tmp_path, 5)
    other = tmp_path / "other"
    other.mkdir()
    second = Store(other / "store.db")
    second.commit([accept(1, site="jahnplatz")], T0)
    second.close()
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:] + (other / "store.db").read_bytes())
    store, healed = open_store(path, False, T0)
    assert people(store) == {}
    assert healed.broken >= 4
    store.close()


def test_damage_that_shows_only_when_a_row_is_read_is_healed_without_a_restart(tmp_path):
    store, _ = open_store(store_at(tmp_path), False, T0)
    store.read("UPDATE bins SET ab = ab + 1 WHERE start = ?", (T0 + 60 * 7,))
    with pytest.raises(StoreDamaged):
        store.count_bins_since(0)
    assert store.is_damaged
    healed = heal(store, T0)
    assert not store.is_damaged
    assert healed.broken == 1
    assert people(store) == EVERYBODY, "the log has it, and the file as it was before"
    store.close()


# -- cut off


class Cut(BaseException):
    """The power."""


def cut_at(monkeypatch, number: int) -> None:
    """The number-th change to a folder, and every one after it, does not happen any more."""
    left = [number]
    for name in ("rename", "replace", "unlink"):
        real = getattr(Path, name)

        def counted(self, *args, _real=real, **kwargs):
            if left[0] <= 0:
                raise Cut
            left[0] -= 1
            return _real(self, *args, **kwargs)

        monkeypatch.setattr(Path, name, counted)


@pytest.mark.parametrize("make", [store_at, powered_off])
def test_cut_off_at_any_step_it_heals_all_the_same(tmp_path, monkeypatch, make):
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        folder.mkdir()
        path = make(folder)
        spoil(path)
        with monkeypatch.context() as patched:
            cut_at(patched, steps)
            try:
                store, _ = open_store(path, False, T0)
                store.close()
                break
            except Cut:
                pass
        store, healed = open_store(path, False, T0 + 1)
        assert people(store) == EVERYBODY, steps
        assert store.read("PRAGMA integrity_check") == [("ok",)]
        store.close()
        assert healed is not None or steps >= 5
        assert not {".healing", ".healed"} & {entry.suffix for entry in folder.iterdir()}
        steps += 1
    assert steps >= 4


def test_a_log_never_stands_beside_a_file_that_it_is_not_of(tmp_path, monkeypatch):
    path = powered_off(tmp_path)
    spoil(path)
    real = Path.rename

    def watched(self, target):
        if Path(target) == path:
            assert not Path(f"{path}-wal").exists()
        return real(self, target)

    monkeypatch.setattr(Path, "rename", watched)
    open_store(path, False, T0)[0].close()


def test_a_new_store_that_is_damaged_before_its_turn_is_made_again(tmp_path):
    path = store_at(tmp_path)
    spoil(path)
    (tmp_path / "store.db.healed").write_bytes(b"no store")
    store, _ = open_store(path, False, T0)
    assert people(store) == EVERYBODY
    store.close()


# -- the disk


def test_only_the_two_newest_damaged_files_are_kept(tmp_path):
    path = store_at(tmp_path)
    for number in range(4):
        spoil(path)
        open_store(path, False, T0 + 60 * number)[0].close()
    asides = sorted(entry.name for entry in tmp_path.iterdir())
    assert asides == ["store.db", "store.db.damaged-20270115T080200Z", "store.db.damaged-20270115T080300Z"]


def test_two_in_one_second_get_names_of_their_own(tmp_path):
    path = store_at(tmp_path)
    for _ in range(2):
        spoil(path)
        open_store(path, False, T0)[0].close()
    assert len(list(tmp_path.glob("*damaged*"))) == 2


def test_without_room_the_damaged_file_stays_and_what_was_set_aside_before_goes(tmp_path, monkeypatch):
    path = store_at(tmp_path)
    spoil(path)
    open_store(path, False, T0)[0].close()
    spoil(path)
    damaged = path.read_bytes()

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(rebuild, "_tidy", full)
        with pytest.raises(StoreError) as caught:
            open_store(path, False, T0)
    assert caught.value.key == "store-full"
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]
    assert path.read_bytes() == damaged
    store, _ = open_store(path, False, T0)
    assert people(store) == EVERYBODY
    store.close()


@pytest.mark.skipif(shutil.which("mount") is None or os.name == "nt" or os.geteuid() != 0, reason="needs a disk of its own: root")
def test_a_damaged_store_on_a_full_disk_heals_when_there_is_room(tmp_path):
    path = store_at(tmp_path)
    spoil(path)
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=300k none {small} 2>/dev/null"):
        pytest.skip("no disk of its own here: mount is not allowed")
    try:
        shutil.copy(path, small)
        stuffing = small / "stuffing"
        with stuffing.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(StoreError) as caught:
            open_store(small / "store.db", False, T0)
        assert caught.value.key == "store-full"
        stuffing.unlink()
        store, _ = open_store(small / "store.db", False, T0)
        assert people(store) == EVERYBODY
        store.close()
    finally:
        os.system(f"umount {small}")


# -- those who have to do with a store while it is made anew


def test_what_was_on_its_way_is_settled_by_its_names_not_by_numbers_of_the_old_store(tmp_path):
    store = Store(store_at(tmp_path))
    store.commit([Status("bahnhof", node, T0, {"uptime_s": 1, "boot": 1}) for node in (1, 2, 3)], T0)
    on_its_way = [ref for ref in store.waiting(2000) if ref.tags["node"] == "tr-000002"]
    store.read("DELETE FROM facts WHERE tags LIKE '%tr-000001%'")
    heal(store, T0)
    store.settle(on_its_way, SENT)
    sent = store.read("SELECT tags FROM facts WHERE state = ?", (SENT,))
    assert [("tr-000002" in tags) for (tags,) in sent] == [True]
    store.close()


def test_who_looks_on_sees_the_new_store(tmp_path):
    store = Store(store_at(tmp_path))
    reader = Reader(store.path)
    before = reader.version()
    heal(store, T0)
    store.commit([accept(900, T0 + 60 * 900, ab=9)], T0)
    assert reader.version() != before
    assert reader.newest(T0)[SERIES].from_s == T0 + 60 * 900
    reader.close()
    store.close()


def test_a_healing_that_the_disk_stopped_half_way_is_gone_on_with(tmp_path, monkeypatch):
    store = Store(store_at(tmp_path))
    real = Path.rename

    def refuse(self, target):
        if Path(target) == store.path:
            raise OSError(30, "Read-only file system")
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        for _ in range(2):
            with pytest.raises(StoreError):
                heal(store, T0)
    heal(store, T0)
    assert people(store) == EVERYBODY
    store.close()
