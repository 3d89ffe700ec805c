# A name space of NVS in memory, and the faults that a real one has.


class PowerCut(Exception):
    """The supply fails at this very step."""


class RamNvs:
    """`steps_until_cut` counts down over the steps of writing: a value goes in at `set_blob` or, where `is_lazy`, at `commit`, and
    the cut comes before or after it does. `broken_calls` fail with OSError: get_blob, set_blob, commit."""

    def __init__(self, cells=None):
        self.cells = dict(cells or {})
        self.is_lazy = False
        self.steps_until_cut = None
        self.broken_calls = set()
        self.commits = 0
        self._pending = {}

    def get_blob(self, key, buffer):
        self._call("get_blob")
        if key not in self.cells or len(self.cells[key]) > len(buffer):
            raise OSError(-4354)  # ESP_ERR_NVS_NOT_FOUND
        value = self.cells[key]
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._call("set_blob")
        self._step()
        if self.is_lazy:
            self._pending[key] = bytes(value)
        else:
            self.cells[key] = bytes(value)
        self._step()

    def commit(self):
        self._call("commit")
        self._step()
        self.cells.update(self._pending)
        self._pending = {}
        self.commits += 1
        self._step()

    def power_up(self):
        self._pending = {}
        self.steps_until_cut = None

    def _call(self, name):
        if name in self.broken_calls:
            raise OSError(5)

    def _step(self):
        if self.steps_until_cut is not None:
            self.steps_until_cut -= 1
            if self.steps_until_cut < 0:
                raise PowerCut
