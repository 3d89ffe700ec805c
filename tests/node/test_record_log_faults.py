# The record log on flash that fails: power cuts at every byte, flipped bits, worn cells, calls that return an error.

from dialect import Chance, raises
from ramflash import PowerCut, RamFlash

import streetwire
from node.log import LogError, RecordLog

SECTOR = 7  # records in a sector of 256 bytes
ENTRY = 32


def opened(flash, incarnation=7):
    return RecordLog(flash, lambda: incarnation)


def minute(n):
    return streetwire.Record(0, 0, n * 60, n, 60, n % 4096, 0, n, 0)


def fill(log, first, n):
    given = {}
    for i in range(first, first + n):
        record = minute(i)
        log.append(record)
        given[record.seq] = i
    return given


def held(log):
    found = {}
    record = log.next_after(0)
    while record is not None:
        assert record.seq not in found
        found[record.seq] = record.uptime_end_s
        record = log.next_after(record.seq)
    return found


def prepared(n, blocks=4, worn=()):
    """A log in its first boot with minutes 1 .. n, and the flash below it."""
    flash = RamFlash(blocks)
    log = opened(flash)
    given = fill(log, 1, n)
    flash.worn = set(worn)
    return flash, log, given


def cut_everywhere(prepare, action):
    """Prepares a flash and does the action on it, cut after 0, 1, 2, ... bytes until it goes through. Yields the flash after
    each cut, with the supply back, and what had been given to it."""
    for n in range(2000):
        flash, log, given = prepare()
        flash.bytes_until_cut = n
        try:
            action(flash, log)
        except PowerCut:
            yield flash, given
        else:
            return
    raise AssertionError("never through")


def check_after_cut(flash, given, kept, boot, maybe=None):
    """After a cut: nothing of `kept` is lost or changed, `maybe` is there whole or not at all, and the log goes on."""
    log = opened(flash)
    now = held(log)
    for seq, uptime in now.items():
        assert uptime == (given[seq] if seq in given else maybe)
    for seq in kept:
        assert seq in now
    assert log.boot > boot
    assert log.next_seq > max(list(given) + list(now))
    more = fill(log, 500, 2)
    again = held(opened(flash))
    for seq in more:
        assert again[seq] == more[seq]


def test_a_cut_at_any_byte_of_an_append_loses_no_older_record():
    cuts = 0
    for flash, given in cut_everywhere(lambda: prepared(3), lambda flash, log: log.append(minute(99))):
        check_after_cut(flash, given, given, 1, maybe=99)
        cuts += 1
    assert cuts == ENTRY


def test_a_cut_at_any_byte_of_a_boot_loses_no_record():
    cuts = 0
    for flash, given in cut_everywhere(lambda: prepared(4), lambda flash, log: opened(flash)):
        check_after_cut(flash, given, given, 1)
        cuts += 1
    assert cuts == ENTRY


def test_a_cut_at_any_byte_while_the_ring_moves_on_loses_no_record_but_of_the_sector_that_is_given_up():
    cuts = 0
    for flash, given in cut_everywhere(lambda: prepared(3 * SECTOR - 1, blocks=3), lambda flash, log: log.append(minute(99))):
        check_after_cut(flash, given, sorted(given)[SECTOR - 1 :], 1, maybe=99)
        cuts += 1
    assert cuts == 256 + 2 * ENTRY  # erase, header, record


def test_a_cut_at_any_byte_of_the_very_first_start_leaves_a_log_that_starts():
    def nothing():
        return RamFlash(2), None, {}

    for flash, _ in cut_everywhere(nothing, lambda flash, log: opened(flash)):
        log = opened(flash, incarnation=8)
        assert log.first_held == 0
        assert log.boot >= 1
        given = fill(log, 1, 2)
        assert held(opened(flash)) == given


def test_cuts_in_a_row_lose_nothing():
    chance = Chance(21)
    flash = RamFlash(blocks=6)
    given = fill(opened(flash), 1, 5)
    boot = 1
    for _ in range(12):
        flash.bytes_until_cut = chance.below(2 * ENTRY)
        try:
            log = opened(flash)
            boot = log.boot
            fill(log, 100, 1)
        except PowerCut:
            pass
        flash.bytes_until_cut = None
    log = opened(flash)
    assert log.boot > boot
    now = held(log)
    assert {seq: now[seq] for seq in given} == given


def flipped_everywhere(flash):
    """Flips a bit of every byte, one after the other; yields (block, entry) and sets it right again."""
    for block in range(len(flash.cells)):
        for offset in range(flash.block_size):
            bit = (offset * 5 + block) % 8
            flash.flip(block, offset, bit)
            before = flash.content()
            yield block, offset // ENTRY
            flash.restore(before)
            flash.flip(block, offset, bit)


def test_a_flipped_bit_anywhere_costs_the_record_it_hit_and_no_other():
    for n in (1, SECTOR - 1, 2 * SECTOR + 3, 5 * SECTOR):  # in the first sector, at its end, in the third, after a wrap
        flash, log, given = prepared(n)
        given = held(log)
        # Every sector begins with its head; the mark of the boot stands where record 0 would.
        standing = {(seq // SECTOR % 4, 1 + seq % SECTOR): seq for seq in given}
        for block, entry in flipped_everywhere(flash):
            log = opened(flash, incarnation=99)
            hit = standing.get((block, entry))
            assert held(log) == {seq: given[seq] for seq in given if seq != hit}
            assert (log.incarnation, log.boot >= 2, log.next_seq > n) == (7, True, True)


def test_a_flipped_bit_in_the_mark_of_a_boot_gives_its_number_to_no_other():
    flash, log, _ = prepared(3)
    last = opened(flash).boot  # a boot that told its number and ended before its first record
    for _ in flipped_everywhere(flash):
        assert opened(flash).boot > last


def test_where_every_mark_is_damaged_a_new_incarnation_begins_and_nothing_of_the_old_one_is_told():
    flash, _, _ = prepared(2 * SECTOR + 3)
    for block, entry in ((0, 0), (0, 1), (1, 0), (2, 0)):
        flash.flip(block, entry * ENTRY + 12, 3)
    log = opened(flash, incarnation=99)
    assert (log.incarnation, log.boot, log.next_seq, log.first_held) == (99, 1, 1, 0)
    given = fill(log, 500, 4)
    assert held(opened(flash)) == given


def test_where_every_head_is_damaged_the_mark_of_a_boot_tells_the_incarnation():
    flash, _, given = prepared(2 * SECTOR + 3)
    for block in range(3):
        flash.flip(block, 12, 3)
    assert held(opened(flash, incarnation=99)) == given


def test_numbers_of_damaged_newest_entries_are_not_given_out_again():
    for n in (1, 2, 255, 256, 257):  # just after a boot, and on both sides of a block's end
        flash = RamFlash(blocks=2, block_size=300 * ENTRY)
        opened(flash)
        log = opened(flash)
        given = fill(log, 1, n)
        for damaged in (1, 2):
            if damaged > n:
                continue
            for entry in range(n - damaged, n):
                flash.flip(0, (3 + entry) * ENTRY + 9, 3)
            assert opened(flash).next_seq > max(given)


def test_a_worn_entry_is_stepped_over():
    flash = RamFlash()
    log = opened(flash)
    given = fill(log, 1, 1)
    flash.worn = {(0, 3 * ENTRY + 7), (0, 5 * ENTRY), (1, 2 * ENTRY + 31)}
    given.update(fill(log, 2, 9))
    assert sorted(given) == list(range(1, 11))
    assert log.bad_entries == 3
    assert held(log) == given
    assert held(opened(flash)) == given
    assert flash.programmed_twice == 0


def test_damaged_marks_and_records_together_give_no_number_out_again():
    flash, log, given = prepared(2, blocks=2)
    log = opened(flash)
    given.update(fill(log, 10, 1))
    flash.flip(0, 4 * ENTRY + 9, 3)  # the boot's mark and its only record: what is left is of the boot before
    flash.flip(0, 5 * ENTRY + 9, 3)
    log = opened(flash)
    assert log.next_seq > max(given)
    assert log.boot > 2


def test_a_sector_whose_head_does_not_keep_serves_as_well():
    flash = RamFlash()
    log = opened(flash)
    given = fill(log, 1, SECTOR - 1)
    flash.worn = {(1, 5)}
    given.update(fill(log, 10, SECTOR + 2))
    assert held(log) == given
    assert held(opened(flash)) == given


def test_a_sector_that_keeps_nothing_but_its_head_does_not_hide_the_next():
    flash, log, given = prepared(SECTOR - 1, worn=[(1, slot * ENTRY + 5) for slot in range(1, SECTOR + 1)])
    given.update(fill(log, 50, 1))  # its head stands in sectors 1 and 2, with the same number
    assert held(opened(flash)) == given


def test_a_flash_that_stops_keeping_takes_no_more_than_three_sectors_with_it():
    flash, log, given = prepared(6 * SECTOR - 1, blocks=6)
    flash.worn = {(block, offset) for block in range(6) for offset in range(ENTRY, 256, ENTRY)}
    raises(LogError, log.append, minute(99))
    assert len(held(log)) >= 3 * SECTOR


def test_a_cut_beside_a_worn_sector_forgets_no_number():
    prepare = lambda: prepared(SECTOR - 1, worn=[(1, 5)])  # noqa: E731
    for flash, given in cut_everywhere(prepare, lambda flash, log: log.append(minute(99))):
        check_after_cut(flash, given, given, 1, maybe=99)


def test_flash_that_keeps_nothing_is_said_and_not_passed_over():
    flash = RamFlash()
    log = opened(flash)
    given = fill(log, 1, 3)
    flash.worn = {(block, offset) for block in range(4) for offset in range(ENTRY, 256)}
    error = raises(LogError, log.append, minute(4))
    assert isinstance(error, OSError)
    flash.worn = set()
    given.update(fill(log, 5, 1))
    assert held(log)[max(given)] == 5
    flash.worn = {(block, offset) for block in range(4) for offset in range(256)}
    raises(LogError, fill, log, 6, 2 * SECTOR)
    raises(LogError, opened, flash)


def test_a_number_is_never_given_to_two_records_when_a_call_fails_half_way():
    for call in ("write", "sync", "read", "erase"):
        flash = RamFlash()
        log = opened(flash)
        given = fill(log, 1, SECTOR - 1 if call == "erase" else 3)
        flash.broken_calls = {call}
        failed = minute(50)
        raises(OSError, log.append, failed)
        flash.broken_calls = set()
        after = fill(log, 60, 2)
        assert failed.seq not in after
        for each in (log, opened(flash)):
            now = held(each)
            assert {seq: now[seq] for seq in given} == given
            assert {seq: now[seq] for seq in after} == after
            assert now.get(failed.seq, 50) == 50


def test_any_content_of_the_flash_is_opened_and_used():
    chance = Chance(31)
    for _ in range(30):
        flash = RamFlash(blocks=2)
        for cells in flash.cells:
            cells[:] = chance.bytes(256)
        log = opened(flash)
        given = fill(log, 1, 2 * SECTOR + 3)
        newest = held(log)
        assert newest == {seq: given[seq] for seq in newest}
        assert len(newest) > SECTOR


def test_a_long_life_of_cuts_never_changes_or_repeats_a_record():
    for seed in range(6):
        chance = Chance(100 + seed)
        flash = RamFlash(blocks=4)
        given = {}
        whole = []
        n = 0
        boot = 0
        for _ in range(40):
            if chance.below(2):
                flash.bytes_until_cut = chance.below(900)
            try:
                log = opened(flash)
                assert log.boot > boot
                boot = log.boot
                assert log.next_seq > max(list(given) + [0])
                for _ in range(chance.below(12)):
                    n += 1
                    record = minute(n)
                    given[log.next_seq] = n  # once begun, the number belongs to this minute
                    log.append(record)
                    whole.append(record.seq)
            except PowerCut:
                pass
            flash.bytes_until_cut = None
            log = opened(flash)
            boot = log.boot
            now = held(log)
            assert now == {seq: given[seq] for seq in now}
            assert [seq for seq in whole if seq >= log.first_held and seq not in now] == []
        assert flash.programmed_twice == 0
