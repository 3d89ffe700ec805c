"""gateway.salvage: rows that are whole are found on any page in any order, and nothing else is."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Gap, Passport
from gateway.salvage import Salvage, is_log_broken, log_pages
from gateway.store import Store
from gateway.tables import PAGE_B
from tests.gateway.parts import INCARNATION, NODE, T0
from tests.gateway.test_store import accept

HEADER_B, FRAME_B = 32, 24 + PAGE_B
COLUMNS = {"series": "*", "bins": "*", "climate": "*", "facts": "*", "passports": "node, incarnation, passport, crc"}


def fill(store: Store, first: int, last: int) -> None:
    passport = Passport(NODE, INCARNATION, "0.1.0", "kit", "esp32", "radar", "sht4x")
    effects = [accept(seq, T0 + 60 * seq, ab=seq, climate=(2000, 100, 3)) for seq in range(first, last)]
    store.commit([passport, *effects, Gap("bahnhof", NODE, "silent", T0 + first, T0 + last, -1)], T0)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store.db")
    fill(store, 1, 400)
    yield store
    store.close()


def files(store: Store) -> tuple[bytes, bytes]:
    return store.path.read_bytes(), Path(f"{store.path}-wal").read_bytes()


def in_one_file(store: Store) -> list[bytes]:
    store.read("PRAGMA wal_checkpoint(TRUNCATE)")
    data = store.path.read_bytes()
    return [data[at : at + PAGE_B] for at in range(0, len(data), PAGE_B)]


def salvaged(pages: list[bytes]) -> dict[str, set]:
    found: dict[str, set] = {table: set() for table in COLUMNS}
    salvage = Salvage()
    for page in pages:
        for row in salvage.rows(page):
            found[row.table].add(row.values)
    return found


def kept(store: Store) -> dict[str, set]:
    return {
        table: set(store.read(f"SELECT {columns} FROM {'streams' if table == 'passports' else table}"))
        for table, columns in COLUMNS.items()
    }


def test_every_row_is_found_in_pages_of_any_order(store):
    pages = in_one_file(store)
    random.Random(1).shuffle(pages)
    assert salvaged(pages) == kept(store)
    assert all(kept(store).values())


def test_rows_stand_on_inner_pages_too(store):
    leaves = [page for page in in_one_file(store) if page[0] != 2]
    assert len(salvaged(leaves)["bins"]) < len(kept(store)["bins"])


def test_a_series_is_there_twice_on_pages_of_their_own(store):
    pages = [page for page in in_one_file(store) if salvaged([page])["series"]]
    assert len(pages) == 2
    assert salvaged(pages[:1])["series"] == salvaged(pages[1:])["series"] == kept(store)["series"]


def test_a_bit_in_a_row_costs_that_row_and_no_other(store):
    pages = in_one_file(store)
    rows = kept(store)
    number = next(number for number, page in enumerate(pages) if page[0] == 10 and len(salvaged([page])["bins"]) > 20)
    page = bytearray(pages[number])
    page[-3] ^= 4  # the end of the page is the end of its first row, and that of the row is its check
    salvage = Salvage()
    left = {row.values for row in salvage.rows(bytes(page))}
    assert len(salvaged([pages[number]])["bins"] - left) == 1
    assert left <= rows["bins"]
    assert salvage.broken == 1


@given(st.binary(max_size=300), st.integers(0, PAGE_B - 1), st.sampled_from([2, 5, 10, 13]))
def test_no_bytes_at_all_make_it_fail_or_believe(junk, at, kind):
    page = bytearray(PAGE_B)
    page[at : at + len(junk)] = junk
    page[0] = kind
    struct.pack_into(">H", page, 3, 500)
    assert list(Salvage().rows(bytes(page[:PAGE_B]))) == []


def test_a_page_that_is_cut_short_gives_nothing():
    assert list(Salvage().rows(b"\x0a\x00\x00")) == []


# -- the log


def test_all_frames_of_a_log_are_read_whatever_their_time(store):
    main, log = files(store)
    pages = list(log_pages(log))
    assert len(pages) == (len(log) - HEADER_B) // FRAME_B
    assert salvaged(pages)["bins"] == kept(store)["bins"]
    assert list(log_pages(log[:-1])) == pages[:-1]


def test_a_log_as_sqlite_leaves_it_is_whole_cut_anywhere(store):
    _, log = files(store)
    for end in range(0, len(log), 997):
        assert not is_log_broken(log[:end])
    assert not is_log_broken(log)


def test_a_log_that_began_anew_has_older_frames_behind_it_and_is_whole(store):
    store.read("PRAGMA wal_checkpoint(PASSIVE)")
    before = len(files(store)[1])
    store.commit([accept(500, T0)], T0)
    _, log = files(store)
    assert len(log) == before
    assert not is_log_broken(log)


@pytest.mark.parametrize("at", [0, 20, HEADER_B + 9, HEADER_B + 24, HEADER_B + 3000, HEADER_B + FRAME_B + 17])
def test_damage_before_a_commit_is_found(store, at):
    fill(store, 400, 440)
    log = bytearray(files(store)[1])
    log[at] ^= 1
    assert is_log_broken(bytes(log))


def test_a_transaction_without_its_end_is_no_damage(store):
    fill(store, 400, 440)
    log = bytearray(files(store)[1])
    torn = len(log) - FRAME_B
    log[torn + 24 + 100] ^= 1
    assert is_log_broken(bytes(log)), "the last frame says that a transaction ends there"
    log[torn : torn + 24] = bytes(24)
    assert not is_log_broken(bytes(log))
