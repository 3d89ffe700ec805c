"""The file system of a new node, mounted by MicroPython itself."""

import hashlib
import json
import subprocess

import pytest
from littlefs import LittleFSError

import streetwire
from tests.real_parts import needs
from tools import micropython
from tools.board import kits
from tools.flashing.image import build, pack
from tools.flashing.layout import BLOCK_SIZE, FILES

MOUNT = """
import hashlib, json, os, sys, vfs
class Flash:
    def __init__(self, path):
        self.file = open(path, "r+b")
    def readblocks(self, block, buffer, at=0):
        self.file.seek(block * 4096 + at)
        self.file.readinto(buffer)
    def writeblocks(self, block, buffer, at=0):
        self.file.seek(block * 4096 + at)
        self.file.write(buffer)
    def ioctl(self, op, arg):
        return {4: BLOCKS, 5: 4096}.get(op, 0)
vfs.mount(vfs.VfsLfs2(Flash(sys.argv[1])), "/flash")
found = {}
def look(folder):
    for name, kind, _, _ in os.ilistdir("/flash" + folder):
        if kind == 0x4000:
            look(folder + "/" + name)
        else:
            with open("/flash" + folder + "/" + name, "rb") as file:
                found[(folder + "/" + name)[1:]] = "".join(["%02x" % byte for byte in hashlib.sha256(file.read()).digest()])
look("")
os.chdir("/flash/a")
sys.path[:] = ["", ".frozen"]
import streetwire
with open("/flash/x", "w") as file:
    file.write("written")
print(json.dumps([found, len(streetwire.encode_frame(b"x"))]))
""".replace("BLOCKS", str(FILES.size // BLOCK_SIZE))


@pytest.fixture(scope="module")
def node():
    return build("pavement-radar")


def test_the_same_sources_give_the_same_bytes(node):
    assert build("pavement-radar").file_system == node.file_system


def test_what_is_in_the_root_and_what_in_the_slot(node):
    root = {path for path in node.files if "/" not in path}
    assert root == {"boot.py", "slots.mpy", "slots.json"}
    assert {"a/main.py", "a/manifest", "a/streetwire.mpy", "a/node/app.mpy"} <= set(node.files)
    assert json.loads(node.files["slots.json"]) == {"slot": "a"}


def test_the_manifest_names_every_file_of_the_slot(node):
    head, rows = node.files["a/manifest"].decode().split("\n", 3)[:3], node.files["a/manifest"].decode().splitlines()[3:]
    assert head == ["trottoir 1", f"version {node.version}", "kit pavement-radar"]
    told = {row.split(" ")[2]: row.split(" ")[:2] for row in rows}
    slot = {path[2:]: content for path, content in node.files.items() if path.startswith("a/") and path != "a/manifest"}
    assert list(told) == sorted(slot)
    assert told == {path: [hashlib.sha256(content).hexdigest(), str(len(content))] for path, content in slot.items()}


def test_no_path_of_this_machine_stands_in_it(node):
    assert not [path for path, content in node.files.items() if b"/tmp" in content or b"/home" in content]


def test_it_fits_with_room_for_a_second_slot(node):
    assert sum(-(-len(content) // BLOCK_SIZE) for content in node.files.values()) * BLOCK_SIZE < FILES.size // 2


@pytest.mark.parametrize("kit", kits())
def test_every_kit_has_its_own(kit, node):
    assert (build(kit).sha256 == node.sha256) == (kit == node.kit)


def test_a_node_that_starts_from_the_other_slot(node):
    other = node.in_slot("b")
    assert "slots.json" not in other and other["b/main.py"] == node.files["a/main.py"] and other["boot.py"]
    assert not [path for path in other if path.startswith("a/")]


def test_what_does_not_fit_is_no_image():
    with pytest.raises(LittleFSError):
        pack({"big": bytes(FILES.size)})


@needs("micropython")
def test_micropython_mounts_it_loads_from_it_and_writes_to_it(node, tmp_path):
    flash = tmp_path / "vfs.bin"
    flash.write_bytes(node.file_system)
    script = tmp_path / "mount.py"
    script.write_text(MOUNT)
    done = subprocess.run([micropython.find() or "", str(script), str(flash)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, frame = json.loads(done.stdout)
    assert found == {path: hashlib.sha256(content).hexdigest() for path, content in node.files.items()}
    assert frame == len(streetwire.encode_frame(b"x"))
