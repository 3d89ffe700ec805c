# HMAC (RFC 2104) over a SHA-256 that is handed in as hashlib has it.

_BLOCK = 64


def hmac_sha256(sha256, key):
    """A function of data that gives the 32 bytes of its MAC under this key."""
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    inner, outer = bytearray(b"\x36" * _BLOCK), bytearray(b"\x5c" * _BLOCK)
    for i in range(len(key)):
        inner[i] ^= key[i]
        outer[i] ^= key[i]

    def mac(data):
        inside, outside = sha256(inner), sha256(outer)
        inside.update(data)
        outside.update(inside.digest())
        return outside.digest()

    return mac
