"""tools.torture_core: fifty thousand operations in every run, and a core that counts wrong is found."""

from __future__ import annotations

import pytest

from tools import torture_core
from tools.core_forms import core


def test_fifty_thousand_operations_make_no_difference():
    assert torture_core.run(50_000, seed=1) == 50_000


def test_a_core_that_forgets_a_band_is_found(monkeypatch):
    panes = type(core("pure").WindowedCounter()._panes)
    cross = panes._cross
    monkeypatch.setattr(panes, "_cross", lambda self, band, *panes: band == 1 or cross(self, band, *panes))
    with pytest.raises(SystemExit, match="history 0 of seed 1 differs"):
        torture_core.run(2_000, seed=1)
