# Every part that a node can carry: one file and one row each.
#
# name: (module, quantity it serves, sensor tag in the database, what the node makes of it, how it is connected: node/connect)

PARTS = {
    "ld2450": ("node.sensors.ld2450", "passages", "radar", "node.counters.radar.Radar", "uart"),
    "tfluna": ("node.sensors.tfluna", "passages", "lidar", "node.counters.lidar.Lidar", "two_uarts"),
    "vl53l1x": ("node.sensors.vl53l1x", "passages", "tof", "node.counters.door.Door", "i2c"),
    "pir": ("node.sensors.pir", "passages", "pir", "node.counters.switches.Switches", "switches"),
    "sht4x": ("node.sensors.sht4x", "climate", "sht4x", "node.sensors.sht4x.SHT4x", "i2c"),
    "sht3x": ("node.sensors.sht3x", "climate", "sht3x", "node.sensors.sht3x.SHT3x", "i2c"),
    "dht22": ("node.sensors.dht22", "climate", "dht22", "node.sensors.dht22.DHT22", "dht"),
    "bme280": ("node.sensors.bme280", "climate", "bme280", "node.sensors.bme280.BME280", "i2c"),
    "ds18b20": ("node.sensors.ds18b20", "probe", "ds18b20", "node.sensors.ds18b20.DS18B20", "one_wire"),
}


def maker(name):
    """The class that stands for this part. Only now its module is loaded: a node needs the heap of no other."""
    module, _, of = PARTS[name][3].rpartition(".")
    return getattr(__import__(module, None, None, (of,)), of)
