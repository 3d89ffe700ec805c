# Adverts: golden bytes of what is broadcast, both ways, and a reason for everything that is refused.

from ciphers import block_cipher, opener, sealer
from dialect import Chance, raises, vectors

import streetwire
from node.ccm import encrypt

GOLDEN = vectors("streetwire.json")
KEY, ADDRESS = bytes.fromhex(GOLDEN["advert_key"]), bytes.fromhex(GOLDEN["advert_address"])


def unpack(broadcast, key=KEY, address=ADDRESS):
    """Of a whole broadcast: flags, head and UUID are no part of what receivers hand out."""
    return streetwire.unpack_advert(broadcast[7:], address, opener(key))


def reason(broadcast, key=KEY, address=ADDRESS):
    return raises(streetwire.WireError, unpack, broadcast, key, address).reason


def test_adverts_become_their_golden_bytes():
    for row in GOLDEN["adverts"]:
        broadcast = streetwire.pack_advert(streetwire.Advert(**row["fields"]), ADDRESS, sealer(KEY))
        assert broadcast == bytes.fromhex(row["advert"]), row["name"]
        assert len(broadcast) <= streetwire.MAX_ADVERT
    assert max([len(row["advert"]) for row in GOLDEN["adverts"]]) == 2 * streetwire.MAX_ADVERT


def test_golden_bytes_become_their_adverts():
    for row in GOLDEN["adverts"]:
        fields = dict(row["fields"])
        for total in ("total_ab", "total_ba"):
            fields[total] &= 0xFFFF
        assert unpack(bytes.fromhex(row["advert"])) == streetwire.Advert(**fields), row["name"]


def test_any_flipped_bit_and_any_cut_is_refused():
    broadcast = bytes.fromhex(GOLDEN["adverts"][0]["advert"])
    for i in range(7, len(broadcast)):
        for bit in range(8):
            changed = bytearray(broadcast)
            changed[i] ^= 1 << bit
            assert reason(changed) in ("forged", "plaintext", "not ours")
        assert reason(broadcast[:i]) in ("forged", "not ours", "size")


def test_another_key_or_address_is_forged():
    broadcast = bytes.fromhex(GOLDEN["adverts"][0]["advert"])
    assert reason(broadcast, key=bytes(16)) == "forged"
    assert reason(broadcast, address=bytes(6)) == "forged"


def test_what_is_not_encrypted_or_of_another_version_is_refused_by_name():
    broadcast = bytes.fromhex(GOLDEN["adverts"][0]["advert"])
    for info, expected in ((0x40, "plaintext"), (0x20, "not ours"), (0x21, "not ours"), (0x45, "not ours"), (0x61, "not ours")):
        assert reason(broadcast[:7] + bytes((info,)) + broadcast[8:]) == expected


def sealed_as_ours(plain):
    """Service data that the key's holder sent, with any content."""
    counter = b"\x07\x00\x00\x00"
    sealed = encrypt(block_cipher(KEY), ADDRESS + b"\xd2\xfc\x41" + counter, plain)
    return b"\x41" + sealed[:-4] + counter + sealed[-4:]


def test_another_layout_under_our_key_is_not_ours():
    tag, total = b"\x54\x02\x34\x12", b"\x3d\x01\x00"
    for plain in (
        b"\x02\xca\x09\x03\xbf\x13",
        total + tag,
        total + total + total + tag,
        total + total + b"\x0c\x00\x0c" + tag,
        total + total,
        total + total + b"\x54\x01\x34",
        tag,
        b"\x54",
    ):
        error = raises(streetwire.WireError, streetwire.unpack_advert, sealed_as_ours(plain), ADDRESS, opener(KEY))
        assert error.reason in ("not ours", "object"), plain
    assert streetwire.unpack_advert(sealed_as_ours(total + total + tag), ADDRESS, opener(KEY)).tag == 0x1234


def test_noise_of_any_length_is_refused():
    chance = Chance(3)
    for size in range(60):
        for first in (b"", b"\x41"):
            raises(streetwire.WireError, streetwire.unpack_advert, first + chance.bytes(size), ADDRESS, opener(KEY))


def test_boots_of_one_incarnation_differ_in_their_tag():
    tags = [streetwire.boot_tag(0x5EED1234, boot) for boot in range(1000)]
    assert len(set(tags)) == 1000
    assert streetwire.boot_tag(0x5EED1234, 65536) == tags[0]
    assert streetwire.boot_tag(0x5EED1235, 0) != tags[0]
