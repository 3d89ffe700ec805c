# Two folders with firmware, `a` and `b`, and which of them starts. It stands in the root, and no update ever replaces it.
#
# Theory of operation
#   none       without slots.json the firmware is in the root itself: a node put up by hand. It starts, and takes no update.
#   settled    {"slot": "a"}: that one starts. "spare": "b" says that the other one is whole and may be gone back to.
#   on trial   "tries": n, set to TRIES when the slot is switched to, one less stored before each start. The firmware ends it with
#              `confirm` once it has proven itself (node/upkeep). Where no try is left, the spare starts instead and is settled;
#              "failed" then says who was given up.
#   A slot becomes "slot" only by `try_out`, which is called for verified firmware only; it stops being "spare" before the first of
#   its bytes changes. slots.json is replaced as a whole, so a power cut leaves one of two states, and each names whole firmware.

import json
import os

FILE = "slots.json"
SLOTS = ("a", "b")
TRIES = 3
TECHNICIAN_MS = 3000  # at the start, in which Ctrl-C leads to the prompt
WATCHDOG_MS = 30000  # until the firmware has taken the watchdog over

chosen = None  # the Slots that boot.py chose from; None where it did not run


def root():
    """Where boot.py is, with a slash behind it. Right only before `choose` is acted on."""
    folder = os.getcwd()
    return folder if folder.endswith("/") else folder + "/"


class Slots:
    """`folder` ends with a slash."""

    def __init__(self, folder):
        self.folder = folder
        self.state = self._read()  # as in slots.json; empty without one

    @property
    def is_used(self):
        return "slot" in self.state

    @property
    def slot(self):
        return self.state["slot"]

    @property
    def other(self):
        return SLOTS[1 - SLOTS.index(self.slot)]

    @property
    def is_on_trial(self):
        return "tries" in self.state

    def choose(self):
        """Which slot to start, at the start and nowhere else."""
        if "tries" in self.state:
            spare = self.state.get("spare")
            if self.state["tries"] > 0:
                state = dict(self.state, tries=self.state["tries"] - 1)
            elif spare:
                state = {"slot": spare, "failed": self.slot}
            else:
                state = {"slot": self.slot}  # nothing to go back to
            try:
                self._write(state)
            except OSError:
                if spare:  # a try that cannot be counted would be tried for ever
                    self.state = {"slot": spare, "failed": self.slot}
        return self.slot

    def spoil_other(self):
        """The other slot is about to be written to."""
        if "spare" in self.state or "failed" in self.state:
            self._write({"slot": self.slot})

    def try_out(self, slot, health):
        """The next start is of `slot`, whose firmware is verified; `health` is what is wrong with the node already."""
        self._write({"slot": slot, "spare": self.slot, "tries": TRIES, "health": health})

    def confirm(self):
        """What runs has proven itself."""
        state = {"slot": self.slot}
        if "spare" in self.state:
            state["spare"] = self.state["spare"]
        self._write(state)

    def _write(self, state):
        new = self.folder + FILE + ".new"
        with open(new, "w") as file:
            file.write(json.dumps(state))
        os.rename(new, self.folder + FILE)
        self.state = state

    def _read(self) -> dict:
        try:
            with open(self.folder + FILE) as file:
                state = json.loads(file.read(256))
        except OSError:
            return {}
        except ValueError:
            state = None
        if isinstance(state, dict) and _is_sound(state):
            return state
        return {"slot": self._whole()}  # what nobody wrote: whatever can start

    def _whole(self):
        for slot in SLOTS:
            try:
                os.stat(self.folder + slot + "/main.py")
                return slot
            except OSError:
                pass
        return SLOTS[0]


def _is_sound(state):
    return (
        state.get("slot") in SLOTS and state.get("spare", "a") in SLOTS
        and isinstance(state.get("tries", 0), int) and isinstance(state.get("health", 0), int)
    )  # fmt: skip
