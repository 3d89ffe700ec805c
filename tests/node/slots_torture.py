# An update on MicroPython's own littlefs, its power cut at every write and erase: `micropython slots_torture.py FIRST STEP` cuts at
# the FIRST-th operation, then STEP later, and so on until the update runs through; prints how often it cut, and how often each
# slot started. After each cut the flash is mounted anew, and what starts has to be whole and signed. Then the update goes on, and
# has to end with the new firmware, confirmed.

import hashlib
import os
import sys

import vfs
from test_update import KEY, NODE, mac_of, manifest_of

import streetwire
from node.hmac_sha256 import hmac_sha256
from node.upkeep import PROVEN_MS, Upkeep
from slots import Slots

BLOCKS, SIZE = 160, 512
OLD = (("main.py", b"old"), ("node/app.mpy", bytes(700)))
NEW = (("main.py", b"new" * 30), ("node/app.mpy", bytes([i & 255 for i in range(900)])))


class PowerCut(Exception):
    pass


CUT = PowerCut()  # made beforehand: files that nobody holds any more are closed while nothing can be allocated


class Flash:
    """A block device in memory; what is written or erased when the power goes is half done."""

    def __init__(self, data=b"\xff" * (BLOCKS * SIZE)):
        self.data = bytearray(data)
        self.left = None

    def readblocks(self, block, buf, offset=0):
        at = block * SIZE + offset
        for i in range(len(buf)):
            buf[i] = self.data[at + i]

    def writeblocks(self, block, buf, offset=0):
        at = block * SIZE + offset
        size = self._through(len(buf))
        for i in range(size):  # a slice would be allocated
            self.data[at + i] = buf[i]
        if size < len(buf):
            raise CUT

    def ioctl(self, command, argument):
        if command == 4:
            return BLOCKS
        if command == 5:
            return SIZE
        if command == 6:
            size = self._through(SIZE)
            at = argument * SIZE
            self.data[at : at + size] = b"\xff" * size
            if size < SIZE:
                raise CUT
        return 0

    def _through(self, size):
        if self.left is None:
            return size
        self.left -= 1
        return size if self.left >= 0 else size // 2


def put(slot, files, version):
    os.mkdir("/f/" + slot)
    os.mkdir("/f/" + slot + "/node")
    for path, data in files:
        write("/f/" + slot + "/" + path, data)
    manifest = manifest_of(files, version)
    write("/f/" + slot + "/manifest", manifest)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def boot():
    """What a start does; the slot, once all that is in it has been found whole and one of the two firmwares."""
    slots = Slots("/f/")
    slot = slots.choose()
    manifest = read("/f/" + slot + "/manifest")
    found = [files for files, version in ((OLD, "0.1.0"), (NEW, "0.2.0")) if manifest == manifest_of(files, version)]
    assert len(found) == 1, "what starts is no whole firmware"
    for path, data in found[0]:
        assert read("/f/" + slot + "/" + path) == data, path
    return slots, slot


class Node:
    """From one start to the next, with a gateway that sends what it is asked for."""

    def __init__(self):
        self.slots, self.slot = boot()
        mac = hmac_sha256(hashlib.sha256, KEY)
        self.told = []
        version = "0.1.0" if self.slot == "a" else "0.2.0"
        who = (NODE, version, "pavement-radar")
        self.upkeep = Upkeep(self.slots, who, lambda: (mac, hashlib.sha256), None, self.send, lambda level, text: None)

    def send(self, kind, *fields):
        self.told.append(fields)
        return True

    def beat(self, now_ms=0):
        self.upkeep.beat(now_ms, 0, True)
        told, self.told = self.told, []
        return told

    def hear(self, *fields):
        self.upkeep.on_update(streetwire.Update(NODE, 1, *fields), 0, 0)


def update():
    """One life of the node, until it starts anew; True once the new firmware is confirmed."""
    node = Node()
    if node.slot == "b":
        if node.slots.is_on_trial:
            node.beat(PROVEN_MS)
        return True
    manifest = manifest_of(NEW, "0.2.0")
    contents = [manifest] + [data for _, data in NEW]
    node.hear(streetwire.OFFER, 0, len(manifest), mac_of(manifest))
    for _ in range(400):
        for state, file, at, text in node.beat():
            assert state != streetwire.REFUSED or text == "nothing is ready to be switched to", text
            if state == streetwire.WANTS:
                node.hear(streetwire.BLOCK, file, at, contents[file][at : at + 150])
                node.hear(streetwire.SWITCH)  # much too early
            elif state == streetwire.READY:
                node.hear(streetwire.SWITCH)
        if node.upkeep.is_restart_due:
            return False
    raise AssertionError("the update does not end")


def fresh():
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/f")
    put("a", OLD, "0.1.0")
    put("b", OLD, "0.1.0")
    write("/f/slots.json", b'{"slot": "a", "spare": "b"}')
    vfs.umount("/f")
    return bytes(flash.data)


def roll_back(data):
    """Whoever asks for the other firmware in the middle of an update gets whole firmware, or none."""
    vfs.mount(vfs.VfsLfs2(Flash(data)), "/f")
    node = Node()
    node.upkeep.on_command(streetwire.ROLL_BACK, 0)
    boot()
    vfs.umount("/f")


def swapped(data):
    """A file that is not what the signed manifest says never starts."""
    vfs.mount(vfs.VfsLfs2(Flash(data)), "/f")
    node = Node()
    manifest = manifest_of(NEW, "0.2.0")
    contents = [manifest, NEW[0][1], bytes(len(NEW[1][1]))]
    node.hear(streetwire.OFFER, 0, len(manifest), mac_of(manifest))
    for _ in range(400):
        for state, file, at, _ in node.beat():
            if state == streetwire.WANTS:
                node.hear(streetwire.BLOCK, file, at, contents[file][at : at + 150])
        node.hear(streetwire.SWITCH)
        boot()
    assert not node.upkeep.is_restart_due
    vfs.umount("/f")


def run(image, cut):
    """(whether the power was cut, which slot started then)."""
    flash = Flash(image)
    flash.left = cut
    was_cut, after = False, ""
    for _ in range(12):
        vfs.mount(vfs.VfsLfs2(flash), "/f")
        try:
            if update():
                break
        except (PowerCut, OSError):
            if flash.left is None or flash.left >= 0:
                raise
            was_cut = True
        finally:
            vfs.umount("/f")
        if flash.left is not None and flash.left < 0:
            flash = Flash(flash.data)  # what lived in RAM, files that were open too, writes to nothing any more
            vfs.mount(vfs.VfsLfs2(flash), "/f")
            after = boot()[1]
            vfs.umount("/f")
            roll_back(flash.data)
    else:
        raise AssertionError("the new firmware was never confirmed")
    vfs.mount(vfs.VfsLfs2(flash), "/f")
    slots, slot = boot()
    vfs.umount("/f")
    assert slot == "b" and slots.state == {"slot": "b", "spare": "a"}, slots.state
    return was_cut, after


def main(first, step):
    image = fresh()
    swapped(image)
    cut, starts = first, {"a": 0, "b": 0}
    while True:
        was_cut, after = run(image, cut)
        if not was_cut:
            break
        starts[after] += 1
        cut += step
    print(cut, starts["a"], starts["b"])


main(int(sys.argv[1]), int(sys.argv[2]))
