# The block cipher and the hash that a board hands in, under whichever interpreter this is; and what opens an advert again.

import hashlib

from node.ccm import encrypt
from node.hmac_sha256 import hmac_sha256

sha256 = hashlib.sha256


def block_cipher(key):
    """AES of single blocks: encrypt_block(16 bytes) -> 16 bytes."""
    try:
        import cryptolib

        return cryptolib.aes(key, 1).encrypt
    except ImportError:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return lambda block: Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(bytes(block))  # noqa: S305  CCM's own blocks


def sealer(key):
    """encrypt(nonce, plain), as pack_advert wants it."""
    encrypt_block = block_cipher(key)
    return lambda nonce, plain: encrypt(encrypt_block, nonce, plain)


def opener(key):
    """decrypt(nonce, sealed), as unpack_advert wants it: what was encrypted, encrypted once more, is as it was."""
    seal = sealer(key)

    def decrypt(nonce, sealed):
        plain = seal(nonce, sealed[:-4])[:-4]
        return plain if seal(nonce, plain) == bytes(sealed) else None

    return decrypt


def keyed(key):
    return hmac_sha256(sha256, key)
