"""The record log in a slice of its real size: how far back it reaches, and what it costs the flash."""

import pytest
from ramflash import RamFlash

import streetwire
from node.log import RecordLog

SECTORS, SECTOR_SIZE = 160, 4096  # 640 KB
DAY = 1440  # records
TWO_WEEKS = 14 * DAY
CYCLES = 100_000  # erases that a sector of NOR flash stands


class Node:
    """A node that keeps a record a minute; `seqs` holds the number of each, oldest first."""

    def __init__(self):
        self.flash = RamFlash(SECTORS, SECTOR_SIZE)
        self.seqs = []
        self.index = {}
        self.boot()

    def boot(self):
        self.log = RecordLog(self.flash, lambda: 7)

    def live_a_minute(self):
        minute = len(self.seqs)
        record = streetwire.Record(0, 0, 60 * minute, minute, 60, 1, 0, minute, 0)
        self.log.append(record)
        self.index[record.seq] = minute
        self.seqs.append(record.seq)

    @property
    def held(self):
        return len(self.seqs) - self.index[self.log.first_held]


def test_two_weeks_are_held_even_right_after_a_sector_was_given_up():
    node = Node()
    fewest = 2 * TWO_WEEKS
    for minute in range(3 * TWO_WEEKS):
        if minute % DAY == 700:
            node.boot()
        erases = node.log.erases
        node.live_a_minute()
        if minute > TWO_WEEKS and node.log.erases > erases:
            fewest = min(fewest, node.held)
    assert fewest >= TWO_WEEKS
    node.boot()
    found = []
    record = node.log.next_after(0)
    while record is not None:
        found.append(record.seq)
        record = node.log.next_after(record.seq)
    assert found == node.seqs[-node.held :]
    assert len(found) >= TWO_WEEKS


@pytest.mark.parametrize("boots_a_day", [1, 96])
def test_no_sector_is_erased_more_than_once_a_day_and_the_flash_outlives_ten_years(boots_a_day):
    node = Node()
    days = 30
    for _ in range(days):
        before = list(node.flash.erased)
        for minute in range(DAY):
            if minute % (DAY // boots_a_day) == 0:
                node.boot()
            node.live_a_minute()
        assert max(now - then for now, then in zip(node.flash.erased, before, strict=True)) <= 1
    assert sum(node.flash.erased) >= days * DAY // 127
    assert max(node.flash.erased) / days * 3650 <= CYCLES / 100  # a hundredth of what it stands
    assert node.flash.programmed_twice == 0
