"""Every kit's firmware, composed by its own main.py, keeps its heap over thousands of beats; and what would not is found."""

import pytest

from tests.real_parts import needs
from tools import heap_cycles
from tools.board import kits
from tools.heap_cycles import GROWTH_B, Look, faults, main, run


@needs("micropython")
@pytest.mark.parametrize("kit", kits())
def test_twenty_thousand_beats_leave_the_heap_as_it_was(kit):
    looks, _ = run(kit, 20_000)
    assert [look.cycle for look in looks] == list(range(1000, 20_001, 1000))
    assert faults(looks) == []
    walks = 20_000 * 100 // 6000
    assert walks * 0.9 <= looks[-1].counted <= walks * 1.1  # the board's parts were heard and understood


@needs("micropython")
@pytest.mark.parametrize("kit", kits())
def test_a_node_on_the_air_keeps_its_heap_too(kit):
    looks, _ = run(kit, 20_000, is_on_air=True)
    assert faults(looks) == []
    assert looks[-1].sessions == 8  # of sixteen connections every other is a stranger's
    assert looks[-1].counted >= 20_000 * 100 // 6000 * 0.9


def looks(allocated=(100_000,) * 20, largest=(80_000,) * 20):
    return [Look(i, used, free, 90_000, 0) for i, (used, free) in enumerate(zip(allocated, largest, strict=True))]


def test_growth_is_found_but_not_what_settles_at_the_start():
    assert faults(looks()) == []
    assert faults(looks(allocated=[90_000, 95_000, *[100_000] * 18])) == []
    assert faults(looks(allocated=[100_000] * 19 + [100_000 + GROWTH_B])) == []
    assert faults(looks(allocated=[100_000] * 19 + [100_001 + GROWTH_B])) == [f"in use grew from 100000 to {100_001 + GROWTH_B} B"]


def test_a_heap_in_pieces_is_found_also_if_it_mends():
    assert faults(looks(largest=[80_000] * 10 + [44_999] + [80_000] * 9)) == ["the largest free block fell to 44999 B of 90000 B"]
    assert faults(looks(largest=[45_000] * 20)) == []


@pytest.mark.parametrize(("largest", "code"), [(80_000, 0), (20_000, 1)])
def test_the_exit_code_says_it(monkeypatch, capsys, largest, code):
    monkeypatch.setattr(heap_cycles.micropython, "find", lambda: "micropython")
    monkeypatch.setattr(heap_cycles, "run", lambda kit, cycles, is_on_air: (looks(largest=[largest] * 20), 50.0))
    assert main(["--kit", "school-pir", "--cycles", "20"]) == code
    assert "school-pir" in capsys.readouterr().out
