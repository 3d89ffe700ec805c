# The street's stand-ins for one kit's parts behind the firmware's real drivers, without a street: `part_bench.py ROLE [POLL_MS
# UNTIL_MS]`. STREET_PARTS names the kit's parts; one grant of events is read, as on the street. Under both interpreters.
#
# ROLE is COUNTER (COUNTER_B: the second beam), CLIMATE, PROBE or PANEL. Prints what the driver there made of it, a line each.

import sys

import machine
from streetclock import clock

from node import board
from node.connect import Connections
from node.sensors.table import PARTS

_MASK = 0x3FFFFFFF


def ticks_add(ticks, delta):
    return (ticks + delta) & _MASK


def ticks_diff(a, b):
    return ((a - b + 0x20000000) & _MASK) - 0x20000000


class Wait:
    """What a driver awaits; the clock goes on at once."""

    def __init__(self, ms):
        clock.sleep(ms)

    def __iter__(self):
        return iter(())

    def __await__(self):
        return iter(())


def one_wire(pin):
    import onewire

    return onewire.OneWire(pin)


def driver(module, kind):
    return getattr(__import__(module, None, None, (kind,)), kind)


def radar(uart):
    from node.sensors.ld2450 import LD2450

    part = LD2450(uart)
    return part, lambda ticks: print("sample", ticks, part.targets[: 3 * part.n_targets])


def lidar(uart):
    from node.sensors.tfluna import TFLuna

    part = TFLuna(uart, ticks_diff)
    return part, lambda ticks: print("sample", ticks, part.mm)


def door(bus, address):
    from node.sensors.vl53l1x import VL53L1X

    part = VL53L1X(bus, address)
    return part, lambda ticks: print("sample", ticks, (part.zone, part.mm, part.status))


def switches(pins, both_edges):
    from node.sensors.pir import Pir

    part = Pir(pins, both_edges, lambda: clock.now_ms)
    return part, lambda ticks: print("sample", ticks, part.levels)


def count(role, poll_ms, until_ms):
    made = getattr(Connections(machine, one_wire, board.WIRING), PARTS[board.COUNTER][4])("COUNTER")
    part, tell = {"ld2450": radar, "tfluna": lidar, "vl53l1x": door, "pir": switches}[board.COUNTER](
        *made[1:] if role == "COUNTER_B" else made[: 2 if board.COUNTER != "tfluna" else 1]
    )
    part.set_up()
    while clock.now_ms < until_ms:
        clock.sleep(poll_ms)
        part.poll(clock.now_ms, tell, ticks_add)
    print("rejected", part.rejected_bytes)


def measure(role):
    name = getattr(board, role)
    connections = Connections(machine, one_wire, board.WIRING)
    module, _, kind = PARTS[name][3].rpartition(".")
    part = driver(module, kind)(*getattr(connections, PARTS[name][4])(role))
    for _ in range(2):
        task = part.read(Wait)
        try:
            task.send(None)
        except StopIteration as ended:
            print("reading", (ended.value, part.faults))
        clock.sleep(10000 - clock.now_ms % 10000)


def panel():
    connections = Connections(machine, one_wire, board.WIRING)
    button, battery_uv = connections.button(), connections.battery()
    seen = [button()]
    first_uv = battery_uv()
    for until_ms in (1000, 3000):
        clock.sleep(until_ms - clock.now_ms)
        seen.append(button())
    print("button", *seen)
    clock.now_ms = 3600000
    print("battery", first_uv // 500, battery_uv() // 500)


if sys.argv[1].startswith("COUNTER"):
    count(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "PANEL":
    panel()
else:
    measure(sys.argv[1])
