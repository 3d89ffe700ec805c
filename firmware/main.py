# Composition root: the only file on the node that knows both the board and the application.

import asyncio
import os
import sys
import time

import esp32
import machine

from node import board, config
from node.app import App
from node.links.serial import open_console
from node.log import RecordLog
from node.passage.radar import LineCrossing
from node.sensors.ld2450 import LD2450, RX_BUFFER
from node.sensors.sht4x import SHT4x
from node.sensors.table import PARTS

FIRMWARE = "0.1.0"
WATCHDOG_MS = 10000


def random_u32():
    return int.from_bytes(os.urandom(4), "little")


def node_number():
    return int.from_bytes(machine.unique_id()[-3:], "big")


def main():
    watchdog = machine.WDT(timeout=WATCHDOG_MS)  # first: whatever fails below, the board starts anew
    settings = config.load()
    partitions = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=board.LOG_PARTITION)
    if not partitions:
        raise OSError("no flash partition named %s: flash this board with its kit's partition table" % board.LOG_PARTITION)
    radar_uart = machine.UART(
        board.RADAR_UART, board.RADAR_BAUD, tx=board.RADAR_TX, rx=board.RADAR_RX, rxbuf=RX_BUFFER, timeout=0
    )
    climate_bus = machine.I2C(
        board.CLIMATE_I2C,
        scl=machine.Pin(board.CLIMATE_SCL),
        sda=machine.Pin(board.CLIMATE_SDA),
        freq=board.CLIMATE_FREQ_HZ,
    )
    app = App(
        node_number(),
        (FIRMWARE, board.KIT, PARTS["ld2450"][2] + "," + PARTS["sht4x"][2], sys.platform),
        machine.reset_cause(),
        (time.ticks_ms, time.ticks_diff, time.ticks_add, asyncio.sleep_ms),
        LD2450(radar_uart, settings.range_permille),
        lambda on_passage: LineCrossing(settings.near_mm, settings.pavement_mm, on_passage),
        SHT4x(climate_bus, board.CLIMATE_ADDRESS),
        RecordLog(partitions[0], random_u32),
        open_console(),
        watchdog,
    )
    for complaint in settings.complaints:
        app.say(4, complaint)
    asyncio.run(app.run())


main()
