# The node's memory of what it counted: a raw ring of records in a slice of flash of its own.
#
# Theory of operation
#   The slice is a row of sectors (the flash's erase unit, 4096 B) of 128 entries of 32 bytes each: a body of 28 bytes and a
#   CRC-32 that is seeded with the log's incarnation, so that an entry proves by itself that it is whole and ours. Sectors are
#   used in a ring. An entry is a record or a mark; a mark tells the incarnation, the boot and the number before the next.
#   Marks stand at the head of every sector and where a boot began: no single entry is the only one to tell the incarnation.
#   append  programs one erased entry, syncs, reads it back. A cut in the middle leaves one entry whose CRC fails, and no
#           older entry is touched. What is not erased, or does not keep what was written to it, is stepped over for ever.
#           Nothing is sent before append has returned.
#   open    asks the marks for the incarnation, then every sector for the number of its first whole entry. Numbers rise along
#           the ring, so the highest stands in the newest sector; its last entry tells boot and number. No entry depends on
#           another: a damaged one, a sector's head included, hides nothing but itself.
#   boot    appends a mark, so that the boot's number is on flash before anything is sent under it.
#   skip    A number is never given out twice. Every boot begins two blocks of 256 on, since the newest entries may be damaged
#           and may have run into the next block. A damaged entry behind the last whole one may even have been the mark of a
#           boot: for each, one more boot and two more blocks are skipped.
#   full    the next sector in the ring is erased, and with it the oldest 127 records. Acknowledgements are a watermark, so
#           what is oldest has been acknowledged first, and what has not goes only when the whole ring waits for the gateway.
#           `first_held` is the oldest number that is left: what had to go unacknowledged lies between watermark and it.
#   Where no mark is left (a blank flash, or every one damaged) nobody can tell whose entries these are: a new incarnation.
#
# Rules of this file
#   - It knows the flash only as a MicroPython block device with offsets: readblocks, writeblocks, ioctl.
#   - Randomness is passed in; time does not exist here.

import struct

import streetwire

_ENTRY_SIZE = streetwire.FLASH_SIZE
_BODY_SIZE = streetwire.BODY_SIZE
_MARK = "<IHII4s10s"  # seq, boot, BOOT_MARK, incarnation, format, FF
_MARK_KIND = streetwire.BOOT_MARK  # stands where a record has minute and covered_s
_FORMAT = b"TRL1"
_IOCTL_SYNC = 3
_IOCTL_BLOCKS = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_ERASE = 6
_SEQ_BLOCK = 256
_ERASED = b"\xff" * _ENTRY_SIZE


class LogError(OSError):
    """The flash does not keep what is written to it."""


class RecordLog:
    """Open it once per boot. `incarnation`, `boot`, `next_seq`, `first_held` (0: nothing held) may be read at any time;
    `erases` and `bad_entries` (stepped over) are counted since this boot."""

    def __init__(self, flash, random_u32):
        self._flash = flash
        self._sectors = flash.ioctl(_IOCTL_BLOCKS, 0)
        self._per_sector = flash.ioctl(_IOCTL_BLOCK_SIZE, 0) // _ENTRY_SIZE
        self._entry = bytearray(_ENTRY_SIZE)
        self._body = memoryview(self._entry)[:_BODY_SIZE]
        self._first_seq = [0] * self._sectors  # of each sector's oldest record, 0 where it holds none
        self._cursor_seq = 0  # the record that next_after returned last, and where it stands
        self._cursor = (0, 0)
        self.erases = 0
        self.bad_entries = 0
        self.incarnation = self._find_incarnation()
        if self.incarnation:
            self._active = self._find_newest_sector()
            self._find_end()
        else:
            self.incarnation = random_u32() or 1
            self._active = self._sectors - 1
            self._slot = self._per_sector  # "full", so that the first entry opens sector 0
            self._last_seq = 0
            self.boot = 1  # never 0, which stands for "none"
            self.next_seq = 1
        self._write(self._mark())

    # -- writing

    def append(self, record):
        """Gives the record its sequence number and boot, and returns once it is on flash. LogError if it cannot be."""
        record.seq = self.next_seq
        record.boot = self.boot
        self.next_seq += 1  # first: a write that fails half way may have left this number on flash
        self._write(self._sealed(record.pack()))
        if not self._first_seq[self._active]:
            self._first_seq[self._active] = record.seq
        self._last_seq = record.seq

    def _mark(self):
        mark = (self.next_seq - 1, self.boot, _MARK_KIND, self.incarnation, _FORMAT, _ERASED[:10])
        return self._sealed(struct.pack(_MARK, *mark))

    def _sealed(self, body):
        return body + struct.pack("<I", streetwire.crc32(body, self.incarnation))

    def _write(self, entry):
        for _ in range(2 * self._per_sector):  # a bad flash must not take all sectors, one after the other
            if self._slot >= self._per_sector:
                self._open_next_sector()
            if self._program(entry):
                return
        raise LogError("flash: %d entries in a row did not keep what was written" % (2 * self._per_sector))

    def _program(self, entry):
        slot = self._slot
        self._slot += 1
        if self._read(self._active, slot) == _ERASED:  # else a cut or a flipped bit left something here
            self._flash.writeblocks(self._active, entry, slot * _ENTRY_SIZE)
            self._flash.ioctl(_IOCTL_SYNC, 0)
            if self._read(self._active, slot) == entry:
                return True
        self.bad_entries += 1
        return False

    def _open_next_sector(self):
        sector = (self._active + 1) % self._sectors
        self._active = sector
        self._first_seq[sector] = 0
        if self._cursor[0] == sector:
            self._cursor_seq = 0
        self._flash.ioctl(_IOCTL_ERASE, sector)
        self.erases += 1
        self._slot = 0
        self._program(self._mark())  # a sector whose head does not keep serves as well: its entries speak for themselves

    # -- reading

    @property
    def first_held(self):
        """The oldest sequence number that can still be sent, 0 where nothing is held."""
        for k in range(1, self._sectors + 1):
            seq = self._first_seq[(self._active + k) % self._sectors]
            if seq:
                return seq
        return 0

    def next_after(self, seq):
        """The oldest held record whose number is above `seq`, or None."""
        if seq >= self._last_seq:
            return None
        if seq == self._cursor_seq and seq:
            sector, slot = self._cursor
            slot += 1
        else:
            sector, slot = self._sector_of(seq), 0
        for _ in range(self._sectors):
            while slot < self._per_sector:
                record = self._record_at(sector, slot)
                if record is not None and record.seq > seq:
                    self._cursor_seq = record.seq
                    self._cursor = (sector, slot)
                    return record
                slot += 1
            if sector == self._active:
                return None
            sector, slot = (sector + 1) % self._sectors, 0
        return None

    def _sector_of(self, seq):
        # The newest sector that begins at or below seq + 1: what follows seq stands there or right after it.
        found = -1
        for k in range(1, self._sectors + 1):
            sector = (self._active + k) % self._sectors
            first = self._first_seq[sector]
            if first and (found < 0 or first <= seq + 1):
                found = sector
        return found if found >= 0 else self._active

    def _record_at(self, sector, slot):
        entry = self._read(sector, slot)
        if not self._is_ours() or _is_mark(entry):
            return None
        return streetwire.unpack_record(bytes(self._body))

    def _read(self, sector, slot):
        self._flash.readblocks(sector, self._entry, slot * _ENTRY_SIZE)
        return self._entry

    def _is_ours(self):
        return self._is_sealed_by(self.incarnation)

    def _is_sealed_by(self, incarnation):
        return struct.unpack_from("<I", self._entry, _BODY_SIZE)[0] == streetwire.crc32(self._body, incarnation)

    # -- opening

    def _find_incarnation(self):
        # Heads first: where one of them is whole, the rest of the flash need not be read.
        return self._ask_marks(range(1)) or self._ask_marks(range(1, self._per_sector))

    def _ask_marks(self, slots):
        newest = -1
        incarnation = 0
        for sector in range(self._sectors):
            for slot in slots:
                entry = self._read(sector, slot)
                if entry == _ERASED:
                    break
                seq, _, kind, owner, form, _ = struct.unpack_from(_MARK, entry)
                if kind == _MARK_KIND and form == _FORMAT and seq > newest and self._is_sealed_by(owner):
                    newest, incarnation = seq, owner
        return incarnation

    def _find_newest_sector(self):
        firsts = [self._find_first(sector) for sector in range(self._sectors)]
        self._first_seq = [record for _, record in firsts]
        return firsts.index(max(firsts))

    def _find_first(self, sector):
        # The numbers of the sector's first whole entry (-1: none) and of its first record (0: none). A sector that kept
        # nothing but its head begins like the next one, which holds the record: the pair tells which is newer.
        begin = -1
        for slot in range(self._per_sector):
            entry = self._read(sector, slot)
            if slot == 0 and entry == _ERASED:  # the head is always written first
                break
            if self._is_ours():
                seq = struct.unpack_from("<I", entry)[0]
                begin = seq if begin < 0 else begin
                if not _is_mark(entry):
                    return begin, seq
        return begin, 0

    def _find_end(self):
        # The last entry of the newest sector that is whole: the next boot and the next number follow from it.
        self._last_seq = self.boot = damaged = 0
        for slot in range(self._per_sector):
            entry = self._read(self._active, slot)
            seq, boot = struct.unpack_from("<IH", entry)
            if self._is_ours() and seq >= self._last_seq:
                self._last_seq, self.boot, self._slot = seq, boot, slot + 1
                damaged = 0
            elif entry != _ERASED:
                damaged += 1
        self.boot = (self.boot + damaged) % 0xFFFF + 1
        self.next_seq = (self._last_seq // _SEQ_BLOCK + 2 * (1 + damaged)) * _SEQ_BLOCK


def _is_mark(entry):
    return struct.unpack_from("<I", entry, 6)[0] == _MARK_KIND
