# The record log under torture, the same under both interpreters: `INTERPRETER log_torture.py FIRST COUNT` runs the cases
# FIRST .. FIRST + COUNT - 1 and prints what was done as JSON. A case is its number: the same number does the same again.
#
# A case takes a small flash with a history, does one or two boots with a few appends on it, each cut at any byte, leaves any
# of the tails below behind the cut, may flip a bit or wear out cells, and opens the log again. Then, against an oracle that
# watches the flash and knows nothing of how the log finds its way:
#   no record that must be there is missing, none is wrong, none comes twice, and the one that was cut is whole or not there;
#   only the oldest were given up, and only for a full sector; a flipped bit costs the record it hit and no other;
#   numbers and boots are never given out again; `first_held` is exact; the next appends are kept.
# The oracle says "there or not there": a record cut one byte short is complete when the last byte of its CRC is FF.

import json
import struct
import sys

from dialect import Chance
from ramflash import ERASE, PowerCut, RamFlash

import streetwire
from node.log import RecordLog

INCARNATION = 0x5EED1234
ENTRY = 32
BLOCK_SIZE = 256
ERASED = b"\xff" * ENTRY
CASES_PER_HISTORY = 200
NOISE = Chance(77).bytes(1024)
DONE = ("cut_record", "cut_boot", "cut_head", "cut_erase", "two_deep", "flips", "worn")


class WatchedFlash(RamFlash):
    """Knows what must be on it: `must` in rising order, `may` be on it, and the highest number and boot ever given out."""

    def __init__(self, blocks):
        super().__init__(blocks, BLOCK_SIZE)
        self.must = []
        self.may = set()
        self.last_seq = 0
        self.last_boot = 0

    def ioctl(self, command, argument):
        if command == ERASE and self.must:
            before = bytes(self.cells[(argument or len(self.cells)) - 1])
            entries = [before[at : at + ENTRY] for at in range(0, BLOCK_SIZE, ENTRY)]
            assert ERASED not in entries, "a sector was given up before it was needed"
            gone = [seq for seq in self.records_in(argument) if seq in self.must]
            assert gone == self.must[: len(gone)], "not the oldest were given up"
            self.must = self.must[len(gone) :]
        return super().ioctl(command, argument)

    def records_in(self, block):
        found = [self.record_at(block, offset) for offset in range(0, BLOCK_SIZE, ENTRY)]
        return [seq for seq in found if seq]

    def record_at(self, block, offset):
        """The number of the record whose whole entry stands there, else 0."""
        entry = self.cells[block][offset : offset + ENTRY]
        seq, _, minute = struct.unpack_from("<IHI", entry)
        is_whole = struct.unpack_from("<I", entry, 28)[0] == streetwire.crc32(entry[:28], INCARNATION)
        return seq if is_whole and minute != streetwire.BOOT_MARK else 0


def start(flash):
    """Opens the log as a boot does; what it says must be new."""
    log = RecordLog(flash, lambda: INCARNATION)
    assert log.incarnation == INCARNATION, "the incarnation was forgotten"
    assert log.boot > flash.last_boot, "a boot number was given out again"
    assert log.next_seq > flash.last_seq, "a sequence number was given out again"
    flash.last_boot = log.boot
    return log


def append(flash, log):
    flash.last_seq = seq = log.next_seq
    flash.may.add(seq)
    record = streetwire.Record(0, 0, 60 * seq, 3 * seq, 60, seq % 4096, 1, 7 * seq, 5 * log.boot)
    log.append(record)
    assert record.seq == seq
    flash.must.append(seq)


def check(flash, log):
    """Reads everything that is held. A cut record that is found whole must be there from now on."""
    record = log.next_after(0)
    assert log.first_held == (record.seq if record else 0), "first_held is not the first that is held"
    held = []
    while record:
        seq = record.seq
        assert not held or seq > held[-1], "out of order, or twice"
        assert seq in flash.may, "a record that nobody appended"
        told = (record.bin_start, record.uptime_end_s, record.d_ab, record.total_ab, record.total_ba)
        assert told == (60 * seq, 3 * seq, seq % 4096, 7 * seq, 5 * record.boot), "a wrong record"
        held.append(seq)
        record = log.next_after(seq)
    missing = [seq for seq in flash.must if seq not in held]
    assert not missing, "lost: %s" % missing
    newest = flash.must[-1] if flash.must else 0
    flash.must += [seq for seq in held if seq > newest]


# -- faults


def live_until_cut(flash, chance, done):
    """A boot and a few appends, with the supply failing somewhere."""
    flash.spared = chance.below(256)
    flash.bytes_until_cut = chance.below(ENTRY * 6 + chance.below(2) * BLOCK_SIZE)
    log = None
    try:
        log = start(flash)
        for _ in range(chance.below(5)):
            append(flash, log)
    except PowerCut:
        call, _, offset, _, _ = flash.cut_at
        place = "erase" if call == "erase" else "head" if offset == 0 else "record" if log else "boot"
        done["cut_" + place] += 1
        leave_tail(flash, chance)
    flash.bytes_until_cut = None


def leave_tail(flash, chance):
    """What stands behind the byte that was cut: nothing done, random bits, or something that looks like a sector's head."""
    call, block, offset, through, old = flash.cut_at
    cells = flash.cells[block]
    kind = chance.below(3)
    noise = NOISE[chance.below(len(NOISE) - BLOCK_SIZE) :]
    if call == "erase" and kind == 1:  # some bits of every byte are erased
        cells[:] = bytes([old[at] | noise[at] for at in range(BLOCK_SIZE)])
    elif call == "erase" and kind == 2:  # erased from the other end: the head still stands
        cells[:] = old[: BLOCK_SIZE - through] + b"\xff" * through
    elif call == "write" and kind:
        tail = noise if kind == 1 else flash.cells[chance.below(len(flash.cells))]
        for at in range(through, ENTRY):
            cells[offset + at] = old[at] & tail[at]


def flip_a_bit(flash, chance, done):
    block = chance.below(len(flash.cells))
    offset = chance.below(BLOCK_SIZE)
    hit = flash.record_at(block, offset // ENTRY * ENTRY)
    if hit in flash.must:
        flash.must.remove(hit)
    flash.flip(block, offset, chance.below(8))
    done["flips"] += 1


def wear_out(flash, chance, done):
    flash.worn = {(chance.below(len(flash.cells)), chance.below(BLOCK_SIZE)) for _ in range(1 + chance.below(3))}
    done["worn"] += 1


# -- cases


def history(number):
    """A flash of three or four sectors with some boots and records on it, cuts among them."""
    chance = Chance(streetwire.crc32(struct.pack("<I", number), 1))
    flash = WatchedFlash(3 + number % 2)
    append(flash, start(flash))
    for _ in range(chance.below(5)):
        if chance.below(4) == 0:
            live_until_cut(flash, chance, dict.fromkeys(DONE, 0))
        log = start(flash)
        check(flash, log)
        for _ in range(chance.below(14)):
            append(flash, log)
    return flash


def run_case(number, flash, done):
    """Does the case `number` on a flash with the history that goes with it."""
    chance = Chance(streetwire.crc32(struct.pack("<I", number), 2))
    harm = chance.below(4)  # one kind at a time: what one fault leaves another may finish
    if harm == 1:
        wear_out(flash, chance, done)
    if harm == 2:
        flip_a_bit(flash, chance, done)
    cuts = 1 + chance.below(2)
    for _ in range(cuts):
        live_until_cut(flash, chance, done)
    done["two_deep"] += cuts - 1
    if harm == 3:
        flip_a_bit(flash, chance, done)
    log = start(flash)
    check(flash, log)
    for _ in range(1 + chance.below(3)):
        append(flash, log)
    if chance.below(2):
        log = start(flash)
    check(flash, log)


class Shelf:
    """Hands out flashes with a history; cases that follow each other share one, restored for each."""

    def __init__(self):
        self._number = None

    def flash_for(self, case):
        if case // CASES_PER_HISTORY != self._number:
            self._number = case // CASES_PER_HISTORY
            self._flash = flash = history(self._number)
            self._kept = (flash.content(), flash.must, flash.may, flash.last_seq, flash.last_boot)
        flash = self._flash
        content, must, may, flash.last_seq, flash.last_boot = self._kept
        flash.restore(content)
        flash.must, flash.may, flash.worn = list(must), set(may), set()
        return flash


def run(first, count):
    """Runs the cases; returns how often what was done. A case that fails is named in front of its error."""
    done = dict.fromkeys(DONE, 0)
    shelf = Shelf()
    for number in range(first, first + count):
        try:
            run_case(number, shelf.flash_for(number), done)
        except Exception:
            print("case %d failed" % number)
            raise
    return done


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))
