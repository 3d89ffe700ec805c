"""The promise on the air: real firmware link, Bumble's packets, bleak, the whole gateway; whatever the air does, totals are exact,
minutes arrive, nothing is counted twice, and what is lost is flagged."""

from __future__ import annotations

import asyncio
import json
from random import Random

import streetwire
from node.log import RecordLog
from tests.air.streets import GATEWAY, T0_S, Node, Street, play
from tools.bench_city import City

HOUR_S = 3600


async def walk(street: Street, node: Node, minutes: int, seed: int = 1) -> None:
    """People pass now and then, for so many minutes."""
    rng = Random(seed)
    end_ms = street.clock.now_ms + minutes * 60_000
    while street.clock.now_ms < end_ms:
        await asyncio.sleep(rng.uniform(1, 20))
        node.walk(*((1, 0) if rng.random() < 0.6 else (0, 1)))


async def fetched(street: Street, *nodes: Node) -> None:
    """Until every record that is on a node's flash now is in the gateway's books."""
    held = {node: node.bench.log.next_seq - 1 for node in nodes if node.bench is not None}

    def is_here(node: Node) -> bool:
        rows = street.rows(f"SELECT max(watermark) FROM streams WHERE node = {node.number}")
        return (rows[0][0] or 0) >= held[node]

    await street.until(lambda: all(map(is_here, held)), 2 * HOUR_S, every_s=1.0)


def by_minute(street: Street, node: Node) -> dict[int, tuple[int, int]]:
    """People in those records on the node's flash that the gateway has acknowledged. Those from before it was told the time are of
    a boot at the street's zero: their uptime tells the minute."""
    assert node.bench is not None
    watermark = street.rows(f"SELECT watermark FROM streams WHERE node = {node.number}")[0][0]
    found: dict[int, tuple[int, int]] = {}
    for record in node.bench.on_flash():
        if record.seq <= watermark:
            start = record.bin_start - T0_S if record.bin_start else (record.uptime_end_s - 1) // 60 * 60
            ab, ba = found.get(start, (0, 0))
            found[start] = (ab + record.d_ab, ba + record.d_ba)
    return found


def on_server(street: Street, node: Node) -> tuple[int, int]:
    rows = [row for row in street.server.read("passages", 0, 1 << 40) if row.tags["node"] == node.name]
    return sum(row.fields["count_ab"] for row in rows), sum(row.fields["count_ba"] for row in rows)


def test_with_eighty_in_a_hundred_adverts_lost_totals_are_exact_and_minutes_after_the_next_hour(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await walk(street, node, 90)
        await asyncio.sleep(120)  # an advert gets through, and is booked
        assert street.known(node) == tuple(node.truth)
        await fetched(street, node)
        assert street.booked(node) == by_minute(street, node)
        assert street.flagged() == []
        hours = street.clock.now_ms // (HOUR_S * 1000)
        assert street.connections == 1 + hours  # the first, and one each hour
        assert street.air.adverts_sent > 2_000

    play(tmp_path, scenario, loss=0.8)


def count_a_day(node: Node) -> None:
    """Before the street's zero, and elsewhere: it stands on the node's flash."""
    log = RecordLog(node.flash, lambda: node.incarnation)
    city = City(1, T0_S - 1440 * 60)
    for number in range(1440):
        log.append(streetwire.decode(city.record(0, number).payload).record)


def test_a_day_of_backlog_arrives_within_a_minute(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        count_a_day(node)
        await node.switch_on()
        await street.start_gateway()
        assert len(node.bench.on_flash()) == 1440
        await fetched(street, node)
        print(f"in {street.clock.now_ms / 1000} s at an interval of 30 ms, the first advert and the connecting included")
        assert street.clock.now_ms < 60_000
        assert street.booked(node) == by_minute(street, node)
        assert len(street.booked(node)) >= 1440  # the minute of the time is one more

    play(tmp_path, scenario)


def test_a_connection_that_breaks_at_any_moment_is_taken_up_again_and_nothing_counts_twice(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await asyncio.sleep(60)
        await street.stop_gateway()
        await walk(street, node, 360)
        await street.start_gateway()
        rng = Random(5)
        cuts = 0
        while cuts < 15:
            await street.until(lambda: street.driver._speaking is not None, 2 * HOUR_S)
            await asyncio.sleep(rng.uniform(0, 5))
            cuts += street.driver._speaking is not None
            street.air.cut(node.key.address)
        await fetched(street, node)
        assert street.booked(node) == by_minute(street, node)
        assert sum(bounds_of(street)) == 0  # it was said to be silent while hours were missing, and that is over

    play(tmp_path, scenario)


def test_a_scanner_that_stalls_is_started_again_and_then_the_adapter(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await asyncio.sleep(30)
        street.air.stall(GATEWAY)
        await walk(street, node, 3)
        assert street.driver.stats.restarts == 1
        assert street.power_cycles == 0
        street.air.stall(GATEWAY, is_deep=True)
        await walk(street, node, 4)
        assert street.power_cycles == 1
        await asyncio.sleep(60)
        assert street.known(node) == tuple(node.truth)
        restarts = [row.fields["ble_restarts"] for row in street.server.read("gateway_status", 0, 1 << 40)]
        assert restarts[-1] == 3
        await fetched(street, node)
        assert street.booked(node) == by_minute(street, node)
        assert street.flagged() == []

    play(tmp_path, scenario)


def test_an_adapter_that_goes_and_comes_back_loses_nothing(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        await walk(street, node, 5)
        street.air.switch_off(GATEWAY)
        await walk(street, node, 10)
        street.air.switch_on(GATEWAY)
        await walk(street, node, 10)
        await asyncio.sleep(60)
        assert street.known(node) == tuple(node.truth)
        await fetched(street, node)
        assert street.booked(node) == by_minute(street, node)
        assert street.flagged() == []

    play(tmp_path, scenario)


def test_a_node_whose_power_is_cut_again_and_again_is_within_its_bounds_and_no_counter_comes_twice(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        await node.switch_on()
        await street.start_gateway()
        rng = Random(3)
        for cut in range(12):
            await walk(street, node, rng.randrange(1, 7), seed=cut)
            await asyncio.sleep(rng.uniform(0, 30))
            await node.power_cut()
            await asyncio.sleep(rng.uniform(1, 200))
            await node.switch_on()
        await walk(street, node, 3)
        await asyncio.sleep(61)
        await fetched(street, node)
        assert len(node.counters) == len(set(node.counters)) > 100
        booked = street.booked(node).values()
        people, truth = sum(ab + ba for ab, ba in booked), sum(node.truth)
        bounds = sum(street_bound for street_bound in bounds_of(street))
        assert people <= truth <= people + bounds
        assert people > truth * 0.8  # what adverts told of the minutes that were open is there

    play(tmp_path, scenario)


def bounds_of(street: Street) -> list[int]:
    return [max(0, json.loads(fields)["bound"]) for *_, fields in street.flagged()]


def test_a_gateway_that_is_killed_accepts_nothing_that_was_sent_before_and_goes_on(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        heard: list[tuple[str, list[tuple[int, bytes]]]] = []
        await node.switch_on()
        await street.start_gateway()
        (scanner,) = street.adapter.scanners
        hear = scanner.hear
        scanner.hear = lambda address, fields, rssi: (heard.append((address, fields)), hear(address, fields, rssi))
        await walk(street, node, 10)
        await street.kill_gateway()
        await walk(street, node, 10)
        await node.power_cut()  # it cannot be spoken to
        await street.start_gateway()
        floors = street.service._store.floors()
        replay(street, heard)
        await asyncio.sleep(30)
        assert street.service._store.floors() == floors
        await node.switch_on()
        await street.until(lambda: street.connections == 1 and street.driver._speaking is None, 60)
        refused = dict(street.driver.refused)
        replay(street, heard)  # before anything new has come
        assert street.driver.refused["replayed"] - refused["replayed"] == len(heard)
        await walk(street, node, 5)
        await fetched(street, node)
        people, truth = sum(ab + ba for ab, ba in street.booked(node).values()), sum(node.truth)
        assert people <= truth <= people + sum(bounds_of(street))

    def replay(street: Street, heard) -> None:
        (scanner,) = street.adapter.scanners
        for address, fields in heard:
            scanner.hear(address, fields, -50)

    play(tmp_path, scenario)


def test_a_second_gateway_without_the_key_learns_nothing_and_disturbs_nobody(tmp_path):
    from gateway.drivers.base import Radio
    from gateway.drivers.ble import BleDriver
    from gateway.radio.keys import NodeKey
    from tools.air.backend import Adapter

    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        other = Adapter(street.air, "B8:27:EB:00:00:99")
        await other.power_on()
        got: list[object] = []

        async def emit(what) -> None:
            got.append(what)

        wrong = NodeKey(node.name, node.key.address, bytes(16))
        radio = Radio(other.scanner_backend, other.client_backend)
        clock = street.service_clock
        stranger = BleDriver(
            "hci1", clock, clock, keys={node.key.address: wrong}, scan="passive", jitter=lambda: 0.5,
            randomness=Random(9).randbytes, radio=radio,
        )  # fmt: skip
        task = asyncio.create_task(stranger.run(emit))
        await node.switch_on()
        await street.start_gateway()
        await walk(street, node, 75)
        await asyncio.sleep(60)
        assert street.known(node) == tuple(node.truth)
        await fetched(street, node)
        assert street.booked(node) == by_minute(street, node)
        assert got == []
        assert stranger.stats.conversations > 3
        assert stranger.refused["conversation: proof"] > 3
        assert street.flagged() == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(tmp_path, scenario)


def test_with_the_smallest_mtu_all_is_said_in_one_conversation_as_well(tmp_path):
    async def scenario(street: Street) -> None:
        (node,) = street.nodes
        node.mtu = 23
        await node.switch_on()
        await street.start_gateway()
        await walk(street, node, 20)
        await asyncio.sleep(60)
        assert street.connections == 1
        assert street.known(node) == tuple(node.truth)

    play(tmp_path, scenario)


def test_three_nodes_share_the_hour_and_the_adapter(tmp_path):
    async def scenario(street: Street) -> None:
        await asyncio.gather(*(node.switch_on() for node in street.nodes))
        await street.start_gateway()
        await asyncio.gather(*(walk(street, node, 50, seed=index) for index, node in enumerate(street.nodes)))
        await fetched(street, *street.nodes)
        for node in street.nodes:
            assert street.booked(node) == by_minute(street, node)
        await asyncio.sleep(60)
        for node in street.nodes:
            assert on_server(street, node) == tuple(map(sum, zip(*street.booked(node).values(), strict=True)))
        assert street.flagged() == []

    play(tmp_path, scenario, nodes=3, loss=0.5)
