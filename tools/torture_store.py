"""Damages copies of a store in every way a disk can, opens them, and says what became of each row.

Theory of operation
    A store is built in which rows of every kind grow through several revisions, on several pages, part of it still in the log.
    A case damages a copy and opens it. Then it must hold: it starts; each row whose newest revision stands on a page or in a
    frame that was not touched is there, with these values; no row has values that it never had.
    What a page held is read off the undamaged file by SQLite itself, page by page, and not by the code under test.
    Of the log only what SQLite would have read counts: up to the last commit of which anything is left, since a transaction
    without its end is one that never was.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import streetwire
from gateway.errors import EXIT_CHECK_FAILED, EXIT_OK, StoreDamaged
from gateway.healing import heal, open_store
from gateway.model import Accept, Effect, Gap, Passport, Series, Status
from gateway.store import SENT, Store
from gateway.tables import PAGE_B
from tools.amount import at_least

T0 = 1_800_000_000
NODE, INCARNATION = 0x51A000, 0x9A3F_11C2
NODES, MINUTES = 2, 50
LOG_ANEW_AT = 7  # of ten batches: then the log begins anew, and the rest of the one before it is behind
LOG_HEADER_B, FRAME_HEADER_B = 32, 24
FRAME_B = FRAME_HEADER_B + PAGE_B

Key = tuple[str, ...]
Values = tuple[object, ...]
Versions = dict[Key, list[Values]]  # every row with all values it ever had, the newest last


def snapshot(store: Store) -> dict[Key, Values]:
    """All rows that must survive, by what names them; how far they have got apart."""
    found: dict[Key, Values] = {}
    for bin_ in store.count_bins_since(0):
        found["bins", *_names(bin_.series), str(bin_.start_s)] = (
            bin_.period_s, bin_.ab, bin_.ba, bin_.covered_s, bin_.q, bin_.rev, bin_.incarnation, bin_.seq, bin_.untimed,
        )  # fmt: skip
    for climate in store.climate_since(0, 1 << 62):
        values = (climate.temperature_centi_sum, climate.humidity_half_sum, climate.n, climate.q, climate.rev)
        found["climate", *_names(climate.series), str(climate.start_s)] = values
    for row in store.read("SELECT measurement, tags, time, fields, rev, crc FROM facts"):
        measurement, tags, time_s, *values, _ = store.whole(row)
        found["facts", measurement, tags, str(time_s)] = tuple(values)
    return found


def _names(series: Series) -> tuple[str, str, str]:
    return series.site, series.node, series.sensor


# -- the store


class Sample:
    """A store's files as a power cut would leave them, everything its rows ever were, and where their newest values stand."""

    def __init__(self, folder: Path) -> None:
        path = folder / "sample.db"
        self.versions: dict[Key, set[Values]] = {}
        store, _ = open_store(path, False, T0)
        for number, effects in enumerate(_batches()):
            store.commit(effects, T0)
            store.settle(store.waiting(40), SENT)
            self.newest = snapshot(store)
            for key, values in self.newest.items():
                self.versions.setdefault(key, set()).add(values)
            if number == LOG_ANEW_AT:
                store.read("PRAGMA wal_checkpoint(PASSIVE)")
        self.main, self.log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        self._pages = _live_pages(self.main, self.log)
        self._pages_of = {key: self._pages_with(crc) for key, crc in _checks(store).items()}
        store.close()

    def _pages_with(self, crc: int) -> list[int]:
        # The check of a row's newest revision is on the page that holds it, and perhaps on one that held it before.
        sought = crc.to_bytes(4, "big")
        return [number for number, page in self._pages.items() if sought in page]

    def untouched(self, main: bytes, log: bytes) -> Iterator[Key]:
        """Rows that a store opened from these bytes must have, as they were last."""
        there = {main[at : at + PAGE_B] for at in range(0, len(main), PAGE_B)}
        end = _last_commit(log, self.log)
        frames = [log[at + FRAME_HEADER_B : at + FRAME_B] for at in range(LOG_HEADER_B, len(log), FRAME_B)]
        there |= set(frames[: end + 1])
        whole = {number for number, page in self._pages.items() if page in there}
        series = {key[1:]: pages for key, pages in self._pages_of.items() if key[0] == "series"}
        for key, pages in self._pages_of.items():
            has_series = key[0] == "facts" or any(page in whole for page in series.get(key[1:4], []))
            if key[0] != "series" and has_series and pages and whole.issuperset(pages):
                yield key


def _batches() -> Iterator[list[Effect]]:
    """Minutes of several nodes; some come in two records, some late."""
    numbers = Counter[int]()
    yield [Passport(NODE + n, INCARNATION + n, "1.0.0", "pavement-radar", "esp32", "ld2450", "sht45") for n in range(NODES)]
    for first in range(0, MINUTES, 5):
        effects: list[Effect] = []
        for minute in (*range(first, first + 5), max(0, first - 8), first):
            for node in range(NODES):
                numbers[node] += 1
                effects.append(_accept(node, numbers[node], T0 + minute * 60))
                if minute % 4 == node:
                    status: dict[str, int | float | str] = {"uptime_s": minute * 60, "boot": 1, "passport": "pavement-radar"}
                    effects.append(Status("bahnhof", NODE + node, T0 + minute * 60, status))
        effects.append(Gap("bahnhof", NODE, "silent", T0 + first * 60, T0 + first * 60 + 900, -1))
        yield effects


def _accept(node: int, seq: int, start: int) -> Accept:
    ab, ba = (seq * 7 + node) % 23, (seq * 5) % 19
    record = streetwire.Record(seq, 1, start, seq * 60, 30, ab, ba, seq * 11, seq * 9, 1850 + seq, 110, 3, 0)
    return Accept(NODE + node, INCARNATION + node, record, "bahnhof", start, "ld2450", "sht45", 0, (start + 61) * 1000)


def _checks(store: Store) -> dict[Key, int]:
    series = {id_: names for id_, *names in store.read("SELECT id, site, node, sensor FROM series")}
    found: dict[Key, int] = {("series", *names): crc for *names, crc in store.read("SELECT site, node, sensor, crc FROM series")}
    for table in ("bins", "climate"):
        for start, id_, crc in store.read(f"SELECT start, series, crc FROM {table}"):  # noqa: S608
            found[table, *series[id_], str(start)] = crc
    for measurement, tags, time_s, crc in store.read("SELECT measurement, tags, time, crc FROM facts"):
        found["facts", measurement, tags, str(time_s)] = crc
    return {key: crc for key, crc in found.items() if crc >= 1 << 24}  # a shorter number may be anywhere


def _live_pages(main: bytes, log: bytes) -> dict[int, bytes]:
    """Page number -> its bytes as SQLite would read them."""
    pages = {number: main[at : at + PAGE_B] for number, at in enumerate(range(0, len(main), PAGE_B), 1)}
    for at in range(LOG_HEADER_B, len(log), FRAME_B):
        if log[at + 8 : at + 16] != log[16:24]:  # of an older time
            break
        number = int.from_bytes(log[at : at + 4], "big")
        pages[number] = log[at + FRAME_HEADER_B : at + FRAME_B]
    return pages


def _last_commit(log: bytes, original: bytes) -> int:
    """Index of the last frame that still says that a transaction ends there, or might; -1 for none."""
    last = -1
    for index, at in enumerate(range(LOG_HEADER_B, len(log) - FRAME_B + 1, FRAME_B)):
        is_of_now = original[at + 8 : at + 16] == original[16:24]
        is_recognised = log[at + 8 : at + 12] != bytes(4) and log[at + 4 : at + 8] != bytes(4)
        if is_of_now and is_recognised:
            last = index
    return last


# -- what a disk does to it

Files = dict[str, bytearray]  # by the end of their names: "", "-wal", "-shm"


def _flip(files: Files, rng: random.Random) -> None:
    data = _one_of(files, rng)
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(files: Files, rng: random.Random) -> None:
    data = _one_of(files, rng)
    at = rng.randrange(len(data))
    size = min(len(data) - at, rng.choice((1, 4, 60, 512, PAGE_B, 3 * PAGE_B)))
    data[at : at + size] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def _page(files: Files, rng: random.Random) -> None:
    data = files[""]
    at = rng.randrange(max(1, -(-len(data) // PAGE_B))) * PAGE_B
    size = len(data[at : at + PAGE_B])
    data[at : at + size] = rng.choice((bytes(size), rng.randbytes(size)))


def _swap(files: Files, rng: random.Random) -> None:
    data = files[""]
    one, other = (rng.randrange(max(1, len(data) // PAGE_B)) * PAGE_B for _ in range(2))
    first, second = data[one : one + PAGE_B], data[other : other + PAGE_B]
    if len(first) == len(second):
        data[one : one + PAGE_B], data[other : other + PAGE_B] = second, first


def _truncate(files: Files, rng: random.Random) -> None:
    data = _one_of(files, rng)
    del data[rng.randrange(len(data)) :]


def _head(files: Files, rng: random.Random) -> None:
    data, size = _one_of(files, rng), rng.choice((4, 16, 32, 100))
    size = min(size, len(data))
    data[:size] = rng.choice((bytes(size), rng.randbytes(size)))


def _other_file(files: Files, rng: random.Random) -> None:
    name = rng.choice(("", "-wal", "-shm"))
    files[name][:] = rng.choice((b"", b"nothing of the kind\n" * 500, rng.randbytes(rng.randrange(1, 40_000))))


def _one_of(files: Files, rng: random.Random) -> bytearray:
    name = rng.choice(("", "", "-wal"))
    return files[name] or bytearray(1)  # nothing is left of it to be damaged


Damage = Callable[[Files, random.Random], None]
DAMAGES: tuple[Damage, ...] = (_flip, _flip, _overwrite, _page, _swap, _truncate, _head, _other_file)


# -- cases


def play(sample: Sample, folder: Path, rng: random.Random) -> tuple[str, list[str]]:
    """One case: (what was done, complaints)."""
    files: Files = {"": bytearray(sample.main), "-wal": bytearray(sample.log), "-shm": bytearray(b"\0" * 32_768)}
    damages = [rng.choice(DAMAGES) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    for damage in damages:
        damage(files, rng)
    path = folder / "store.db"
    for old in folder.iterdir():
        old.unlink()
    for end, data in files.items():
        Path(f"{path}{end}").write_bytes(data)
    what = "+".join(damage.__name__.strip("_") for damage in damages)
    try:
        store, _ = open_store(path, False, T0)
        try:
            found = _read(store)
        except StoreDamaged:
            heal(store, T0)
            found = _read(store)
        store.close()
    except Exception as error:  # whatever it is, it did not start
        return what, [f"{type(error).__name__}: {error}"]
    wrong = [f"false: {key} {values}" for key, values in found.items() if values not in sample.versions.get(key, ())]
    main, log = bytes(files[""]), bytes(files["-wal"])
    expected = list(sample.untouched(main, log))
    lost = [f"lost: {key} {sample.newest[key]}, found {found.get(key)}" for key in expected if found.get(key) != sample.newest[key]]
    return what, wrong + lost


def _read(store: Store) -> dict[Key, Values]:
    for read in (store.streams, store.silences, store.outbox_state, lambda: store.waiting(10_000)):
        read()
    return snapshot(store)


def main(words: list[str] | None = None) -> int:
    """Exit code 1 if any case has a complaint; one JSON document on stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=at_least(1), default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; a folder in memory is faster")
    chosen = parser.parse_args(words)
    began, played, failed = time.monotonic(), Counter[str](), {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        sample, folder = Sample(Path(name)), Path(name) / "case"
        folder.mkdir()
        for case in range(chosen.seed, chosen.seed + chosen.cases):
            what, complaints = play(sample, folder, random.Random(case))  # noqa: S311
            played.update(what.split("+"))
            if complaints:
                failed[case] = [what, *complaints[:3]]
    took_s = time.monotonic() - began
    about = {"cases": chosen.cases, "seed": chosen.seed, "rows": len(sample.newest), "pages": len(sample.main) // PAGE_B}
    about |= {"damages": played, "failed": len(failed), "took_s": round(took_s, 1)}
    print(json.dumps({**about, "first": dict(list(failed.items())[:8])}))
    return EXIT_CHECK_FAILED if failed else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
