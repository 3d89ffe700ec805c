# Another firmware comes block by block: whole and signed, or not at all; wherever it is interrupted it goes on.

import hashlib
import os

from dialect import Chance, scratch

import streetwire
from node import update
from node.hmac_sha256 import hmac_sha256
from node.update import MAX_MANIFEST, Update

NODE = 0xC30001
KEY = bytes(range(16))
OTHER_KEY = bytes(range(1, 17))
BLOCK = 100
FILES = (
    ("main.py", b"print('new')\n"),
    ("node/app.mpy", bytes([(7 * i) & 255 for i in range(5000)])),
    ("node/empty.mpy", b""),
    ("streetwire.mpy", bytes([(3 * i) & 255 for i in range(901)])),
)


def hexed(data):
    return "".join(["%02x" % byte for byte in data])


def manifest_of(files=FILES, version="0.2.0", kit="pavement-radar", head="trottoir 1"):
    lines = [head, "version " + version, "kit " + kit]
    lines += ["%s %d %s" % (hexed(hashlib.sha256(data).digest()), len(data), path) for path, data in files]
    return ("\n".join(lines) + "\n").encode()


def mac_of(manifest, node=NODE, key=KEY):
    return hmac_sha256(hashlib.sha256, key)(streetwire.update_text(node, hashlib.sha256(manifest).digest()))


class Node:
    """A slot on a real file system. `spoilt` counts how often the slot stopped being one to go back to."""

    def __init__(self, version="0.1.0"):
        self.folder = scratch() + "/b"
        os.mkdir(self.folder)
        self.version = version
        self.spoilt = 0
        self.start()

    def start(self):
        """After a power cut: what was written and not closed may be lost, and is not asked for."""
        who = (NODE, self.version, "pavement-radar")
        self.update = Update(self.folder, who, hmac_sha256(hashlib.sha256, KEY), hashlib.sha256, self.spoil)

    def spoil(self):
        self.spoilt += 1

    def tell(self, step, file=0, at=0, data=b""):
        self.update.on_message(streetwire.Update(NODE, 1, step, file, at, data))
        return self.answer()

    def answer(self):
        for _ in range(500):
            self.update.work()
            news = self.update.news()
            if news is not None:
                self.update.told()
                if news[0] != streetwire.CHECKS:
                    return news
        raise AssertionError("no answer")

    def content(self):
        return dict(walk(self.folder, ""))

    def close(self):
        self.update.close()
        remove(self.folder)


def walk(folder, below):
    found = []
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            found += walk(path, below + name + "/")
        else:
            with open(path, "rb") as file:
                found.append((below + name, file.read()))
    return found


def remove(folder):
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            remove(path)
        else:
            os.remove(path)
    os.rmdir(folder)


def send(node, manifest=None, files=FILES, mac=None, most=10000):
    """A gateway that sends what it is asked for; the last answer, and how many blocks it took."""
    manifest = manifest_of(files) if manifest is None else manifest
    contents = [manifest] + [data for _, data in files]
    answer = node.tell(streetwire.OFFER, 0, len(manifest), mac_of(manifest) if mac is None else mac)
    blocks = 0
    while answer[0] == streetwire.WANTS and blocks < most:
        _, file, at, _ = answer
        answer = node.tell(streetwire.BLOCK, file, at, contents[file][at : at + BLOCK])
        blocks += 1
    return answer, blocks


def is_whole(node, files=FILES):
    content = node.content()
    return not [path for path, data in files if content.get(path) != data]


def refusal(**changes):
    """Why a node refuses, and what of the files is in its slot then."""
    node = Node(changes.pop("own_version", "0.1.0"))
    (state, _, _, why), _ = send(node, **changes)
    assert state == streetwire.REFUSED
    assert not node.update.is_ready
    left = [path for path in node.content() if path != "manifest"]
    node.close()
    return why, left


def test_what_is_whole_and_signed_is_ready():
    node = Node()
    answer, _ = send(node)
    assert answer == (streetwire.READY, 0, 0, "")
    assert node.update.is_ready
    assert is_whole(node)
    assert node.spoilt == 1
    node.close()


def test_what_stood_there_before_is_gone():
    node = Node()
    os.mkdir(node.folder + "/node")
    os.mkdir(node.folder + "/node/deep")
    for path in ("/left.py", "/node/old.mpy", "/node/deep/older.mpy", "/main.py"):
        with open(node.folder + path, "wb") as file:
            file.write(b"old")
    send(node)
    assert sorted(node.content()) == sorted([path for path, _ in FILES] + ["manifest", "offer"])
    node.close()


def test_interrupted_at_every_block_it_goes_on_and_is_whole():
    node = Node()
    _, blocks = send(node)
    node.close()
    for cut in range(blocks):
        node = Node()
        answer, _ = send(node, most=cut)
        assert answer[0] == streetwire.WANTS
        assert not node.update.is_ready
        node.update.close()
        node.start()
        assert not node.update.is_ready
        answer, rest = send(node)
        assert answer[0] == streetwire.READY
        assert rest == blocks - cut  # nothing that was closed is asked for twice
        assert is_whole(node)
        node.close()


def test_a_power_cut_after_all_was_there_checks_again():
    node = Node()
    send(node)
    node.update.close()
    node.start()
    answer, blocks = send(node)
    assert (answer[0], blocks) == (streetwire.READY, 0)
    assert node.spoilt == 1
    node.close()


def test_another_offer_begins_from_nothing():
    node = Node()
    send(node, most=20)
    files = (("main.py", b"other"),)
    answer, _ = send(node, files=files)
    assert answer[0] == streetwire.READY
    assert sorted(node.content()) == ["main.py", "manifest", "offer"]
    node.close()


def test_what_is_not_signed_for_this_node_is_refused_before_any_file_of_it_exists():
    manifest = manifest_of()
    for mac in (bytes(32), mac_of(manifest, key=OTHER_KEY), mac_of(manifest, node=NODE + 1), mac_of(manifest)[:31], b""):
        assert refusal(mac=mac) == ("not signed for this node", [])


def test_a_manifest_that_was_changed_at_any_byte_is_refused():
    manifest = manifest_of()
    chance = Chance(5)
    for at in range(0, len(manifest), 7):
        changed = bytearray(manifest)
        changed[at] ^= 1 + chance.below(255)
        assert refusal(manifest=bytes(changed), mac=mac_of(manifest)) == ("not signed for this node", [])


def test_a_file_that_was_swapped_or_changed_is_refused():
    manifest = manifest_of()
    swapped = (FILES[0], ("node/app.mpy", bytes(len(FILES[1][1]))), FILES[2], FILES[3])
    why, left = refusal(manifest=manifest, files=swapped)
    assert why == "node/app.mpy is not what the manifest says"
    assert "offer" not in left


def test_older_firmware_is_refused_and_the_same_is_not():
    assert refusal(own_version="0.2.1")[0] == "version 0.2.0 is older than 0.2.1"
    assert refusal(own_version="0.10.0")[0] == "version 0.2.0 is older than 0.10.0"
    node = Node("0.2.0")
    assert send(node)[0][0] == streetwire.READY
    node.close()


def test_firmware_of_another_kit_is_refused():
    assert refusal(manifest=manifest_of(kit="school-pir"))[0] == "for a school-pir, and this is a pavement-radar"


def test_manifests_that_are_none_are_refused():
    head = "trottoir 1\nversion 1\nkit pavement-radar\n"
    digest = hexed(hashlib.sha256(b"x").digest())
    for text, why in (
        ("", "another kind of manifest"),
        ("trottoir 2\nversion 1\nkit pavement-radar\n", "another kind of manifest"),
        ("trottoir 1\nversion 9.0.0", "no version in the manifest"),
        ("trottoir 1\nversion x\nkit pavement-radar\n", "no version: x"),
        ("trottoir 1\nkit pavement-radar\n", "no version in the manifest"),
        (head + "nonsense\n", "not a line of a manifest: nonsense\n"),
        (head + digest + " 70000 main.py\n", "main.py has 70000 bytes, expected 65536 at most"),
        (head + digest + " -1 main.py\n", "main.py has -1 bytes, expected 65536 at most"),
    ):
        manifest = text.encode() or b" "
        assert refusal(manifest=manifest, files=())[0] == why


def test_no_name_leads_out_of_the_slot_or_onto_its_own_files():
    own = ("offer", "manifest")
    for path in ("../main.py", "/main.py", "a/../../b", "a//b", "a/.b", ".", "", "a b", "ä.py", "A.py", "a" * 65) + own:
        why, left = refusal(files=((path, b"x"),))
        assert why.startswith("not a line of a manifest"), path
        assert left == []


def test_a_manifest_of_an_impossible_size_is_refused_at_once():
    for size in (0, MAX_MANIFEST + 1, 0xFFFFFFFF):
        node = Node()
        state, _, _, why = node.tell(streetwire.OFFER, 0, size, bytes(32))
        assert (state, why) == (streetwire.REFUSED, "a manifest of %d bytes, expected 1 to 16384" % size)
        assert node.spoilt == 0
        node.close()


def test_more_than_there_is_room_for_is_refused():
    whole = update.free_bytes
    node = Node()
    try:
        update.free_bytes = lambda folder: 9 * 4096
        state, _, _, why = send(node)[0]
    finally:
        update.free_bytes = whole
    assert (state, why) == (streetwire.REFUSED, "no room: 16384 bytes, and 36864 are free")
    node.close()


def test_blocks_out_of_place_are_answered_with_what_is_wanted():
    node = Node()
    manifest = manifest_of()
    wanted = node.tell(streetwire.OFFER, 0, len(manifest), mac_of(manifest))
    assert wanted == (streetwire.WANTS, 0, 0, "")
    for file, at in ((0, 1), (1, 0), (255, 0xFFFFFFFF)):
        assert node.tell(streetwire.BLOCK, file, at, b"x") == wanted
    assert node.tell(streetwire.BLOCK, 0, 0, manifest[:50]) == (streetwire.WANTS, 0, 50, "")
    assert node.tell(streetwire.BLOCK, 0, 0, manifest[:50]) == (streetwire.WANTS, 0, 50, "")  # sent twice
    assert node.tell(streetwire.OFFER, 0, len(manifest), mac_of(manifest)) == (streetwire.WANTS, 0, 50, "")
    assert node.tell(streetwire.BLOCK, 0, 50, manifest)[0] == streetwire.REFUSED  # longer than the file
    node.close()


def test_an_update_given_up_or_not_begun_is_refused():
    node = Node()
    assert node.tell(streetwire.BLOCK, 0, 0, b"x")[0] == streetwire.REFUSED
    send(node, most=3)
    assert node.tell(streetwire.ABORT) == (streetwire.REFUSED, 0, 0, "given up by the gateway")
    assert "offer" not in node.content()
    assert send(node)[0][0] == streetwire.READY
    node.close()


def test_a_file_on_flash_that_is_longer_than_it_may_be_is_written_anew():
    node = Node()
    send(node, most=20)
    node.update.close()
    with open(node.folder + "/node/app.mpy", "ab") as file:
        file.write(bytes(6000))
    node.start()
    assert send(node)[0][0] == streetwire.READY
    assert is_whole(node)
    node.close()


def test_flash_that_takes_nothing_is_a_refusal():
    node = Node()
    remove(node.folder)
    with open(node.folder, "wb") as file:
        file.write(b"no folder")
    assert node.tell(streetwire.OFFER, 0, 500, bytes(32))[0] == streetwire.REFUSED
    os.remove(node.folder)
