"""gateway.window, both forms: arguments that change what they are arguments of, a machine without memory, counters half made."""

from __future__ import annotations

import copy
import ctypes
import pickle
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.window import WindowedCounter
from tests.real_parts import needs
from tools.core_forms import FORMS, core

T0 = 1_800_000_000  # a UTC minute
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def counter(form: str) -> WindowedCounter:
    made = core(form).WindowedCounter((60, 180), 60, 2)
    made.advance(T0)
    return made


def everything(counter: WindowedCounter) -> list[Any]:
    return [(counter.query(i), counter.open(i)) for i in range(counter.series)]


class Calling:
    """An integer that does something when it is read."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self._number, self._act = number, act

    def __index__(self) -> int:
        self._act()
        return self._number


def test_a_column_that_is_written_to_while_others_are_read_reaches_no_foreign_memory(counter: WindowedCounter, form: str) -> None:
    series = array("q", [0, 1])
    starts = [T0 - 60, Calling(T0 - 60, lambda: series.__setitem__(1, 10**12))]
    if form == "pure":  # it has a copy
        assert counter.set_many(series, starts, [5, 6], [1, 1], [60, 60]).accepted == 2  # pyright: ignore[reportArgumentType]
        assert counter.query(1)[60] == (6, 1, 1.0)
    else:
        with pytest.raises(IndexError, match=r"series\[1\] = 1000000000000"):
            counter.set_many(series, starts, [5, 6], [1, 1], [60, 60])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("method", ["set_many", "add_many"])
def test_a_list_that_grows_while_it_is_read_is_as_long_as_what_was_read(counter: WindowedCounter, method: str) -> None:
    starts: list[Any] = [T0 - 60]
    starts.insert(0, Calling(T0 - 60, lambda: starts.append(T0 - 60) if len(starts) < 5 else None))
    columns = [[0, 0], starts, [1, 1], [1, 1], [60, 60]]
    before = everything(counter)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        getattr(counter, method)(*columns[: 5 if method == "set_many" else 4])
    assert everything(counter) == before


class Stale(Sequence[int]):
    """Says that it has one item, and gives three."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[int]:
        return iter([T0 - 60] * 3)

    def __getitem__(self, at: Any) -> Any:
        return T0 - 60


def test_a_sequence_that_lies_about_its_length_is_refused(counter: WindowedCounter) -> None:
    before = everything(counter)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        counter.set_many([0], Stale(), [1], [1], [60])
    assert everything(counter) == before


def test_series_that_are_added_while_a_single_record_is_read_do_no_harm(counter: WindowedCounter) -> None:
    counter.set(1, Calling(T0 - 60, lambda: counter.grow(500)), 3, Calling(4, lambda: counter.advance(T0 + 60)), 60)
    assert counter.series == 502
    assert counter.query(1) == {60: (0, 0, 0.0), 180: (3, 4, 60 / 180)}


@pytest.mark.parametrize("method", ["set_many", "add_many"])
@needs("pty")
def test_where_there_is_no_memory_for_large_counts_none_of_the_batch_enters(form: str, method: str) -> None:
    """In a process of its own, whose memory is limited."""
    columns = "[0, 1], [T0 - 60] * 2, [5, 70_000], [0, 0]" + (", [10, 10]" if method == "set_many" else "")
    code = f"""
import resource
from tools.core_forms import core
T0 = {T0}
counter = core({form!r}).WindowedCounter((60, 86400), 10, 1500)
counter.advance(T0)
before = counter.query(0), counter.query(1)
with open("/proc/self/statm") as file:
    in_use_b = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use_b + 40_000_000, resource.RLIM_INFINITY))
try:
    counter.{method}({columns})
except MemoryError:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("refused", (counter.query(0), counter.query(1)) == before)
counter.{method}({columns})
print(counter.query(0)[60][0], counter.query(1)[60][0])
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["refused True", "5 70000"]


def test_a_counter_that_was_never_made_says_so(form: str) -> None:
    kind = core(form).WindowedCounter
    for use in (lambda c: c.advance(T0), lambda c: c.corrections(), lambda c: c.grow(1), lambda c: c.query(0)):
        with pytest.raises((AttributeError, IndexError, TypeError)):
            use(kind.__new__(kind))


def test_a_counter_is_neither_copied_nor_pickled(counter: WindowedCounter) -> None:
    for twice in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            twice(counter)


def test_behind_a_large_count_batches_are_added_exactly_and_still_refused_where_they_overflow(counter: WindowedCounter) -> None:
    counter.set(0, T0 - 60, 65_536, 0, 60)
    counter.add_many([0, 1], [T0 - 60, T0 - 60], [1, 2], [3, 4])
    assert (counter.query(0)[60], counter.query(1)[60]) == ((65_537, 3, 1.0), (2, 4, 0.0))
    before = everything(counter)
    with pytest.raises(OverflowError):
        counter.add_many([1, 0], [T0 - 60, T0 - 60], [1, 2**32 - 65_537], [0, 0])
    assert everything(counter) == before


# -- what is said


def test_where_there_are_no_series_that_is_said(form: str) -> None:
    empty = core(form).WindowedCounter((60,), 60, 0)
    with pytest.raises(IndexError, match=r"^i = 0: expected nothing, since there is none$"):
        empty.query(0)
    with pytest.raises(IndexError, match=r"^series\[0\] = 0: expected nothing"):
        empty.set_many([0], [T0], [1], [1], [60])


def test_enormous_integers_are_named_by_their_size(counter: WindowedCounter) -> None:
    huge = 10**5000
    with pytest.raises(OverflowError, match="event_time = an integer of 16610 bits"):
        counter.add(0, huge, 1, 1)
    with pytest.raises(IndexError, match="i = an integer of 16610 bits"):
        counter.add(huge, T0, 1, 1)
    with pytest.raises(OverflowError, match=r"ab\[0\] = an integer"):
        counter.add_many([0], [T0], [huge], [1])
    with pytest.raises(OverflowError, match="n = an integer"):
        counter.grow(huge)


@pytest.mark.parametrize("kind", [ctypes.c_int8, ctypes.c_uint16, ctypes.c_int32, ctypes.c_uint32, ctypes.c_long, ctypes.c_uint64])
def test_columns_may_be_arrays_of_ctypes(counter: WindowedCounter, kind: Any) -> None:
    columns = [[0, 1], [T0 - 60, T0 - 60], [3, 4], [5, 6], [60, 30]]
    made = [(kind * 2)(*column) if column[0] < 100 else (ctypes.c_int64 * 2)(*column) for column in columns]
    assert counter.set_many(*made).accepted == 2
    assert (counter.query(0)[60], counter.query(1)[60]) == ((3, 5, 1.0), (4, 6, 0.5))


def test_columns_in_another_order_of_bytes_are_refused(counter: WindowedCounter) -> None:
    numpy = pytest.importorskip("numpy")
    foreign = numpy.array([0, 1], ">i8" if sys.byteorder == "little" else "<i8")
    with pytest.raises(TypeError, match="series has format"):
        counter.set_many(foreign, [T0, T0], [1, 1], [1, 1], [60, 60])
