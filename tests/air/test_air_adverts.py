"""Adverts over the air: as sent, once each, lost by chance, weaker with distance; scanners that stall, adapters that go."""

import asyncio
from itertools import pairwise

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError

from tests.air.jumping import ADAPTER, ADVERT, BTHOME, corner, now_s, run
from tools.air.backend import advert_fields
from tools.air.link import RANGE_M, mean_rssi_dbm


async def adverts(seconds, *, seed=1, nodes=1, advert_loss=0.0, x_m=5.0):
    here = await corner(seed, advert_loss)
    for number in range(1, nodes + 1):
        await here.node(number, x_m)
    await here.scan()
    began_s = now_s()
    await asyncio.sleep(seconds)
    return [(t_s - began_s, *rest) for t_s, *rest in here.heard]


def test_what_is_sent_arrives_as_it_is_and_once():
    heard = run(adverts(100.5))
    assert 49 <= len(heard) <= 51
    assert {data for _, _, data, _ in heard} == {ADVERT[7:]}
    assert {address for _, address, _, _ in heard} == {"24:DC:C3:00:00:01"}


def test_adverts_come_at_their_interval_and_up_to_ten_milliseconds_later():
    times = [round(t_s * 1000) for t_s, *_ in run(adverts(200.0))]
    pauses = [after - before for before, after in pairwise(times)]
    assert min(pauses) >= 2000
    assert max(pauses) <= 2010
    assert len(set(pauses)) > 5


def test_the_share_that_is_lost_is_the_one_that_was_asked_for():
    heard = run(adverts(4000.0, advert_loss=0.8))  # 1,995 adverts at 2.005 s on average
    share = len(heard) / 1995
    assert abs(share - 0.2) < 4 * (0.2 * 0.8 / 1995) ** 0.5  # four standard deviations: once in 16,000 seeds


def test_one_senders_losses_are_its_own():
    async def scenario():
        here = await corner()
        for number in (1, 2):
            await here.node(number)
        here.air.advert_loss_of["24:DC:C3:00:00:02"] = 1.0
        await here.scan()
        await asyncio.sleep(20)
        return {address for _, address, _, _ in here.heard}

    assert run(scenario()) == {"24:DC:C3:00:00:01"}


def test_strength_falls_with_distance():
    def mean(x_m):
        strengths = [rssi for *_, rssi in run(adverts(400.0, x_m=x_m))]
        return sum(strengths) / len(strengths)

    for x_m in (1, 5, 25):
        assert abs(mean(x_m) - mean_rssi_dbm(x_m)) < 4 * 4.0 / 199**0.5  # four standard errors of its noise


def test_beyond_its_range_nothing_is_heard():
    assert run(adverts(20.0, x_m=RANGE_M - 0.1))
    assert not run(adverts(20.0, x_m=RANGE_M + 0.1))


def test_new_content_replaces_the_old_and_none_ends_it():
    async def scenario():
        here = await corner()
        node = await here.node()
        await here.scan()
        await asyncio.sleep(6)
        node.peripheral.gap_advertise(2_000_000, ADVERT[:-1] + b"\x42", connectable=False)
        await asyncio.sleep(6)
        node.peripheral.gap_advertise(None)
        await asyncio.sleep(6)
        return [data for _, _, data, _ in here.heard]

    assert run(scenario()) == [b"\x41"] * 3 + [b"\x42"] * 3


def test_or_patterns_let_through_only_what_fits():
    async def scenario():
        here = await corner()
        await here.node(1, data=b"\x02\x01\x06\x04\x16\xd3\xfc\x41")
        await here.node(2, data=b"\x04\x16\xd2\xfc\x41")
        await here.node(3, data=b"\x03\x03\xd2\xfc")  # the same number as a service's, without data
        await here.scan()
        await asyncio.sleep(10)
        return {address for _, address, _, _ in here.heard}

    assert run(scenario()) == {"24:DC:C3:00:00:02"}


def test_an_active_scanner_hears_all_kinds_of_fields():
    async def scenario():
        here = await corner()
        await here.node(1, data=b"\x05\x09node\x04\xff\x34\x12\x07\x03\x03\xd2\xfc\x04\x16\xd2\xfc\x41")
        heard = []
        async with BleakScanner(lambda _device, data: heard.append(data), backend=here.adapter.scanner_backend):
            await asyncio.sleep(3)
        return heard[0]

    data = run(scenario())
    assert (data.local_name, data.manufacturer_data, data.service_data) == ("node", {0x1234: b"\x07"}, {BTHOME: b"\x41"})
    assert data.service_uuids == [BTHOME]


def test_passive_scanning_without_patterns_is_refused_as_by_bluez():
    async def scenario():
        here = await corner()
        BleakScanner(scanning_mode="passive", backend=here.adapter.scanner_backend)

    with pytest.raises(BleakError, match="or_patterns"):
        run(scenario())


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x05\x16\xd2", b"\x00\x05\x16", b"\xff" * 31])
def test_fields_that_run_past_the_end_are_left_out(data):
    assert advert_fields(data) == []


async def after_a_stall(*, is_deep, cure):
    here = await corner()
    await here.node()
    scanner = await here.scan()
    await asyncio.sleep(10)
    here.air.stall(ADAPTER, is_deep)
    before = len(here.heard)
    await asyncio.sleep(60)
    assert len(here.heard) == before > 0
    await cure(here, scanner)
    await asyncio.sleep(10)
    return len(here.heard) > before


async def start_anew(here, scanner):
    await scanner.stop()
    await scanner.start()


async def restart_adapter(here, scanner):
    await here.adapter.restart()
    await start_anew(here, scanner)


@pytest.mark.parametrize(
    ("is_deep", "cure", "hears"),
    [(False, start_anew, True), (True, start_anew, False), (True, restart_adapter, True)],
)
def test_a_stalled_scanner_reports_nothing_until_what_cures_it(is_deep, cure, hears):
    assert run(after_a_stall(is_deep=is_deep, cure=cure)) == hears


def test_an_adapter_that_is_gone_raises_and_comes_back_without_a_scan():
    async def scenario():
        here = await corner()
        await here.node()
        scanner = await here.scan()
        here.air.switch_off(ADAPTER)
        with pytest.raises(BleakError, match="No powered Bluetooth adapters"):
            await here.scan()
        await asyncio.sleep(10)
        here.air.switch_on(ADAPTER)
        await asyncio.sleep(10)
        assert here.heard == []
        await start_anew(here, scanner)
        await asyncio.sleep(10)
        return len(here.heard)

    assert run(scenario()) > 0


def test_the_same_seed_gives_the_same_run_and_another_gives_another():
    runs = [run(adverts(60.0, seed=seed, nodes=3, advert_loss=0.5)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_it_runs_on_a_plain_loop_as_well():
    async def scenario():
        here = await corner()
        await here.node(interval_us=20_000)
        await here.scan()
        while not here.heard:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scenario(), 10))
