# What a technician may set on a node: /node.json, optional as a whole. Where the node hangs is the gateway's affair.
#
# A wrong value never stops the counting: the nearest possible one stands in, or the default, and `complaints` says which. A node
# knows the groups of its own kit only; a key of another one is as unknown as any.

import json

# group: {key: (default, least, most)}, and what it is, and why the default: tools/settings_table reads what stands behind a row.
GROUPS = {
    "pavement": {
        "near_mm": (600, 200, 3000),  # distance from the box to the near edge of the pavement
        "pavement_mm": (3000, 800, 7400),  # width of the pavement; a radar sees 6 m, a LiDAR 8
    },
    "radar": {
        "range_permille": (1000, 800, 1300),  # scale of the radar's range; some units read short
        "band_mm": (400, 100, 800),  # half the band to be crossed: a passage is 500 to either side, and units read short by a fifth
        "gate_mm": (800, 300, 2000),  # from one report to the next: a cyclist comes 500 mm, and 300 are noise
        "saturated_per_h": (1050, 100, 5000),  # counted, above which about every seventh walks unseen beside another
    },
    "lidar": {
        "separation_mm": (300, 100, 1000),  # between the two beams: a cyclist still needs several readings from one to the other
        "nearer_by_mm": (350, 100, 1500),  # nearer than the empty scene by this is somebody: more than noise and an open window
        "bridge_ms": (70, 20, 500),  # a gap that is still the same body: an arm swings out of the beam
        "step_mm": (350, 100, 2000),  # a step of the range that is somebody else: people abreast are 0.5 m and more apart
        "saturated_permille": (300, 20, 1000),  # share of a minute with somebody in a beam: others pass unseen behind who stands
        "saturated_per_h": (1050, 100, 5000),  # counted, above which about every seventh walks unseen beside another
    },
    "door": {
        "separation_mm": (200, 50, 800),  # between the middles of the zones where heads pass, 0.85 m below the sensor
        "threshold_permille": (720, 300, 950),  # of the empty range; below it is somebody: at 2.4 m whoever is taller than 0.7 m
        "least_permille": (100, 0, 500),  # below this share is a hand or the leaf of the door, nobody who walks
        "split_mm": (200, 50, 1000),  # a rise of the range that parts two in line: a head stands 250 to 300 mm above shoulders
        "bridge_ms": (300, 50, 2000),  # time without a valid range that is no exit: dark hair
        "saturated_permille": (330, 20, 1000),  # share of a minute with somebody below from which those in line touch
    },
    "switches": {
        "hold_ms": (2000, 100, 20000),  # how long a switch stays high: AM312 2 s, HC-SR501 3 s and more
        "pair_ms": (2000, 200, 10000),  # from one field of view into the other: 1 m at 0.5 m/s
        "saturated_permille": (500, 50, 1000),  # share of a minute high from which most make no rise
    },
    "supply": {
        "battery_ratio_permille": (2000, 1000, 20000),  # battery over pin voltage: two equal resistors halve it
        "supply_low_mv": (3400, 0, 15000),  # below this the supply is low: a lithium cell is nearly empty there
    },
}


class Config:
    """`groups` are the names of those that this node reads; `config[key]` is a value, `of(group)` all of one group."""

    def __init__(self, groups, text=None):
        self.complaints = []
        self._rows = {key: row for group in groups for key, row in GROUPS[group].items()}
        given = self._parsed(text)
        for key in given:
            if key not in self._rows:
                self.complaints.append("node.json: unknown key %s" % key)
        self._values = {key: self._take(given, key) for key in self._rows}

    def __getitem__(self, key):
        return self._values[key]

    def of(self, group):
        return {key: self._values[key] for key in GROUPS[group]}

    def _parsed(self, text):
        if text is None:
            return {}
        try:
            given = json.loads(text)
        except (ValueError, RuntimeError):  # also text that is not UTF-8, and CPython's answer to deep nesting
            self.complaints.append("node.json: not JSON; defaults are used")
            return {}
        if not isinstance(given, dict):
            self.complaints.append("node.json: found %s, expected an object" % type(given).__name__)
            return {}
        return given

    def _take(self, given, key):
        default, low, high = self._rows[key]
        value = given.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        taken = default
        if isinstance(value, int) and not isinstance(value, bool):
            taken = low if value < low else high  # the nearest that is possible says more of the place than the default
        self.complaints.append("node.json: %s is %s, expected %d to %d; %d is used" % (key, value, low, high, taken))
        return taken


def load(groups, path="node.json"):
    try:
        with open(path, "rb") as file:
            return Config(groups, file.read(2048))
    except OSError:  # no such file: all defaults
        return Config(groups)
