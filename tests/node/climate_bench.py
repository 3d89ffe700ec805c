# What the dual tests of climate parts share: a bus that does what a script says, and how a part is read on it.

import gc

from dialect import finish


class I2C:
    """Answers each question with the next entry of the script: bytes, which may end early, or None for no acknowledgement."""

    def __init__(self, script):
        self.script = list(script)
        self.log = []

    def writeto(self, address, data):
        self.log.append(("write", address, bytes(data)))
        if self.script[0] is None:
            self.script.pop(0)
            raise OSError(19)

    def readfrom_into(self, address, buffer):
        self.log.append(("read", address))
        answer = self.script.pop(0)
        buffer[: len(answer)] = answer

    async def sleep_ms(self, ms):
        self.log.append(("sleep", ms))


async def no_sleep(ms):
    pass


def read(part, sleep_ms=no_sleep):
    return finish(part.read(sleep_ms))


def refuses_every_flipped_bit(decode, answer):
    for at in range(len(answer)):
        for bit in range(8):
            wrong = bytearray(answer)
            wrong[at] ^= 1 << bit
            assert decode(wrong) is None, (at, bit)


def leaves_the_heap_as_it_was(part, readings=300):
    """MicroPython's; each of so many readings may leave nothing behind."""
    if hasattr(gc, "mem_alloc"):
        read(part)
        gc.collect()
        before = gc.mem_alloc()
        for _ in range(readings):
            read(part)
        gc.collect()
        assert gc.mem_alloc() - before < readings
