"""`bench core` and `bench batch`: contenders give the answers of brute force, every goal has its row. How fast, no test says."""

from __future__ import annotations

import json
import math
import subprocess
from array import array
from dataclasses import replace

import pytest

from gateway.words import Say
from tools import bench_table, cli, compile_core, terminal
from tools.bench import (
    amounts,
    batch,
    batch_peers,
    bulk,
    bulk_peers,
    drain,
    floors,
    goals,
    growth,
    live,
    live_peers,
    memory,
    packages,
    report,
    traces,
    turns,
)

STREET = replace(live.CHECKED, per_day=300)
PEERS = {peer.name: peer for peer in live_peers.PEERS}
OURS = {peer.name: peer for peer in (live_peers.OURS, live_peers.PURE)}
needs_compiler = pytest.mark.skipif(not compile_core.is_possible(), reason="there is no C compiler")


@pytest.fixture(autouse=True)
def as_before():
    yield
    terminal.shared.language, terminal.shared.json = "en", False


@pytest.fixture
def small(monkeypatch):
    """The same benches in seconds."""
    monkeypatch.setattr(live, "STREET", traces.Street(nodes=20, per_day=100))
    monkeypatch.setattr(live, "CHECKS", 20)
    monkeypatch.setattr(bulk, "CITY_NODES", 300)
    monkeypatch.setattr(growth, "CALLS", 100)
    monkeypatch.setattr(growth, "TURNS", 1)
    shortest = {name: dict(list(sizes.items())[:2]) for name, sizes in growth.SWEEPS.items()}
    monkeypatch.setattr(growth, "SWEEPS", shortest)
    monkeypatch.setattr(growth, "IN_CACHE", shortest["lateness"])
    monkeypatch.setattr(memory, "SERIES", {60: 200, 10: 50})


@pytest.fixture
def nobody_here(monkeypatch):
    """No contender's package is installed."""

    def load(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(packages, "load", load)


def here(names: tuple[str, ...]) -> None:
    """Skips where a package is missing that only contenders need: `python3 tools/go.py bench core` gets them."""
    for name in names:
        pytest.importorskip(name)


# -- answers


@needs_compiler
@pytest.mark.parametrize("peer", [*OURS.values(), *PEERS.values()], ids=lambda peer: peer.name)
def test_who_answers_live_answers_as_brute_force_does(peer):
    here(peer.packages)
    assert live.wrong_answers(peer, replace(STREET, late=0) if peer.is_in_order_only else STREET, 80) == 0


@pytest.mark.parametrize("name", ["deque", "river"])
def test_who_is_timed_in_order_only_is_wrong_with_late_records(name):
    here(PEERS[name].packages)
    assert PEERS[name].is_in_order_only
    assert live.wrong_answers(PEERS[name], STREET, 80) > 0


def test_brute_force_adds_up_by_hand():
    brute = live_peers.BruteForce(2)
    brute.advance(traces.START_S + 120)
    for record in ((0, traces.START_S + 110, 1, 2), (0, traces.START_S + 50, 10, 20), (1, traces.START_S + 110, 5, 5)):
        brute.add(*record)
    assert brute.read(0, array("q")) == [1, 2, 11, 22, 11, 22, 11, 22, 11, 22]


def test_who_is_wrong_is_told_and_not_timed():
    class Liar(live_peers.BruteForce):
        def read(self, node: int, out: array) -> list[int]:
            return [count + 1 for count in super().read(node, out)]

    answers = live.Answers([live_peers.Peer("liar", Liar)], 10)
    assert answers.why["liar"] == Say("bench.wrong", {"wrong": 10, "checked": 10})


def test_who_goes_wrong_while_it_is_timed_is_told():
    class Tired(live_peers.BruteForce):
        def read(self, node: int, out: array) -> list[int]:
            return [count + (self._boundary > traces.START_S + 90_000) for count in super().read(node, out)]

    history, rest = live.split(STREET.ticks(live.CHECKED_S), traces.DAY_S)
    peer = live_peers.Peer("tired", Tired)
    answers, runner = live.Answers([], 0), live.Runner(peer, STREET.nodes, history, rest)
    assert runner.wrong_answers(5) == 0
    runner.turn(60)
    live._check_again({"tired": runner}, answers)
    assert answers.why["tired"] == Say("bench.wrong", {"wrong": live.CHECKS_AGAIN, "checked": live.CHECKS_AGAIN})


def loads() -> list[bulk.Load]:
    day = traces.bulk(3000, 7, 60)
    return [
        bulk.Load("bulk", 7, 60, [day]),
        bulk.Load("backfill", 7, 60, [traces.backfill(50, day, 1), traces.backfill(50, day, 2)], held=day),
    ]


@needs_compiler
@pytest.mark.parametrize("load", loads(), ids=["onto nothing", "onto a day"])
@pytest.mark.parametrize("name", ["ours", *bulk_peers.PEERS])
def test_who_takes_batches_answers_as_brute_force_does(load, name):
    make, needed = bulk_peers.PEERS.get(name, (bulk_peers.Core, ()))
    here(needed)
    contender = bulk.Contender(load, make)
    assert contender.first_answers() == load.truth()
    for _ in range(3):
        assert contender.turn() > 0
    assert contender.answers() == load.truth(3)
    assert (load.truth(1) != load.truth()) == (load.held is not None)


def test_of_records_sent_again_the_last_one_counts():
    columns = [array("q", column) for column in ([0, 0, 1], [traces.START_S] * 3, [1, 4, 2], [0, 5, 0], [60, 60, 60])]
    brute = bulk_peers.BruteForce(2, 60)
    brute.bring(traces.Bulk(2, 60, traces.START_S + 60, *columns))
    assert brute.take() == [4, 5, 60] * 5 + [2, 0, 60] * 5


class Once(bulk_peers.BruteForce):
    """Right about the day and the first batch onto it, and deaf to the others."""

    batches = 0

    def bring(self, batch: traces.Bulk) -> None:
        self.batches += 1
        if self.batches <= 2:
            super().bring(batch)


@needs_compiler
def test_a_batch_contender_that_goes_wrong_while_it_is_timed_is_told(monkeypatch):
    monkeypatch.setattr(bulk, "PEERS", {"pandas": (Once, ())})
    load = loads()[1]
    assert bulk.compete(load)[1] == {}
    found = bulk.race(load, 1, {})["backfill pandas"]
    assert found.figure is None
    assert found.why is not None
    assert found.why.values["checked"] == 7 * 5 * 3


def test_a_result_is_corrected_from_the_first_change_to_the_last_window_that_holds_one():
    start, now = traces.START_S, traces.START_S + traces.DAY_S
    before, after = (
        traces.Bulk(3, 60, now, *(array("q", column) for column in columns))
        for columns in (
            ([0, 1, 1], [start] * 2 + [start + 60], [1, 2, 3], [0, 0, 0], [60, 60, 60]),
            ([0, 1, 1], [start, start + 60, start + 600], [1, 4, 0], [0, 0, 0], [60, 60, 60]),
        )
    )
    assert drain.hulls(after, before) == [
        (1, window_s, start + 120, min(start + 600 + window_s, now)) for window_s in traces.WINDOWS_S
    ]
    assert {node for node, *_ in drain.hulls(after, None)} == {0, 1}


@needs_compiler
def test_corrections_that_are_timed_are_those_of_brute_force(monkeypatch):
    day = traces.bulk(3000, 7, 60)
    for batches, held in (([day], None), ([traces.backfill(50, day, 1)], day), ([traces.each_node(day, 1)], day)):
        assert drain.draining(day, batches, held, 2).figure > 0
    monkeypatch.setattr(drain, "hulls", lambda batch, held: [])
    with pytest.raises(AssertionError, match="names what has changed"):
        drain.draining(day, [day], None, 1)


@needs_compiler
def test_what_has_grown_still_counts_rightly():
    for size in (growth.Size((1, 5, 60), nodes=3, late=40), growth.Size((2, 30), gap=7)):
        walk = growth.Walk(size, growth.core("compiled").WindowedCounter)
        walk.turn()
        assert walk.is_right()
        walk.turn()
        walk._counter.add(0, walk._now - 1, 1, 0)
        assert not walk.is_right()


@needs_compiler
def test_a_batch_contender_that_is_wrong_is_told_and_not_timed(monkeypatch):
    class Liar(bulk_peers.BruteForce):
        def answers(self, taken: list[int]) -> list[int]:
            return [count + 1 for count in taken]

    monkeypatch.setattr(bulk, "PEERS", {"pandas": (Liar, ())})
    right, found = bulk.compete(loads()[0])
    assert set(right) == {"ours"}
    assert found["bulk pandas"].why == Say("bench.wrong", {"wrong": 7 * 5 * 3, "checked": 7 * 5 * 3})


@needs_compiler
@pytest.mark.parametrize("name", ["column", "anew", "table", *batch_peers.PEERS])
def test_rolling_sums_are_those_of_plain_addition(name):
    columns = batch.street(1600, 3)
    own = {"column": batch.ByColumn, "anew": batch.ByColumnAnew, "table": batch.Table}
    make, needed = (own[name], ()) if name in own else batch_peers.PEERS[name][:2]
    here(needed)
    summer = make(columns)
    assert batch.wrong_sums(summer, summer.take(), columns) is None
    wrong = batch.wrong_sums(summer, summer.take(), [columns[0], columns[2], columns[1]])  # the check itself tells series apart
    assert wrong is not None
    assert 1000 < wrong.values["wrong"] <= wrong.values["checked"] == 3 * 5 * 1600


def test_sums_that_go_wrong_in_the_last_turn_are_told():
    class Tired:
        takes = 0

        def __init__(self, columns: batch_peers.Columns) -> None:
            self._columns = columns

        def take(self) -> batch_peers.Columns:
            self.takes += 1
            return self._columns

        def sums(self, taken: list, series: int, window: int) -> list[int]:
            span, column, error = batch_peers.SPANS[window], taken[series], self.takes > 2
            return [sum(column[max(0, row + 1 - span) : row + 1]) + error for row in range(len(column))]

    columns = batch.street(40, 2)
    contender = batch.Contender(Tired(columns), columns, 2)
    assert (contender.wrong, contender.turn() > 0, contender.wrong) == (None, True, None)
    contender.turn()
    assert contender.wrong == Say("bench.wrong", {"wrong": 400, "checked": 400})


# -- the streets


def test_a_street_is_as_late_and_as_busy_as_it_says_and_the_same_again():
    street = traces.Street(nodes=10, per_day=500, late=0.1)
    ticks = street.ticks(2 * traces.DAY_S)
    ages = [(boundary - pane) // traces.LIVE_PANE_S for boundary, records in ticks for _, pane, _, _ in records]
    assert ticks == street.ticks(2 * traces.DAY_S)
    assert len(ages) == pytest.approx(10_000, abs=1)
    assert min(ages) == 1
    assert sum(age > 1 for age in ages) / len(ages) == pytest.approx(0.1, abs=0.02)
    assert max(ages) < traces.DAY_S // traces.LIVE_PANE_S


def test_a_batch_holds_late_records_and_records_sent_again():
    batch_ = traces.bulk(20_000, 10, 60)
    places = list(zip(batch_.node, batch_.pane_start, strict=True))
    assert len(batch_) == 20_000
    assert len(set(places)) == 10 * traces.DAY_S // 60  # every pane of the day
    assert batch_.now == max(batch_.pane_start) + 60
    newest, late = 0, 0
    for pane in batch_.pane_start:
        newest = max(newest, pane)
        late += pane < newest
    assert late / len(batch_) > traces.LATE


# -- figures


def test_the_exponent_is_the_slope_of_the_logarithms():
    sizes = [1, 10, 100, 1000]
    for slope in (0, 0.5, 1, -0.25):
        assert turns.exponent(sizes, [3e-6 * size**slope for size in sizes]) == pytest.approx(slope)


def test_a_ratio_is_taken_within_a_turn():
    assert turns.ratio({"a": [4, 40, 4], "b": [2, 10, 2]}, "a", "b") == 2


def test_half_of_the_turns_lie_between_the_quartiles():
    assert turns.quartiles([5, 1, 4, 2, 3]) == (2, 4)
    assert turns.quartiles([7]) == (7, 7)
    found = goals.compare({"a": [4, 6, 10, 12, 8], "b": [2] * 5}, "a", "b")
    assert (found.figure, found.quartiles) == (4, (3, 5))


def test_turns_alternate():
    order: list[str] = []
    times = turns.alternate({name: lambda name=name: order.append(name) or math.pi for name in "ab"}, 3)
    assert "".join(order) == "ababab"
    assert times == {"a": [math.pi] * 3, "b": [math.pi] * 3}


def test_99_of_100_do_not_exceed_it():
    assert turns.p99(list(range(1, 1001))) == 990
    assert turns.p99([7]) == 7


@needs_compiler
def test_the_floors_do_the_least_and_do_it_rightly():
    cells = array("H", [0]) * 3
    floors.floor().add_numbers(array("q", [0, 2, 0]), array("q", [5, 6, 7]), cells)
    assert list(cells) == [12, 0, 6]
    source = array("q", range(5000))
    out = batch.table_of(2 * 5000, (2, 5000))
    floors.floor().spread(source, out)
    assert out.tolist() == [source.tolist()] * 2


@needs_compiler
@pytest.mark.skipif(not memory.STATM.exists(), reason="reads /proc")
def test_memory_is_that_of_the_compiled_core_or_of_none(small, tmp_path, monkeypatch):
    found = memory.measure()["memory-60-b"]
    assert found.note is not None
    assert found.note.values["more"] > found.note.values["filled"] >= found.note.values["made"] > 0
    monkeypatch.setattr(memory, "compiled_folder", lambda: tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        memory.measure()


# -- goals and rows


def test_a_figure_meets_its_goal_at_the_bound_and_a_missing_one_neither_meets_nor_misses():
    goal = goals.Goal("live", "deque", least=4)
    most = goals.Goal("pure", "deque", most=4)
    assert [goal.is_met(figure) for figure in (3.9, 4, 5)] == [False, True, True]
    assert [most.is_met(figure) for figure in (3.9, 4, 5)] == [True, True, False]
    found = goals.rows((goal, most), {goal.key: goals.Finding(3.99), most.key: goals.Finding(why=Say("bench.no-compiler"))})
    assert [(row["figure"], row["met"]) for row in found] == [(3.99, False), (None, None)]


def test_what_has_no_goal_is_told_and_not_judged():
    free = goals.Goal("bulk", "numpy")
    (row,) = goals.rows((free,), {free.key: goals.Finding(0.5)})
    assert (row["met"], report.bound(row), report.verdict(row), report.figure(row)) == (None, "", "", "0.50")
    (row,) = goals.rows((free,), {free.key: goals.Finding(why=Say("bench.no-compiler"))})
    assert report.verdict(row) == "not measured"


def call(capsys, *words: str) -> tuple[int, dict]:
    code = cli.main(["--json", "bench", *words])
    return code, json.loads(capsys.readouterr().out)


def complete(result: dict, expected: tuple[goals.Goal, ...]) -> None:
    """A row for each goal, with its bound, and a figure or the reason why there is none."""
    assert [(row["goal"], row["least"], row["most"]) for row in result["rows"]] == [(g.key, g.least, g.most) for g in expected]
    for row in result["rows"]:
        assert (row["figure"] is None) == (row["why"] is not None)
        assert (row["met"] is None) == (row["figure"] is None or not report.asks(row))
        assert row["unit"] in ("ratio", "exponent", "us", "B")
        assert row["figure"] is None or row["unit"] == "B" or row["quartiles"][0] <= row["figure"] <= row["quartiles"][1]
    assert sum(result["goals"].values()) == sum(map(report.asks, result["rows"]))
    assert result["ok"] == all(row["met"] is not False for row in result["rows"])
    assert set(result["machine"]) == {"cpu", "cores", "python", "compiler", "load", "load_after"}


@needs_compiler
def test_bench_core_has_a_row_for_each_goal(capsys, small):
    code, result = call(capsys, "core", "--records", "1000", "--turns", "1")
    complete(result, goals.CORE)
    assert code == (0 if result["ok"] else 1)
    missing = {row["goal"].split()[1] for row in result["rows"] if row["figure"] is None}
    assert missing == {name for name in ("river", "polars", "pandas", "numpy") if packages.lack((name,))}


@needs_compiler
def test_bench_batch_has_a_row_for_each_goal(capsys):
    code, result = call(capsys, "batch", "--rows", "1000", "--turns", "1")
    complete(result, goals.BATCH)
    assert (code, result["minutes"], result["turns"]) == (0 if result["ok"] else 1, 1000, 1)
    assert "a goal met or missed here says little" in result["caution"]


@needs_compiler
def test_a_contender_that_is_not_installed_is_named_with_what_gets_it(capsys, small, nobody_here):
    for words, expected in ((("core", "--records", "1000"), goals.CORE), (("batch", "--rows", "1000"), goals.BATCH)):
        _, result = call(capsys, *words, "--turns", "1")
        complete(result, expected)
        told = {row["goal"]: row["why"] for row in result["rows"] if row["why"]}
        assert {goal.split()[1] for goal in told} <= {"river", "polars", "pandas", "groupby", "numpy"}
        assert all(f"python3 tools/go.py bench {words[0]}" in why for why in told.values())
        assert len(told) >= 3


def test_without_a_compiler_the_uncompiled_rows_are_measured(capsys, small, nobody_here, monkeypatch):
    monkeypatch.setattr("tools.bench_core.lack_of_compiler", lambda: Say("bench.no-compiler"))
    monkeypatch.setattr("tools.bench_batch.lack_of_compiler", lambda: Say("bench.no-compiler"))
    _, result = call(capsys, "core", "--records", "1000", "--turns", "1")
    complete(result, goals.CORE)
    assert {row["goal"] for row in result["rows"] if row["met"] is not None} >= {"pure deque", "pure-p99-us"}
    assert {row["why"] for row in result["rows"] if row["goal"].startswith(("call", "growth", "drain", "memory"))} == {
        "the core is not compiled here: it takes a C compiler"
    }
    code, result = call(capsys, "batch", "--turns", "1")
    complete(result, goals.BATCH)
    assert code == 0


def test_a_missed_goal_is_a_failed_check(capsys):
    goal = goals.Goal("live", "deque", least=4)
    about = turns.machine()
    assert report.report((goal,), {goal.key: goals.Finding(3)}, about, turns=9) == 1
    told = capsys.readouterr().out
    assert "MISSED" in told
    assert told.endswith("Goals: 0 met, 1 missed, 0 not measured. The exit code is 1 where one is missed.\n")
    assert report.report((goal,), {goal.key: goals.Finding(5)}, about, turns=8) == 0
    assert "Goals: 1 met, 0 missed" in (told := capsys.readouterr().out)
    assert "Caution" in told


def test_a_note_has_its_numbers_as_the_reader_writes_them():
    note = Say("bench.batch-limits", {"anew": 2.5, "floor": 40.0})
    assert "2.50 times" in report.told_of(note)
    terminal.shared.language = "de"
    assert report.told_of(note).startswith("2,50-mal, wo")
    assert "40-mal" in report.told_of(note)


@pytest.mark.parametrize(("language", "met", "figure"), [("en", "met", "0.04"), ("de", "erreicht", "0,04")])
def test_every_row_has_its_words_in_each_language(language, met, figure):
    terminal.shared.language = language
    found = {goal.key: goals.Finding((goal.most or 0) * 0.8 if goal.most else goal.least or 1, (0.5, 1234567)) for goal in ALL}
    counts = dict.fromkeys(report.VERDICTS, 1)
    about = {**turns.machine(), "load_after": 0.0}
    result = {"machine": about, "packages": {}, "rows": goals.rows(ALL, found), "goals": counts, "caution": None, **amounts.FULL}
    lines = report.text(result).splitlines()
    assert sum(line.endswith("  " + met) for line in lines) == sum(goal.least != goal.most for goal in ALL)
    assert figure in report.text(result)
    assert max(map(len, lines)) <= report.WIDTH


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("core", "--records", "999"), "1000 to 1000000"),
        (("core", "--turns", "0"), "1 to 1000"),
        (("batch", "--rows", "2000001"), "1000 to 2000000"),
        (("batch", "--turns", "1001"), "1 to 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(words, expected, capsys):
    assert cli.main(["bench", *words]) == 2
    assert expected in capsys.readouterr().err


# -- the table in the README

ALL = goals.CORE + goals.BATCH


def table_rows(text: str) -> list[list[str]]:
    between = text.partition(bench_table.BEGIN)[2].partition(bench_table.END)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in between.splitlines() if line.startswith("| ")][2:]


def test_the_readme_has_a_row_for_each_goal():
    found = {row[0]: row for row in table_rows(bench_table.README.read_text(encoding="utf-8"))}
    for row in goals.rows(ALL, {goal.key: goals.Finding() for goal in ALL}):
        _, goal, figure, _, verdict, *_ = found[report.describe(row)]
        assert goal == report.bound(row)
        if verdict not in ("not measured", ""):
            number, (sign, bound) = float(figure), goal.split()
            assert verdict == ("met" if (number >= float(bound) if sign == "≥" else number <= float(bound)) else "MISSED")
    assert len(found) == len(ALL)


def test_the_table_is_written_between_its_marks_and_nowhere_else(tmp_path, monkeypatch):
    row = {"goal": "live deque", "least": 4, "most": None, "figure": 5.5, "quartiles": [5, 6], "met": True}
    row |= {"why": None, "note": None}
    about = {"cpu": "Z80", "cores": 1, "python": "CPython 3.11", "compiler": None, "load": 0.1}
    monkeypatch.setattr(bench_table, "run", lambda bench, turns: {"machine": about, "packages": {bench: "1"}, "rows": [row]})
    monkeypatch.setattr(bench_table, "README", tmp_path / "README.md")
    bench_table.README.write_text(f"before\n{bench_table.BEGIN}\nold\n{bench_table.END}\nafter\n")
    for _ in range(2):
        bench_table.main(["--turns", "1"])
        text = bench_table.README.read_text()
        assert text.startswith(f"before\n{bench_table.BEGIN}\nZ80, 1 cores, load 0.1 at the start")
        assert text.endswith(f"|\n{bench_table.END}\nafter\n")
        assert [row[2:5] for row in table_rows(text)] == [["5.50", "5 to 6", "met"]] * 2
    with pytest.raises(ValueError, match="expected <!--"):
        bench_table.renewed("no marks", "x")
