# Which runs of two sides are one body: the rules that streams of readings reach only by chance.

from dialect import ticks_add, ticks_diff

from node.passage.run_pairs import AB, BA, LONGEST_MS, RUNS, RunPairs

STEP_MS = 20


def passages(*runs, until=None):
    """Of runs (side, from ms, to ms, range), told as they happen; sides 300 mm apart. Until 3 s after the last or as given."""
    told = []
    pairs = RunPairs(300, lambda ticks, direction: told.append(direction), ticks_diff, ticks_add)
    for ms in range(0, until or max([end for _, _, end, _ in runs]) + 3000, STEP_MS):
        for side, start, end, range_mm in runs:
            if start <= ms < start + STEP_MS:
                pairs.begin(side, ms)
            if end <= ms < end + STEP_MS:
                pairs.end(side, ms, range_mm)
        pairs.settle(ms)
    return told


def test_a_pair_is_alike_in_range():
    assert passages((0, 0, 300, 1000), (1, 200, 500, 1400)) == [AB]
    assert passages((0, 0, 300, 1000), (1, 200, 500, 1420)) == []


def test_a_pair_is_alike_in_duration():
    alike = ((0, 0, 300, 1000), (1, 200, 1400, 1000))
    assert passages(*alike) == [AB]
    nearer_in_range = (1, 100, 2200, 1000)  # but seven times as long
    assert passages((0, 0, 300, 1000), nearer_in_range, (1, 2300, 2500, 1000)) == [AB]
    assert passages((1, 0, 1300, 1000), (0, 200, 1500, 1000)) == [BA]


def test_who_stood_in_one_beam_has_crossed_where_the_short_run_says():
    for first, direction in ((0, AB), (1, BA)):
        other = 1 - first
        assert passages((first, 0, 300, 1000), (other, 250, 9000, 1000)) == [direction]  # stood behind the line
        assert passages((first, 0, 9000, 1000), (other, 8950, 9250, 1000)) == [direction]  # and before it
        assert passages((first, 0, 300, 1000), (other, 1300, 9000, 1000)) == []  # came by another way
        assert passages((first, 0, 300, 1000), (other, -200, 9000, 1000)) == []  # was there first, and stayed
        # Left again the way he came.
        assert passages((first, 0, 300, 1000), (other, 250, 9000, 1000), (first, 8900, 9300, 1000)) == []


def test_while_somebody_stands_the_other_side_sees_many():
    behind = [(0, at, at + 300, 2000) for at in range(1000, 9800, 880)]  # hidden from side 1
    assert len(behind) == RUNS - 2
    assert passages((0, 0, 300, 1000), (1, 250, 10000, 1000), *behind) == [AB]


def test_an_unknown_range_fits_any():
    assert passages((0, 0, 300, 0), (1, 200, 500, 3500)) == [AB]
    assert passages((0, 0, 300, 0), (1, 200, 500, 0)) == [AB]
    # What is known fits better.
    assert passages((0, 0, 300, 3000), (1, 200, 500, 0), (1, 240, 540, 3000), (0, 600, 900, 0), until=4000) == [AB, BA]


def test_a_pair_lags_by_what_walking_takes():
    assert passages((0, 0, 300, 1000), (1, 1000, 1300, 1000)) == [AB]
    assert passages((0, 0, 300, 1000), (1, 1020, 1320, 1000)) == []
    assert passages((0, 0, 300, 1000), (1, 60, 360, 1000)) == [AB]
    assert passages((0, 0, 300, 1000), (1, 40, 340, 1000)) == []


def test_coming_and_going_lag_the_same_way():
    assert passages((0, 0, 1000, 1000), (1, 300, 700, 1000)) == []
    assert passages((0, 0, 1000, 1000), (1, 100, 700, 1000)) == []


def test_who_lingers_behind_the_line_and_turns_back_is_waited_for():
    assert passages((0, 0, 500, 1000), (1, 200, 3000, 1000), (0, 2800, 3400, 1000)) == []
    assert passages((1, 0, 500, 1000), (0, 200, 3000, 1000), (1, 2800, 3400, 1000)) == []


def test_the_best_pairs_come_first():
    assert passages((0, 0, 300, 1000), (1, 200, 500, 1000), (0, 700, 1000, 1000), (1, 900, 1200, 1000)) == [AB, AB]


def test_a_nearer_run_without_partner_was_not_hidden():
    assert passages((0, 0, 300, 2000), (1, 200, 500, 2000), (0, 320, 460, 2600)) == [AB, AB]
    assert passages((0, 0, 300, 2000), (1, 200, 500, 2000), (0, 320, 460, 1400)) == [AB]


def test_what_stands_for_longer_than_anybody_is_nobody():
    assert passages((0, 0, LONGEST_MS, 1000), (1, 200, LONGEST_MS + 200, 1000)) == [AB]
    assert passages((0, 0, LONGEST_MS + STEP_MS, 1000), (1, 200, LONGEST_MS + 220, 1000)) == []


def test_a_run_that_is_open_is_waited_for_while_it_may_be_somebody():
    runs = ((0, 0, 300, 1000), (1, 200, 500, 1000), (0, 600, 9 * LONGEST_MS, 1000))
    assert passages(*runs, until=LONGEST_MS) == []
    assert passages(*runs, until=LONGEST_MS + 2000) == [AB]


def test_more_runs_than_slots_give_up_the_oldest():
    alone = [(0, 100 * i, 100 * i + 40, 1000) for i in range(3 * RUNS)]
    last = 300 * RUNS
    assert passages(*alone, (0, last, last + 300, 2500), (1, last + 200, last + 500, 2500)) == [AB]


def test_a_third_run_that_is_nobodys_way_back_leaves_a_pair_alone():
    pair = ((0, 400, 640, 1966), (1, 600, 840, 1995))
    assert passages(*pair) == [AB]
    assert passages(*pair, (1, 300, 420, 0)) == [AB]  # of an unknown range
    assert passages(*pair, (1, 290, 350, 2000)) == [AB]  # much shorter
