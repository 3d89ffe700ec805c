# Every part that may hang on a board of the street: one file and one row each.
#
# STREET_PARTS says what hangs where: `uart2=ld2450:1 i2c0.68=sht4x pin34=battery`, with the number of the stream that shows
# the part what there is to sense. Climate parts have none of their own: there is one air.

import os

from streetclock import clock

PARTS = {
    "ld2450": ("streetparts.ld2450", "LD2450"),
    "tfluna": ("streetparts.tfluna", "TFLuna"),
    "vl53l1x": ("streetparts.vl53l1x", "VL53L1X"),
    "pir": ("streetparts.switch", "Pir"),
    "button": ("streetparts.switch", "Button"),
    "sht4x": ("streetparts.sht4x", "SHT4x"),
    "sht3x": ("streetparts.sht3x", "SHT3x"),
    "bme280": ("streetparts.bme280", "BME280"),
    "dht22": ("streetparts.dht22", "DHT22"),
    "ds18b20": ("streetparts.ds18b20", "DS18B20"),
    "battery": ("streetparts.battery", "Battery"),
}

_wired = dict([item.split("=") for item in (os.getenv("STREET_PARTS") or "").split()])
_made = {}


def at(place):
    """What hangs there, the same every time; None where nothing does."""
    if place not in _made:
        _made[place] = _make(_wired[place]) if place in _wired else None
    return _made[place]


def _make(what):
    name, _, stream = what.partition(":")
    module, kind = PARTS[name]
    maker = getattr(__import__(module, None, None, (kind,)), kind)
    return maker(clock.stream(int(stream))) if stream else maker()
