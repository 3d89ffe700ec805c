"""Strangers on the air: nothing of them is kept anywhere, and what they send or say harms nobody."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from pathlib import Path
from random import Random

import streetwire
from gateway.watch import Watch
from tests.air.streets import FIRST, Street, play
from tools import cli
from tools.air.peripheral import FLAG_NOTIFY, FLAG_WRITE, IRQ_GATTS_WRITE, UUID, Peripheral

FOREIGN = 100_000
MARK = "PASSER-BY"  # in every name and payload
PREFIX = "D3:57:A9"  # of every address


def strange_adverts(rng: Random):
    """(address, fields, rssi): names, makers' data and services, a third of them with our service data."""
    for number in range(FOREIGN):
        address = f"{PREFIX}:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"
        fields = [(0x09, f"{MARK}-{number}".encode()), (0xFF, b"\x4c\x00" + MARK.encode() + rng.randbytes(6))]
        if number % 3 == 0:
            head = rng.choice((b"\x41", b"\x40", b"\x61", b""))
            fields.append((0x16, b"\xd2\xfc" + head + MARK.encode() + rng.randbytes(rng.randrange(16))))
        yield address, fields, -60


def traces(data: bytes) -> list[str]:
    """What in these bytes is of a stranger, in any way of writing it."""
    marks = (MARK.encode(), PREFIX.encode(), PREFIX.lower().encode(), PREFIX.replace(":", "").lower().encode(), b"\xd3\x57\xa9")
    return [mark.decode("latin-1") for mark in marks if mark in data]


def live_traces() -> list[object]:
    """Live texts and bytes that are of a stranger, whatever holds them: containers, attributes, frames."""
    gc.collect()
    found: list[object] = []
    for thing in gc.get_objects():
        for value in gc.get_referents(thing):
            if isinstance(value, str) and ((MARK in value and value != MARK) or (PREFIX in value and value != PREFIX)):
                found.append(value)
            elif isinstance(value, (bytes, bytearray)) and MARK.encode() in value and len(value) > len(MARK):
                found.append(bytes(value))
    return found


def page_of(street: Street) -> object:
    """What a browser gets."""
    service = street.service
    assert service is not None
    watch = Watch(service._config, "0.1.0")
    now = service.now()
    watch.read(now.now_s)
    view = watch.view(now)
    watch.reader.close()
    return view


def crash_report(street: Street, monkeypatch) -> str:
    """A mistake of ours right where an advert of a stranger has arrived, as the command reports it."""
    (scanner,) = street.adapter.scanners
    with monkeypatch.context() as patched:
        patched.setattr(street.driver._listener, "hear", lambda *_heard: {}["mistake"])
        try:
            scanner.hear(*next(strange_adverts(Random(1))))
        except KeyError as error:
            (name,) = re.findall(r"\S*trottoir-bug\S*txt", cli._bug(error))
            text = Path(name).read_text(encoding="utf-8")
            Path(name).unlink()
            assert "mistake" in text
            return text
    raise AssertionError("no mistake")


def test_a_hundred_thousand_strangers_leave_nothing_anywhere(tmp_path, capfd, monkeypatch):
    said: list[str] = []

    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await asyncio.sleep(60)
        (scanner,) = street.adapter.scanners
        assert live_traces() == []
        for number, (address, fields, rssi) in enumerate(strange_adverts(Random(1))):
            scanner.hear(address, fields, rssi)
            if number % 1000 == 0:
                await asyncio.sleep(0.5)
        del address, fields
        assert street.driver.refused["foreign"] > FOREIGN / 4  # those without our service data do not even get so far
        assert scanner.seen_devices == {}
        await asyncio.sleep(120)
        assert live_traces() == []
        assert street.known(node) == tuple(node.truth)
        said.append(json.dumps(page_of(street)))
        said.append(crash_report(street, monkeypatch))

    play(tmp_path, scenario)
    said.append("".join(capfd.readouterr()))
    assert [trace for text in said for trace in traces(text.encode())] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "store.db" for path in files)
    assert [(path, trace) for path in files for trace in traces(path.read_bytes())] == []


def test_a_peer_at_a_nodes_address_that_speaks_something_else_or_nothing_is_hung_up_on(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await asyncio.sleep(30)
        await node.power_cut()
        node.take_away()
        for answers in (None, lambda: b"", lambda: b"HTTP/1.1 200 OK\r\n\r\n", lambda: bytes(range(256)) * 4):
            await impostor(street, node.key.address_bytes, answers)
        assert street.driver.refused["conversation: frame"] >= 1
        await node.switch_on()
        await asyncio.sleep(1200)
        assert street.known(node) == tuple(node.truth)

    async def impostor(street: Street, address: bytes, answers) -> None:
        """Somebody with the node's address: without our service, or one that says what `answers` gives to whatever is written."""
        peer = Peripheral(street.air, address)
        await peer.power_on()
        peer.active(True)
        if answers is not None:
            kinds = ((UUID(streetwire.TO_NODE_UUID), FLAG_WRITE), (UUID(streetwire.TO_GATEWAY_UUID), FLAG_NOTIFY))
            ((_, told),) = peer.gatts_register_services(((UUID(streetwire.SERVICE_UUID), kinds),))

            def on_event(event: int, data) -> None:
                if event == IRQ_GATTS_WRITE:
                    text = answers()
                    for at in range(0, len(text), 100):
                        peer.gatts_notify(data[0], told, text[at : at + 100])

            peer.irq(on_event)
        peer.gap_advertise(1_000_000, b"\x02\x01\x06" + bytes((27, 0x16)) + b"\xd2\xfc\x41" + bytes(23))
        street.driver.fetch(FIRST)
        before = street.connections
        await street.until(lambda: street.connections > before, 3600)
        await street.until(lambda: street.driver._speaking is None, 120)
        peer.active(False)
        street.air.remove_controller(peer.radio)

    play(tmp_path, scenario)
