"""tools.amount: a proof of nothing is no proof."""

from __future__ import annotations

import pytest

from tools import torture_store
from tools.amount import at_least


@pytest.mark.parametrize("words", [["--cases", "0"], ["--cases", "-1"], ["--cases", "x"]])
def test_no_case_is_a_mistake_in_the_words(words, capsys):
    with pytest.raises(SystemExit) as ended:
        torture_store.main(words)
    assert ended.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_the_least_is_enough():
    assert (at_least(1)("1"), at_least(0)("0")) == (1, 0)
