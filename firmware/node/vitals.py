# What a live message tells of the node beside its totals.

import gc

import streetwire

HEAP_STEP_B = 4096  # finer would tell when people walked, by what was left lying about; it is told until it is off by a step


class Vitals:
    """`climate` and `probe` as in node/climate, the second may be None."""

    def __init__(self, link, log, minutes, climate, probe, panel):
        self._link = link
        self._log = log
        self._minutes = minutes
        self._climate = climate
        self._probe = probe
        self._panel = panel
        self._heap_b = 0

    def objects(self, health):
        """Once a live message; [(id, value), ...] as streetwire.Live has them."""
        objects = [
            (streetwire.ID_OF["frames_lost"], self._link.frames_bad & 0xFFFFFFFF),
            (streetwire.ID_OF["resets"], self._log.boot),
            (streetwire.ID_OF["sensor_faults"], min(self._climate.faults, 0xFFFF)),
            (streetwire.ID_OF["covered_s"], -(-self._minutes.covered_s // 10) * 10),  # finer would date who stood before the box
            (streetwire.ID_OF["health"], health),
        ]
        if hasattr(gc, "mem_free"):  # MicroPython only
            gc.collect()  # else it tells how long ago the last collection was, and that depends on who walked by when
            self._set_heap(gc.mem_free())
            objects.append((streetwire.ID_OF["heap_free_b"], self._heap_b))
        if self._panel.battery_mv is not None:
            objects.append((streetwire.ID_OF["battery_v"], min(self._panel.battery_mv, 0xFFFF)))
        if self._probe and self._probe.last is not None:
            objects.append((streetwire.ID_OF["probe_c"], self._probe.last[0]))
        if self._climate.last is not None:
            objects.append((streetwire.ID_OF["temperature_c"], self._climate.last[0]))
            if self._climate.last[1] is not None:
                objects.append((streetwire.ID_OF["humidity_pct"], self._climate.last[1]))
        return objects

    def _set_heap(self, free_b):
        if not self._heap_b - HEAP_STEP_B <= free_b < self._heap_b + 2 * HEAP_STEP_B:
            self._heap_b = free_b // HEAP_STEP_B * HEAP_STEP_B
