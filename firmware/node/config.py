# What a technician may set on a node: /node.json, optional as a whole. Where the node hangs is the gateway's affair.
#
# A wrong value never stops the counting: the default stands in, and `complaints` says what was found and expected.

import json

DEFAULTS = {
    "near_mm": (600, 200, 3000, "distance from the box to the near edge of the pavement"),
    "pavement_mm": (3000, 800, 5400, "width of the pavement"),
    "range_permille": (1000, 800, 1300, "scale of the radar's range; some units read short"),
}


class Config:
    def __init__(self, text=None):
        self.complaints = []
        given = {}
        if text is not None:
            try:
                given = json.loads(text)
            except (ValueError, RuntimeError):  # also text that is not UTF-8, and CPython's answer to deep nesting
                self.complaints.append("node.json: not JSON; defaults are used")
            if not isinstance(given, dict):
                self.complaints.append("node.json: found %s, expected an object" % type(given).__name__)
                given = {}
        for key in given:
            if key not in DEFAULTS:
                self.complaints.append("node.json: unknown key %s" % key)
        self.near_mm = self._take(given, "near_mm")
        self.pavement_mm = self._take(given, "pavement_mm")
        self.range_permille = self._take(given, "range_permille")

    def _take(self, given, key):
        default, low, high, _ = DEFAULTS[key]
        value = given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.complaints.append("node.json: %s is %s, expected %d to %d" % (key, value, low, high))
            return default
        return value


def load(path="node.json"):
    try:
        with open(path, "rb") as file:
            return Config(file.read(2048))
    except OSError:  # no such file: all defaults
        return Config()
