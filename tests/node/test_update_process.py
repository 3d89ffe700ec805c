"""Updates on real MicroPython, from offer to confirmation: the firmware counts all the while, and nobody is lost at the restart."""

import json

import pytest
from slots_desk import START_PAUSE_MS, SlotsDesk, digest_of, firmware

import streetwire
from gateway.updating import Stage
from tests.real_parts import needs

pytestmark = [needs("micropython"), needs("pty")]
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def newer():
    return firmware("0.2.0")


def versions(desk):
    return [hello.firmware for hello in desk.messages(streetwire.Hello)]


def people(desk):
    return sum(record.d_ab + record.d_ba for record in desk.accepted.values())


def test_a_flashed_node_starts_from_its_slot(tmp_path):
    with SlotsDesk(tmp_path, walks=[20_000]) as desk:
        desk.run_until(2 * MINUTE_MS + 5000)
        assert versions(desk)[0] == "0.1.0"
        assert desk.messages(streetwire.Hello)[0].uptime_s < START_PAUSE_MS // 1000 + 2
        assert people(desk) == 1
        assert json.loads(desk.state) == {"slot": "a"}
        assert streetwire.CONFIRMED not in [message.state for message in desk.messages(streetwire.UpdateState)]


def test_an_update_arrives_is_tried_and_confirmed_and_everybody_is_counted(tmp_path, newer):
    walks = list(range(10_000, 300_000, 12_000))
    with SlotsDesk(tmp_path, walks=walks) as desk:
        desk.run_until(15_000)
        updater = desk.update(newer)
        desk.run_until(10 * MINUTE_MS, stop=lambda: updater.is_over)
        assert updater.stage is Stage.DONE, (updater.problem, desk.deaths)
        assert desk.starts == 2
        assert json.loads(desk.state) == {"slot": "b", "spare": "a"}
        assert versions(desk)[-1] == "0.2.0"
        desk.run_until(max(desk.now_ms, 300_000) + 2 * MINUTE_MS)
        assert len(walks) - 1 <= people(desk) <= len(walks)  # one may be on the line just while it starts anew
        heap = [dict(live.objects)[streetwire.ID_OF["heap_free_b"]] for live in desk.messages(streetwire.Live)]
        assert min(heap) >= 2 * 4096


@pytest.mark.parametrize("cut_after_ms", [300, 2100, 20_000, 49_000, 52_000, 59_400, 62_000])
def test_a_power_cut_in_the_middle_changes_nothing_and_the_update_goes_on(tmp_path, newer, cut_after_ms):
    with SlotsDesk(tmp_path) as desk:
        desk.run_until(15_000)
        before = digest_of(desk.root / "a")
        updater = desk.update(newer)
        desk.run_until(15_000 + cut_after_ms)
        desk.power_cut()
        desk.run_until(10 * MINUTE_MS, stop=lambda: updater.is_over)
        assert updater.stage is Stage.DONE, (updater.problem, desk.deaths)
        assert digest_of(desk.root / "a") == before
        assert set(versions(desk)) == {"0.1.0", "0.2.0"}


def test_firmware_that_cannot_start_has_three_starts_and_the_old_is_back(tmp_path):
    with SlotsDesk(tmp_path) as desk:
        desk.run_until(15_000)
        updater = desk.update(firmware("0.2.0", main=b"import nothing_of_this_name\n"))
        desk.run_until(10 * MINUTE_MS, stop=lambda: updater.is_over)
        assert (updater.stage, updater.problem.key) == (Stage.FAILED, "error.update-back")
        assert desk.starts == 1 + 3 + 1
        assert json.loads(desk.state) == {"slot": "a", "failed": "b"}
        assert set(versions(desk)) == {"0.1.0"}
        desk.run_until(desk.now_ms + 2 * MINUTE_MS)
        assert "slot b was given up, firmware 0.1.0 is back" in [line.text for line in desk.messages(streetwire.Log)]


def test_firmware_that_no_gateway_acknowledges_goes_back_by_itself(tmp_path, newer):
    with SlotsDesk(tmp_path) as desk:
        desk.run_until(15_000)
        updater = desk.update(newer)
        desk.run_until(5 * MINUTE_MS, stop=lambda: desk.starts == 2)
        desk.acks = False
        desk.run_until(60 * MINUTE_MS, stop=lambda: desk.starts == 5)
        desk.run_until(desk.now_ms + 5000)
        assert json.loads(desk.state) == {"slot": "a", "failed": "b"}
        assert not updater.is_over or updater.stage is Stage.FAILED
        desk.acks = True
        desk.run_until(desk.now_ms + MINUTE_MS)
        assert versions(desk)[-1] == "0.1.0"


def test_a_node_goes_back_when_it_is_told_to_and_stays(tmp_path, newer):
    with SlotsDesk(tmp_path) as desk:
        desk.run_until(15_000)
        updater = desk.update(newer)
        desk.run_until(10 * MINUTE_MS, stop=lambda: updater.is_over)
        desk.updater = None
        node = desk.said[-1][1]
        desk.hear(streetwire.Command(node.node, node.incarnation, streetwire.ROLL_BACK))
        desk.run_until(desk.now_ms + 2 * MINUTE_MS)
        assert json.loads(desk.state) == {"slot": "a", "spare": "b"}
        assert versions(desk)[-1] == "0.1.0"


def test_what_is_signed_for_another_node_never_starts(tmp_path, newer):
    with SlotsDesk(tmp_path) as desk:
        desk.run_until(15_000)
        before = digest_of(desk.root / "a")
        updater = desk.update(newer, key=bytes(16))
        desk.run_until(5 * MINUTE_MS, stop=lambda: updater.is_over)
        assert updater.problem.line() == "the node refuses the firmware: not signed for this node"
        desk.power_cut()
        desk.run_until(desk.now_ms + 30_000)
        assert set(versions(desk)) == {"0.1.0"}
        assert digest_of(desk.root / "a") == before
