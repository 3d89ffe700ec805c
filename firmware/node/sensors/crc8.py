# The two CRC-8 that climate parts send.


def sensirion(data, at):
    """Of the two bytes at `at`: polynomial 0x31, start 0xFF (0xBE 0xEF -> 0x92)."""
    crc = 0xFF
    for i in range(at, at + 2):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
        crc &= 0xFF
    return crc


def maxim(data, size):
    """Of the first `size` bytes: the same polynomial reflected, 0x8C, start 0."""
    crc = 0
    for i in range(size):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8C if crc & 1 else crc >> 1
    return crc
