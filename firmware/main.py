# Composition root: the only file on the node that knows both the board and the application.

import asyncio
import os
import sys
import time

import esp32
import machine

import slots
from node import board, config
from node.app import App
from node.connect import Connections
from node.links.serial import open_console
from node.log import RecordLog
from node.panel import Panel
from node.sensors.table import PARTS, maker
from node.supply import Supply
from node.vault import Vault

FIRMWARE = "0.1.0"
WATCHDOG_MS = 10000
NVS_NAME = "trottoir"
AES_ECB = 1
RESETS = {
    machine.PWRON_RESET: "power on or brown-out",
    machine.HARD_RESET: "reset",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep sleep",
    machine.SOFT_RESET: "soft reset",
}
# MicroPython for the ESP32 has no such number: there a brown-out looks like power on.
BROWN_OUT = getattr(machine, "BROWNOUT_RESET", None)


def random_u32():
    return int.from_bytes(os.urandom(4), "little")


def node_number():
    return int.from_bytes(machine.unique_id()[-3:], "big")


def one_wire(pin):
    import onewire  # only where a kit has a probe

    return onewire.OneWire(pin)


def reset():
    cause = machine.reset_cause()
    is_brown_out = cause == BROWN_OUT
    return cause, "brown-out" if is_brown_out else RESETS.get(cause, "reset %d" % cause), is_brown_out


def part(connections, name, role):
    return maker(name)(*getattr(connections, PARTS[name][4])(role))


def links(vault, incarnation, say, complaints):
    """The cable, and the air where there is a key: only then the radio takes its memory. Should it not start, the cable is left."""
    console = open_console()
    if vault.key is None:
        return console
    import hashlib

    import bluetooth
    import cryptolib

    from node.ccm import encrypt
    from node.links.ble import BleLink
    from node.links.cable_and_air import CableAndAir
    from node.session import Session

    number, ticks = node_number(), (time.ticks_ms, time.ticks_diff)
    encrypt_block = cryptolib.aes(vault.key, AES_ECB).encrypt

    def encrypt_advert(nonce, plain):
        return encrypt(encrypt_block, nonce, plain)

    def new_session():
        return Session(number, incarnation, hashlib.sha256, vault.key, os.urandom)

    try:
        return CableAndAir(console, BleLink(bluetooth, number, vault, encrypt_advert, new_session, ticks, say))
    except OSError as error:
        complaints.append("no Bluetooth: %s" % error)
        console.radio = "failed"
        return console


def upkeep_of(vault):
    """What looks after the firmware itself, loaded when it has to."""

    def secrets():
        if vault.key is None:
            return None
        import hashlib

        from node.hmac_sha256 import hmac_sha256

        return hmac_sha256(hashlib.sha256, vault.key), hashlib.sha256

    def make(send, say, is_asked):
        here = slots.chosen or slots.Slots(slots.root())
        if not (is_asked or here.is_on_trial or "failed" in here.state):
            return None
        from node.upkeep import Upkeep

        return Upkeep(here, (node_number(), FIRMWARE, board.KIT), secrets, machine.reset, send, say)

    return make


def main():
    watchdog = machine.WDT(timeout=WATCHDOG_MS)  # first: whatever fails below, the board starts anew
    partitions = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=board.LOG_PARTITION)
    if not partitions:
        raise OSError("no flash partition named %s: flash this board with its kit's partition table" % board.LOG_PARTITION)
    counter = maker(board.COUNTER)
    settings = config.load(counter.settings + ("supply",), (slots.chosen.folder if slots.chosen else "") + "node.json")
    connections = Connections(machine, one_wire, board.WIRING)
    ticks = (time.ticks_ms, time.ticks_diff, time.ticks_add, asyncio.sleep_ms)
    counted = getattr(connections, PARTS[board.COUNTER][4])("COUNTER")
    supply = Supply(connections.battery(), settings["battery_ratio_permille"], settings["supply_low_mv"])
    log = RecordLog(partitions[0], random_u32)
    vault = Vault(esp32.NVS(NVS_NAME))
    app = App(
        node_number(),
        (FIRMWARE, board.KIT, PARTS[board.COUNTER][2] + "," + PARTS[board.CLIMATE][2], sys.platform),
        reset(),
        ticks,
        lambda on_passage: counter(counted, settings, ticks, on_passage),
        part(connections, board.CLIMATE, "CLIMATE"),
        part(connections, board.PROBE, "PROBE") if board.PROBE else None,
        Panel(connections.lamp(), connections.button(), supply),
        log,
        links(vault, log.incarnation, lambda level, text: app.say(level, text), settings.complaints),  # noqa: PLW0108  app is made here
        watchdog,
        upkeep_of(vault),
    )
    for complaint in settings.complaints:
        app.say(4, complaint)
    asyncio.run(app.run())


main()
