# What a node without a cable keeps for life: its key, and how far its adverts' counter has come.
#
# Theory of operation
#   A number that is used twice under one key gives away what both adverts hold, and receivers refuse it. So numbers are reserved
#   in blocks: what is stored is the first number that no block has yet, and it is stored before the first of a block is given out.
#   start    goes on behind everything reserved: what was left of the last block is never used.
#   failing  a block that cannot be stored is not used; the same one is tried again with the next number.
#   Who puts in a key stores the key first, then a counter, and never sets a counter back. A key whose counter is missing is
#   not used: nobody can tell how far it has come.
#
# `nvs` is a name space as esp32.NVS gives it; what is missing or cannot be stored is an OSError.

import struct

KEY = "key"  # 16 bytes
COUNTER = "counter"  # 4 bytes, the lowest first: NVS has no integer without a sign
KEY_SIZE = 16
BLOCK = 1024  # numbers, of one each ten seconds: NVS is written every three hours
_COUNTER_SIZE = 4
_LAST = 0xFFFFFFFF


class Vault:
    """`key` is None where there is none to use; `next_counter` is what take_counter will give at least."""

    def __init__(self, nvs):
        self._nvs = nvs
        reserved = self._read(COUNTER, _COUNTER_SIZE)
        self.key = None if reserved is None else self._read(KEY, KEY_SIZE)
        self.next_counter = struct.unpack("<I", reserved)[0] if reserved is not None else 0
        self._reserved = self.next_counter

    def take_counter(self):
        """A number that was never given out before, or None: it could not be reserved, or the last one has been used."""
        if self.next_counter == self._reserved and not self._reserve():
            return None
        self.next_counter += 1
        return self.next_counter - 1

    def _reserve(self):
        reserved = self._reserved + BLOCK
        if reserved > _LAST:
            return False
        try:
            self._nvs.set_blob(COUNTER, struct.pack("<I", reserved))
            self._nvs.commit()
        except OSError:
            return False
        self._reserved = reserved
        return True

    def _read(self, name, size):
        value = bytearray(size)
        try:
            return bytes(value) if self._nvs.get_blob(name, value) == size else None
        except OSError:
            return None
