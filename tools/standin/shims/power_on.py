# What a board does at power on: mounts the files of its flash as `/`, runs boot.py and main.py from there, and leaves the prompt.
# This machine's own files are below /host from then on, where the stand-ins for the hardware are read from.

import os
import sys

import esp32
import machine  # noqa: F401
import streetclock  # noqa: F401
import vfs


class _Board:
    # `micropython` with what only a board has.
    def __getattr__(self, name):
        return getattr(_micropython, name)

    def alloc_emergency_exception_buf(self, size):
        pass


def run(name):
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return True
    try:
        exec(source, {"__name__": "__main__"})
    except SystemExit:
        raise
    except BaseException as error:
        sys.print_exception(error)
        return False
    return True


import micropython as _micropython

ready = open(os.getenv("STANDIN_READY", ""), "wb")
sys.modules["micropython"] = _Board()  # pyright: ignore[reportArgumentType]
files = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")[0]
try:
    made = vfs.VfsLfs2(files)
except OSError:  # as MicroPython's own start does it
    vfs.VfsLfs2.mkfs(files)
    made = vfs.VfsLfs2(files)
shims = os.getenv("STANDIN_SHIMS", "").split(":")
vfs.umount("/")
vfs.mount(vfs.VfsPosix(), "/host")  # pyright: ignore[reportAttributeAccessIssue]
vfs.mount(made, "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"] + ["/host" + shim for shim in shims]
parts = sys.modules["streetparts"]
parts.__path__ = "/host" + parts.__path__  # pyright: ignore[reportOperatorIssue, reportAttributeAccessIssue]
ready.write(b"!")
ready.close()
if run("boot.py") and not os.getenv("STANDIN_SOFT"):
    run("main.py")
os.putenv("MICROPYINSPECT", "1")  # the prompt
