# The node's memory of what it counted: a raw ring of records in a slice of flash of its own.
#
# Theory of operation
#   The slice is a row of sectors (the flash's erase unit, 4096 B). A sector begins with a 32-byte header (magic,
#   incarnation, order, CRC-32) and holds 127 entries of 32 bytes (28-byte record body, CRC-32). Sectors are used in a ring;
#   `order` rises by one with each new sector, so the newest is found by its header alone.
#   append  programs one erased entry, syncs, reads it back. A cut in the middle leaves one entry whose CRC fails: it is
#           skipped for ever, and no older entry is touched. Nothing is sent before append has returned.
#   open    finds the newest sector and its last entry. The boot number and the next sequence number follow from it.
#           Sequence numbers are skipped to the block of 256 after the next at every boot: should the newest 256 entries be
#           damaged, their numbers are not given out a second time.
#   full    the next sector in the ring is erased, and the oldest 127 records are gone, acknowledged or not; `first_held`
#           tells the gateway.
#   boot    every boot appends a mark, so that its number is on flash before anything is sent under it.
#
# Rules of this file
#   - It knows the flash only as a MicroPython block device with offsets: readblocks, writeblocks, ioctl.
#   - Randomness is passed in; time does not exist here.

import struct

import streetwire

_MAGIC = b"TRL1"
_HEADER = "<4sII"  # magic, incarnation, order; then FF up to the CRC
_ENTRY_SIZE = streetwire.FLASH_SIZE
_BODY_SIZE = streetwire.BODY_SIZE
_IOCTL_SYNC = 3
_IOCTL_BLOCKS = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_ERASE = 6
_SEQ_BLOCK = 256
_SECTOR_TRIES = 3
_ERASED = b"\xff" * _ENTRY_SIZE


class LogError(OSError):
    """The flash does not keep what is written to it."""


class RecordLog:
    """Open it once per boot. `incarnation`, `boot`, `next_seq`, `first_held` (0: nothing held) may be read at any time;
    `erases` and `bad_entries` are counted since this boot."""

    def __init__(self, flash, random_u32):
        self._flash = flash
        self._sectors = flash.ioctl(_IOCTL_BLOCKS, 0)
        self._per_sector = flash.ioctl(_IOCTL_BLOCK_SIZE, 0) // _ENTRY_SIZE - 1
        self._entry = bytearray(_ENTRY_SIZE)
        self._first_seq = [0] * self._sectors  # of each sector's oldest record, 0 where it holds none of ours
        self._orders = [0] * self._sectors  # 0: not one of ours
        self._cursor_seq = 0  # the record that next_after returned last, and where it stands
        self._cursor = (0, 0)
        self.erases = 0
        self.bad_entries = 0
        self.boot = 0
        self._last_seq = 0
        self.incarnation = self._read_headers()
        if self.incarnation:
            self._find_end()
        else:
            self.incarnation = random_u32() or 1
            self._active = self._sectors - 1
            self._slot = self._per_sector  # "full", so that the first append opens sector 0
            self._order = 0
        # Two blocks on, since the newest entries may be damaged and may have run into the next block.
        self.next_seq = (self._last_seq // _SEQ_BLOCK + 2) * _SEQ_BLOCK if self.boot else 1
        self.boot = self.boot % 0xFFFF + 1  # never 0, which stands for "none found"
        self._mark_boot()

    # -- writing

    def append(self, record):
        """Gives the record its sequence number and boot, and returns once it is on flash. LogError if it cannot be."""
        record.seq = self.next_seq
        record.boot = self.boot
        self.next_seq += 1  # first: a write that fails half way may have left this number on flash
        sector = self._write(record)
        if not self._first_seq[sector]:
            self._first_seq[sector] = record.seq
        self._last_seq = record.seq

    def _mark_boot(self):
        mark = streetwire.Record(self.next_seq, self.boot, 0, 0, streetwire.BOOT_MARK, 0, 0, 0, 0)
        self._write(mark)

    def _write(self, record):
        body = record.pack()
        entry = body + struct.pack("<I", streetwire.crc32(body))
        for _ in range(2 * self._per_sector):  # a worn sector may refuse entry after entry; a whole one never does
            if self._slot >= self._per_sector:
                self._open_next_sector()
            slot = self._slot
            self._slot += 1
            self._flash.writeblocks(self._active, entry, (slot + 1) * _ENTRY_SIZE)
            self._flash.ioctl(_IOCTL_SYNC, 0)
            if self._read(self._active, slot + 1) == entry:
                return self._active
            self.bad_entries += 1
        raise LogError("flash: %d entries in a row did not keep what was written" % (2 * self._per_sector))

    def _open_next_sector(self):
        for _ in range(_SECTOR_TRIES):  # each erases the oldest records: a bad flash must not take them all
            sector = (self._active + 1) % self._sectors
            self._active = sector
            self._first_seq[sector] = 0
            self._orders[sector] = 0
            if self._cursor[0] == sector:
                self._cursor_seq = 0
            self._flash.ioctl(_IOCTL_ERASE, sector)
            self.erases += 1
            self._order += 1
            head = struct.pack(_HEADER, _MAGIC, self.incarnation, self._order)
            head += b"\xff" * (_BODY_SIZE - len(head))
            head += struct.pack("<I", streetwire.crc32(head))
            self._flash.writeblocks(sector, head, 0)
            self._flash.ioctl(_IOCTL_SYNC, 0)
            if self._read(sector, 0) == head:
                self._orders[sector] = self._order
                self._slot = 0
                return
        raise LogError("flash: %d sectors in a row did not keep their headers" % _SECTOR_TRIES)

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
            sector, slot = self._sector_of(seq), 1
        for _ in range(self._sectors):
            while slot <= self._per_sector:
                record = self._record_at(sector, slot)
                if record is not None and record.seq > seq:
                    self._cursor_seq = record.seq
                    self._cursor = (sector, slot)
                    return record
                slot += 1
            if sector == self._active:
                return None
            sector, slot = (sector + 1) % self._sectors, 1
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
        if not _is_whole(entry):
            return None
        record = streetwire.unpack_record(bytes(entry[:_BODY_SIZE]))
        return None if record.covered_s == streetwire.BOOT_MARK else record

    def _read(self, sector, slot):
        self._flash.readblocks(sector, self._entry, slot * _ENTRY_SIZE)
        return self._entry

    # -- opening

    def _read_headers(self):
        # Returns the incarnation of the newest sector; sectors of an older incarnation count as empty.
        newest = 0
        incarnation = 0
        found = []
        for sector in range(self._sectors):
            head = self._read(sector, 0)
            if head[:4] != _MAGIC or not _is_whole(head):
                continue
            _, owner, order = struct.unpack_from(_HEADER, head)
            found.append((sector, owner, order))
            if order > newest:
                newest, incarnation = order, owner
                self._active = sector
        for sector, owner, order in found:
            if owner == incarnation:
                self._orders[sector] = order
        self._order = newest
        return incarnation

    def _find_end(self):
        self._find_last()
        for sector in range(self._sectors):  # a damaged header hides its records, but their numbers have been given out
            for slot in range(1, self._per_sector + 1):
                entry = self._read(sector, slot)
                if self._orders[sector] or entry == _ERASED:
                    break
                if _is_whole(entry):
                    record = streetwire.unpack_record(bytes(entry[:_BODY_SIZE]))
                    if record.seq > self._last_seq:
                        self._last_seq = record.seq
                        self.boot = record.boot

    def _find_last(self):
        for sector in range(self._sectors):
            if self._orders[sector] and sector != self._active:
                self._scan(sector, stop_at_first=True)
        self._slot = self._scan(self._active, stop_at_first=False)
        newest = self._active
        while not self.boot:  # the newest sector may have been opened just before a cut: look in those before it
            newest = (newest - 1) % self._sectors
            if newest == self._active:
                return
            if self._orders[newest]:
                self._scan(newest, stop_at_first=False)

    def _scan(self, sector, stop_at_first):
        # Notes the first record of a sector and, when reading on, the last boot and number; returns the first free slot.
        free = 0
        for slot in range(1, self._per_sector + 1):
            entry = self._read(sector, slot)
            if not _is_whole(entry):
                if entry != _ERASED:
                    free = slot
                continue
            free = slot
            record = streetwire.unpack_record(bytes(entry[:_BODY_SIZE]))
            if record.covered_s != streetwire.BOOT_MARK:
                if not self._first_seq[sector]:
                    self._first_seq[sector] = record.seq
                if stop_at_first:
                    return 0
                self._last_seq = record.seq
            else:
                # A mark names the number that was next: below it everything has been given out.
                if stop_at_first:
                    continue
                self._last_seq = max(self._last_seq, record.seq - 1)
            self.boot = record.boot
        return free


def _is_whole(entry):
    return struct.unpack_from("<I", entry, _BODY_SIZE)[0] == streetwire.crc32(memoryview(entry)[:_BODY_SIZE])
