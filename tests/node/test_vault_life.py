"""Boots with cuts as many as a node will never see."""

from test_vault import many_boots

BOOTS = 1_000_000


def test_a_million_boots_with_cuts_repeat_no_number():
    assert many_boots(BOOTS, 1) > BOOTS
