"""tools.backup.sealed: whatever is changed, cut, swapped or said wrongly is found out."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.backup import sealed
from tools.backup.sealed import BackupError, Opener, Sealer

WORDS = "Süsterplatz 7"


@pytest.fixture(autouse=True, scope="module")
def quick():
    """What costs a thief time costs us none; small chunks, so that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "_N", 2)
        patch.setattr(sealed, "CHUNK", 32)
        yield


def seal(data: bytes, words: str = WORDS, pieces: int = 7, seed: int = 4) -> bytes:
    file, randomness = io.BytesIO(), random.Random(seed)
    sealer = Sealer(file, words, randomness.randbytes)
    for at in range(0, len(data), pieces):
        sealer.write(data[at : at + pieces])
    sealer.close()
    return file.getvalue()


def unseal(content: bytes, words: str = WORDS) -> bytes:
    opener = Opener(io.BytesIO(content), words)
    found = b""
    while piece := opener.read(9):
        found += piece
    assert opener.is_at_end
    return found


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 63, 64, 65, 1000])
def test_what_was_written_is_read(size):
    data = bytes(n % 251 for n in range(size))
    content = seal(data)
    assert unseal(content) == data
    assert size < 4 or data[:32] not in content


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.integers(1, 80))
def test_however_it_is_cut_into_pieces(data, pieces):
    assert unseal(seal(data, pieces=pieces)) == data


DATA = bytes(range(100))  # three whole chunks and a last one
SEALED_CHUNK = 32 + sealed.TAG_SIZE


def test_another_passphrase_opens_nothing():
    with pytest.raises(BackupError) as refused:
        unseal(seal(DATA), WORDS + " ")
    assert (refused.value.key, refused.value.exit_code) == ("backup-passphrase", 6)


def test_an_umlaut_is_the_same_however_it_was_typed():
    assert unseal(seal(DATA, "Süd"), "Su\u0308d") == DATA


def test_a_change_at_any_bit_is_refused():
    content = seal(DATA)
    for at in range(len(content)):
        for bit in (0, 7):
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            with pytest.raises(BackupError):
                unseal(bytes(changed))


def test_an_end_at_any_other_place_is_refused():
    content = seal(DATA)
    for size in range(len(content)):
        with pytest.raises(BackupError):
            unseal(content[:size])
    for more in (b"\0", content[-SEALED_CHUNK:], b"x" * 100):
        with pytest.raises(BackupError):
            unseal(content + more)


def test_chunks_in_another_order_left_out_or_from_another_file_are_refused():
    content = seal(DATA)
    head, body = content[: sealed.HEADER_SIZE], content[sealed.HEADER_SIZE :]
    chunks = [body[at : at + SEALED_CHUNK] for at in range(0, len(body), SEALED_CHUNK)]
    for changed in ([chunks[1], chunks[0], *chunks[2:]], [chunks[0], *chunks[2:]], chunks[:-1], [chunks[0], *chunks], chunks[1:]):
        with pytest.raises(BackupError):
            unseal(head + b"".join(changed))
    foreign = seal(DATA, seed=5)[sealed.HEADER_SIZE :][:SEALED_CHUNK]  # same passphrase and place, another file
    with pytest.raises(BackupError):
        unseal(head + foreign + b"".join(chunks[1:]))


@pytest.mark.parametrize(("content", "key"), [(b"", "backup-none"), (b"PK\3\4" * 30, "backup-none")])
def test_what_is_no_backup(content, key):
    with pytest.raises(BackupError) as refused:
        unseal(content)
    assert refused.value.key == key


def test_another_version_is_said():
    content = bytearray(seal(DATA))
    content[len(sealed.MAGIC)] = 9
    with pytest.raises(BackupError) as refused:
        unseal(bytes(content))
    assert (refused.value.key, refused.value.data) == ("backup-version", {"file": "", "found": 9, "expected": 1})
