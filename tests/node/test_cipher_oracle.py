"""The node's own CCM and HMAC against the library that the gateway decrypts with, on anything."""

import hashlib
import hmac

from ciphers import keyed, sealer
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

keys = st.binary(min_size=16, max_size=16)


@given(keys, st.binary(min_size=13, max_size=13), st.binary(max_size=255))
def test_ccm_is_the_librarys(key, nonce, plain):
    assert sealer(key)(nonce, plain) == AESCCM(key, tag_length=4).encrypt(nonce, plain, None)


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac_is_the_librarys(key, data):
    assert keyed(key)(data) == hmac.new(key, data, hashlib.sha256).digest()
