# The record log on a whole flash: append, reopen, wrap around, read from anywhere; and exactly which bytes stand where.

import gc
import struct

from dialect import Chance
from ramflash import RamFlash

import streetwire
from node.log import RecordLog

SECTOR = 7  # records in a sector of 256 bytes
ENTRY = 32


def opened(flash, incarnation=7):
    return RecordLog(flash, lambda: incarnation)


def minute(n):
    """A record that can be told from every other by its content."""
    return streetwire.Record(0, 0, n * 60, n, 60, n % 4096, n * 7 % 4096, n, 2 * n)


def fill(log, first, n):
    """Appends minutes first .. first + n - 1. Returns {sequence number: uptime}."""
    given = {}
    for i in range(first, first + n):
        record = minute(i)
        log.append(record)
        given[record.seq] = i
    return given


def held(log, after=0):
    """Everything that the log would send after `after`, as [(sequence number, uptime), ...]."""
    found = []
    while True:
        record = log.next_after(after)
        if record is None:
            return found
        assert record.seq > after
        found.append((record.seq, record.uptime_end_s))
        after = record.seq


def test_a_new_log_holds_nothing_and_starts_at_one():
    log = opened(RamFlash())
    assert (log.incarnation, log.boot, log.next_seq, log.first_held) == (7, 1, 1, 0)
    assert log.next_after(0) is None
    assert log.next_after(1000) is None


def test_an_incarnation_is_never_zero():
    assert opened(RamFlash(), incarnation=0).incarnation == 1


def test_append_gives_number_and_boot_and_what_is_read_is_what_was_appended():
    log = opened(RamFlash())
    for n in range(1, 5):
        record = minute(n)
        log.append(record)
        assert (record.seq, record.boot, log.next_seq) == (n, 1, n + 1)
        assert log.next_after(n - 1) == record
    assert log.first_held == 1


def test_a_reopened_log_goes_on_where_it_stood():
    flash = RamFlash()
    given = fill(opened(flash), 1, 10)
    log = opened(flash, incarnation=99)
    assert (log.incarnation, log.boot, log.first_held) == (7, 2, 1)
    assert held(log) == sorted(given.items())
    assert log.next_seq > 10
    given.update(fill(log, 11, 3))
    assert held(log) == sorted(given.items())


def test_numbers_of_a_boot_begin_in_a_block_of_their_own():
    flash = RamFlash()
    log = opened(flash)
    for _ in range(4):
        last = log.next_seq + 2
        fill(log, 1, 3)
        log = opened(flash)
        assert log.next_seq // 256 > last // 256


def test_a_boot_number_is_on_flash_before_anything_else_happens():
    flash = RamFlash()
    assert [opened(flash).boot for _ in range(40)] == list(range(1, 41))


def test_boots_without_a_record_lose_neither_records_nor_numbers():
    flash = RamFlash(blocks=6)
    given = fill(opened(flash), 1, 3)
    last = 3
    for _ in range(15):
        log = opened(flash)
        assert held(log) == sorted(given.items())
        assert log.next_seq > last
    given.update(fill(log, 4, 2))
    assert held(opened(flash)) == sorted(given.items())


def test_the_boot_number_goes_around_without_ever_being_zero():
    flash = RamFlash()
    log = opened(flash)
    log.boot = 65534
    given = fill(log, 1, 3)
    assert opened(flash).boot == 65535
    for boot in (1, 2, 3):
        log = opened(flash)
        assert log.boot == boot
        assert log.next_seq > max(given)
        given.update(fill(log, 10 * boot, 1))
    assert held(log) == sorted(given.items())


def test_a_full_ring_gives_up_its_oldest_sector_only():
    flash = RamFlash(blocks=4)
    log = opened(flash)
    given = fill(log, 1, 4 * SECTOR - 1)  # one entry is the boot mark
    assert log.first_held == 1
    assert held(log) == sorted(given.items())
    given.update(fill(log, 100, 1))
    expected = sorted(given.items())[SECTOR - 1 :]
    assert held(log) == expected
    assert log.first_held == expected[0][0]
    assert held(opened(flash)) == expected


def test_next_after_finds_the_next_from_any_number_after_many_boots_and_wraps():
    flash = RamFlash(blocks=5)
    chance = Chance(11)
    given = {}
    for _boot in range(25):
        log = opened(flash)
        given.update(fill(log, len(given) + 1, chance.below(9)))
        newest = held(log)
        assert newest == sorted(given.items())[len(given) - len(newest) :]
        assert log.first_held == newest[0][0]
        assert len(newest) >= 2 * SECTOR or len(newest) == len(given)
        for _ in range(20):
            after = chance.below(log.next_seq + 2)
            expected = [pair for pair in newest if pair[0] > after]
            record = log.next_after(after)
            assert (record.seq if record else None) == (expected[0][0] if expected else None)


def test_first_held_is_exact_after_every_append_and_every_boot():
    flash = RamFlash(blocks=3)
    log = opened(flash)
    for n in range(1, 6 * SECTOR):
        fill(log, n, 1)
        assert log.first_held == held(log)[0][0]
        if n % 5 == 0:
            log = opened(flash)
            assert log.first_held == held(log)[0][0]


def test_when_full_the_oldest_go_first_so_the_acknowledged_before_all_others():
    flash = RamFlash(blocks=4)
    log = opened(flash)
    given = sorted(fill(log, 1, 4 * SECTOR - 1).items())
    watermark = given[SECTOR + 2][0]  # what the gateway has by now: more than a sector
    given += sorted(fill(log, 100, 1).items())
    assert held(log, watermark) == [pair for pair in given if pair[0] > watermark]
    given += sorted(fill(log, 200, 2 * SECTOR).items())  # and now the gateway is silent
    gone_unseen = [seq for seq, _ in given if watermark < seq < log.first_held]
    assert held(log, watermark) == [pair for pair in given if pair[0] > watermark][len(gone_unseen) :]
    assert len(gone_unseen) == 3 * SECTOR - 1 - (SECTOR + 3)
    log = opened(flash)
    assert [seq for seq, _ in given if watermark < seq < log.first_held] == gone_unseen


def test_reading_goes_on_while_appending_overwrites_what_is_read():
    log = opened(RamFlash(blocks=3))
    fill(log, 1, 12)
    after = log.next_after(0).seq
    seen = [after]
    for n in range(200):
        fill(log, 100 + n, 2)
        record = log.next_after(after)
        assert record.seq > after
        assert record.seq >= log.first_held
        after = record.seq
        seen.append(after)
    assert seen == sorted(set(seen))


def test_every_entry_is_on_flash_and_synced_before_append_returns():
    flash = RamFlash()
    log = opened(flash)
    assert flash.is_synced
    for n in range(1, 30):
        log.append(minute(n))
        assert flash.is_synced
        entry = minute(n)
        entry.seq, entry.boot = n, 1
        assert any(cells.find(entry.pack()) > 0 for cells in flash.content())


def test_flash_is_programmed_once_per_erase_and_erased_once_per_sector():
    flash = RamFlash()
    log = opened(flash)
    fill(log, 1, 10 * SECTOR - 1)
    opened(flash)
    assert flash.programmed_twice == 0
    assert flash.written_ahead == 0
    assert log.erases == 10
    assert flash.erases == 11
    assert log.bad_entries == 0


def test_memory_does_not_grow_with_records():
    flash = RamFlash(blocks=3)
    log = opened(flash)
    record = minute(1)
    log.append(record)
    alive = gc.mem_alloc if hasattr(gc, "mem_alloc") else lambda: 0
    gc.collect()
    before = alive()
    for _ in range(300):
        log.append(record)
        log.next_after(record.seq - 1)
    gc.collect()
    assert alive() - before < 512


def test_a_wiped_flash_begins_a_new_incarnation():
    flash = RamFlash()
    fill(opened(flash), 1, 20)
    flash.wipe()
    log = opened(flash, incarnation=8)
    assert (log.incarnation, log.boot, log.next_seq, log.first_held) == (8, 1, 1, 0)


def test_records_of_an_older_incarnation_are_not_held():
    flash = RamFlash(blocks=4)
    fill(opened(flash, incarnation=5), 1, 2 * SECTOR)
    older = flash.content()[1]
    for sector, first in ((3, 1), (0, SECTOR)):  # where the newer has not been yet; where it began
        flash.wipe()
        fill(opened(flash, incarnation=6), 1, 15)
        flash.cells[sector][:] = older
        log = opened(flash)
        assert (log.incarnation, log.first_held) == (6, first)
        assert [uptime for _, uptime in held(log)] == list(range(first, 16))


def test_records_of_another_incarnation_are_not_held_even_in_a_sector_of_ours():
    flash = RamFlash(blocks=3)
    fill(opened(flash, incarnation=5), 1, 3)
    older = flash.content()[0][2 * ENTRY : 5 * ENTRY]
    flash.wipe()
    log = opened(flash, incarnation=6)
    given = fill(log, 10, 2)
    flash.cells[0][4 * ENTRY : 7 * ENTRY] = older
    assert held(opened(flash)) == sorted(given.items())


def test_a_flash_of_another_format_begins_anew():
    flash = RamFlash(blocks=3)
    fill(opened(flash), 1, 3)
    for at in (0, ENTRY):  # its marks: the head, and the boot's
        foreign = flash.content()[0][at : at + 14] + b"TRL2" + flash.content()[0][at + 18 : at + 28]
        flash.cells[0][at : at + ENTRY] = foreign + struct.pack("<I", streetwire.crc32(foreign, 7))
    log = opened(flash, incarnation=8)
    assert (log.incarnation, log.first_held) == (8, 0)


def test_looking_for_the_next_reads_no_more_than_its_neighbourhood():
    flash = RamFlash(blocks=20)
    log = opened(flash)
    given = fill(log, 1, 19 * SECTOR)
    for seq in range(19 * SECTOR - 1):
        log.next_after(0)
        flash.reads = 0
        assert log.next_after(seq).seq == seq + 1
        assert flash.reads <= SECTOR + 1  # its head
    flash.reads = 0
    assert log.next_after(max(given)) is None
    assert flash.reads == 0
    held(log)
    assert flash.reads <= len(given) + 20 * 2
    opened(flash)
    log = opened(flash)
    flash.reads = 0
    assert log.next_after(max(given)) is None
    assert flash.reads <= 2 * SECTOR


def test_what_is_blank_is_not_read_through():
    flash = RamFlash(blocks=20)
    fill(opened(flash), 1, 2)
    assert flash.reads <= 3 * 20
    flash.reads = 0
    opened(flash)
    assert flash.reads <= 3 * 20


def test_the_bytes_on_flash():
    flash = RamFlash(block_size=4096)
    log = opened(flash, incarnation=0x5EED1234)
    record = streetwire.Record(0, 0, 1700000040, 86400, 60, 12, 7, 1234, 987, 2153, 97, 6, 1)
    log.append(record)
    # made by hand with struct and zlib; the CRC is seeded with the incarnation
    # the number before the next, boot, 63 (minute 0, covered_s 63), incarnation, format, FF
    mark = "0000000001003f0000003412ed5e54524c31fffffffffffffffffffffb1fd2a2"
    entry = "010000000100bc45156c80510100264d0000b13d00000c700069086120ec12b8"
    content = flash.content()[0]
    assert content[:32].hex() == mark  # the head of the sector
    assert content[32:64].hex() == mark  # the boot
    assert content[64:96].hex() == entry
    assert content[96:] == b"\xff" * 4000
