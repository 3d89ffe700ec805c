# AES-CCM as BTHome v2 uses it (RFC 3610 with a nonce of 13 bytes, a MIC of 4 and no associated data), over a block cipher that
# is handed in: `encrypt_block(16 bytes)` -> 16 bytes. A node encrypts only.

_BLOCK = 16
_MIC_SIZE = 4
_OF_FIRST = 0x09  # flags of the MAC's first block: (MIC_SIZE - 2) / 2 << 3 | 2 - 1, since the length takes two bytes
_OF_COUNTER = 0x01


def encrypt(encrypt_block, nonce, plain) -> bytes:
    """The encrypted bytes and behind them the MIC. `plain` is shorter than 256 bytes."""
    if len(nonce) != 13 or len(plain) > 255:
        raise ValueError("a nonce of 13 bytes and less than 256 to encrypt")
    block = bytearray(_BLOCK)
    block[0] = _OF_FIRST
    block[1:14] = nonce
    block[15] = len(plain)
    mac = encrypt_block(block)
    block[0] = _OF_COUNTER
    block[15] = 0
    key_stream = encrypt_block(block)
    mic_mask = key_stream[:_MIC_SIZE]
    out = bytearray(plain)
    for at in range(0, len(plain), _BLOCK):
        block[15] += 1
        key_stream = encrypt_block(block)
        mixed = bytearray(mac)
        for i in range(at, min(at + _BLOCK, len(plain))):
            mixed[i - at] ^= out[i]
            out[i] ^= key_stream[i - at]
        mac = encrypt_block(mixed)
    return bytes(out) + bytes([mac[i] ^ mic_mask[i] for i in range(_MIC_SIZE)])
