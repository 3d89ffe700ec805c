# MicroPython's `esp`, as far as boards are asked for it.

from flashchip import chip


def flash_read(offset, buf):
    chip.seek(offset)
    chip.readinto(buf)


def flash_size():
    return chip.seek(0, 2)
