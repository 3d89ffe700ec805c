# Every part that a node can carry: one file and one row each.
#
# name: (module, quantity it serves, sensor tag in the database)

PARTS = {
    "ld2450": ("node.sensors.ld2450", "passages", "radar"),
    "sht4x": ("node.sensors.sht4x", "climate", "sht4x"),
}
