# How many pass: above what flow a detector says that it undercounts, and how soon.

from node.passage.flow import Flow


def after(minutes, per_h, flow, step_ms=100):
    """The flow after so many minutes of passages at equal distances."""
    every_ms = 3600000 // per_h
    next_ms = every_ms
    for ms in range(0, minutes * 60000, step_ms):
        flow.pass_time(step_ms)
        if ms >= next_ms:
            flow.add()
            next_ms += every_ms
    return flow


def test_a_flow_above_the_most_is_said_and_one_below_never():
    for step_ms in (10, 20, 100, 250):
        assert not after(20, 950, Flow(1000), step_ms).is_above, step_ms
        assert after(20, 1060, Flow(1000), step_ms).is_above, step_ms


def test_it_is_said_within_minutes_and_forgotten_within_minutes():
    flow = after(3, 2000, Flow(1000))
    assert flow.is_above
    for _ in range(1800):
        flow.pass_time(100)
    assert not flow.is_above


def test_its_numbers_stay_small():
    flow = Flow(5000)
    largest = 0
    for i in range(20000):
        flow.pass_time(20)
        if i % 25 == 0:  # two a second
            flow.add()
        largest = max(largest, flow._sum)
    assert largest * 350 < 1 << 30
