# Other firmware, as it comes block by block into the slot that does not run.
#
# Theory of operation
#   clearing   another offer than the one that stands in the slot's file `offer`: what the slot holds goes, `offer` first and
#              written anew last, so that what a cut leaves is never taken for a part of the new.
#   seeking    the next file, in the manifest's order: whole ones are passed over, so a transfer goes on where it stopped.
#   receiving  a file; the node asks for each block by where it belongs, and whatever else arrives is answered with that.
#   checking   all is there: every file's SHA-256 against the manifest's.
#   ready      every file is as the manifest says, and the manifest is signed with this node's key. Only now it may be started.
#   refused    with a reason; the slot's `offer` is gone. The same offer begins from nothing.
# Nothing is made of a manifest before its MAC is checked: no file named in it exists before that.
# A beat does one small step: a block, a file looked up, two KB hashed. The counting goes on all the while.
#
# The manifest is text: `trottoir 1`, `version V`, `kit K`, then `SHA256 SIZE PATH` for each file.

import os

import streetwire

OFFER = "offer"
MANIFEST = "manifest"
MAX_MANIFEST = 16384  # at least 69 bytes a file: their numbers fit into a byte
MAX_FILE = 65536
MOST_REMOVED = 4  # in a beat
HASHED = 4  # buffers in a beat
_BUFFER = 512  # bytes: a larger piece may not be free beside everything else
_SECTOR = 4096  # bytes; flushed after as many, so that a cut costs no more
_SPARE_SECTORS = 8
_PATH = "abcdefghijklmnopqrstuvwxyz0123456789_/."

IDLE, CLEARING, SEEKING, RECEIVING, CHECKING, READY = 0, 1, 2, 3, 4, 5


class Refused(Exception):
    """Why this update is none for this node."""


class Update:
    """`folder` is the slot's, without a slash behind it; `who` is (number, version, kit) of this node, `mac(data)` that of its
    key, `sha256` as hashlib has it, `spoil()` is called before the first byte of the slot changes."""

    def __init__(self, folder, who, mac, sha256, spoil):
        self._folder = folder
        self._number, self._version, self._kit = who
        self._mac_of = mac
        self._sha256 = sha256
        self._spoil = spoil
        self._phase = IDLE
        self._lines = None  # of the manifest
        self._file = 0
        self._at = 0
        self._path = MANIFEST
        self._size = 0
        self._digest = None
        self._open = None
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._is_news = False
        self._why = "nothing was offered"

    @property
    def is_ready(self):
        return self._phase == READY

    def on_message(self, message):
        """An Update that arrived. What it is worth is told by `news`."""
        self._is_news = True
        try:
            if message.step == streetwire.OFFER:
                self._on_offer(message.at, message.data)
            elif message.step == streetwire.BLOCK:
                self._on_block(message.file, message.at, message.data)
            elif message.step == streetwire.ABORT:
                self._give_up("given up by the gateway")
        except (OSError, Refused) as error:
            self._give_up(str(error))

    def work(self):
        """Once a beat: one step of what does not wait for the gateway."""
        try:
            if self._phase == CLEARING:
                self._clear()
            elif self._phase == SEEKING:
                self._seek()
            elif self._phase == CHECKING:
                self._check()
        except (OSError, ValueError, Refused) as error:
            self._give_up(str(error))

    def news(self):
        """(state, file, at, text) as UpdateState has it if there is something new to tell, else None; `told` once it is sent."""
        if not self._is_news or self._phase in (CLEARING, SEEKING):
            return None
        if self._phase == IDLE:
            return streetwire.REFUSED, 0, 0, self._why
        if self._phase == RECEIVING:
            return streetwire.WANTS, self._file, self._at, ""
        return streetwire.READY if self._phase == READY else streetwire.CHECKS, 0, 0, ""

    def told(self):
        self._is_news = False

    def close(self):
        """What is held open is on flash."""
        for held in (self._open, self._lines):
            if held:
                held.close()
        self._open = self._lines = None

    # -- the offer

    def _on_offer(self, size, mac):
        offer = b"%d " % size + bytes(mac)
        if not 0 < size <= MAX_MANIFEST:
            raise Refused("a manifest of %d bytes, expected 1 to %d" % (size, MAX_MANIFEST))
        self.close()
        self._offer = offer
        self._mac = bytes(mac)
        self._manifest_size = size
        if _content(self._folder + "/" + OFFER) == offer:
            self._begin()
        else:
            self._spoil()
            _remove(self._folder + "/" + OFFER)
            self._phase = CLEARING

    def _clear(self):
        for _ in range(MOST_REMOVED):
            if not _remove_one(self._folder):
                _make_folders(self._folder + "/" + OFFER)
                with open(self._folder + "/" + OFFER, "wb") as file:
                    file.write(self._offer)
                self._begin()
                return

    def _begin(self):
        self._file = 0
        self._path = MANIFEST
        self._size = self._manifest_size
        self._phase = SEEKING

    def _give_up(self, why):
        self.close()
        self._why = why
        self._phase = IDLE
        self._is_news = True
        try:
            _remove(self._folder + "/" + OFFER)
        except OSError:
            pass

    # -- files, in the manifest's order

    def _seek(self):
        place = self._folder + "/" + self._path
        there = _size(place)
        if there > self._size:
            _remove(place)
            there = 0
        if there == self._size and (there or _exists(place)):
            self._end_file()
            return
        _make_folders(place)
        self._open = open(place, "ab")
        self._at = there
        self._phase = RECEIVING
        self._is_news = True
        if not self._size:
            self._end_file()

    def _on_block(self, file, at, data):
        if self._open is None or self._phase != RECEIVING or file != self._file or at != self._at:
            return  # what is wanted is told
        if not data or at + len(data) > self._size:
            raise Refused("%d bytes at %d of %s, which has %d" % (len(data), at, self._path, self._size))
        self._open.write(data)
        self._at += len(data)
        if self._at % _SECTOR < len(data):
            self._open.flush()
        if self._at == self._size:
            self._end_file()

    def _end_file(self):
        if self._open:
            self._open.close()
            self._open = None
        if self._file == 0:
            self._take_manifest()
        self._is_news = True
        self._phase = SEEKING if self._next_file() else CHECKING
        if self._phase == CHECKING:
            self._rewind()
            self._next_file()

    def _take_manifest(self):
        place = self._folder + "/" + MANIFEST
        digest = self._sha256()
        with open(place, "rb") as file:
            while True:
                got = file.readinto(self._buffer)
                if not got:
                    break
                digest.update(self._view[:got])
        if not streetwire.is_same(self._mac_of(streetwire.update_text(self._number, digest.digest())), self._mac):
            raise Refused("not signed for this node")
        self._rewind()
        total = 0
        while self._next_file():
            total += -(-self._size // _SECTOR) * _SECTOR
        free = free_bytes(self._folder)
        if total + _SPARE_SECTORS * _SECTOR > free + self._held():
            raise Refused("no room: %d bytes, and %d are free" % (total, free))
        self._rewind()

    def _held(self):
        """Bytes of files that are there already."""
        held = 0
        self._rewind()
        while self._next_file():
            held += _size(self._folder + "/" + self._path)
        return held

    def _rewind(self):
        if self._lines:
            self._lines.close()
        self._lines = lines = open(self._folder + "/" + MANIFEST)
        self._file = 0
        if lines.readline() != "trottoir 1\n":
            raise Refused("another kind of manifest")
        version, kit = _named(lines, "version"), _named(lines, "kit")
        if kit != self._kit:
            raise Refused("for a %s, and this is a %s" % (kit, self._kit))
        if _number(version) < _number(self._version):
            raise Refused("version %s is older than %s" % (version, self._version))

    def _next_file(self):
        line = self._lines.readline() if self._lines else ""
        if not line:
            return False
        words = line[:-1].split(" ")
        if len(words) != 3 or len(words[0]) != 64 or not _is_path(words[2]):
            raise Refused("not a line of a manifest: %s" % line[:80])
        size = int(words[1])
        if not 0 <= size <= MAX_FILE:
            raise Refused("%s has %d bytes, expected %d at most" % (words[2], size, MAX_FILE))
        self._digest, self._size, self._path = words[0], size, words[2]
        self._file += 1
        return True

    # -- all is there

    def _check(self):
        if self._open is None:
            if _size(self._folder + "/" + self._path) != self._size:
                raise Refused("%s is not whole" % self._path)
            self._open = open(self._folder + "/" + self._path, "rb")
            self._hash = self._sha256()
        got = 0
        for _ in range(HASHED):
            got = self._open.readinto(self._buffer)
            if got:
                self._hash.update(self._view[:got])
        if got:
            return
        self._open.close()
        self._open = None
        if "".join(["%02x" % byte for byte in self._hash.digest()]) != self._digest:
            _remove(self._folder + "/" + self._path)
            raise Refused("%s is not what the manifest says" % self._path)
        if not self._next_file():
            self.close()
            self._phase = READY
            self._is_news = True


def _named(lines, name):
    line = lines.readline()
    if not line.startswith(name + " ") or not line.endswith("\n"):
        raise Refused("no %s in the manifest" % name)
    return line[len(name) + 1 : -1]


def free_bytes(folder):
    """Of the file system that the folder is in."""
    block, _, _, free = os.statvfs(folder)[:4]
    return block * free


def _number(version):
    try:
        return tuple([int(part) for part in version.split(".")])
    except ValueError:
        raise Refused("no version: %s" % version[:32]) from None


def _is_path(path):
    parts = path.split("/")
    if [letter for letter in path if letter not in _PATH] or path in (OFFER, MANIFEST) or len(path) > 64:
        return False
    return not [part for part in parts if not part or part[0] == "."]


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _size(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _content(path):
    try:
        with open(path, "rb") as file:
            return file.read(128)
    except OSError:
        return None


def _remove(path):
    if _exists(path):
        os.remove(path)


def _remove_one(folder):
    """One file, or one empty folder, below `folder`; False where nothing is left."""
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            if not _remove_one(path):
                os.rmdir(path)
        else:
            os.remove(path)
        return True
    return False


def _make_folders(path):
    at = path.find("/", 1)
    while at > 0:
        if not _exists(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)
