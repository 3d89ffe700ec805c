"""The gateway's side of an update, against nodes that behave and nodes that do not."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streetwire
from gateway.bundle import Firmware, manifest_of
from gateway.radio.keys import NodeKey
from gateway.updating import MAX_TRIES, PROVING_S, RETRY_S, Stage, Updater

KEY = NodeKey("tr-a3f1c2", "24:DC:C3:A3:F1:C4", bytes(range(16)))
FILES = {"main.py": b"m" * 500, "node/app.mpy": b"a" * 193}
FIRMWARE = Firmware("0.2.0", "school-pir", manifest_of("0.2.0", "school-pir", FILES), tuple(FILES.values()))


def hello(version="0.1.0", boot=1, kit="school-pir"):
    return streetwire.Hello(KEY.number, 5, boot, 60, 1, 9, 1, version, kit, "pir,dht22", "esp32")


def state(number, file=0, at=0, text=""):
    return streetwire.UpdateState(KEY.number, 5, number, file, at, text)


def begun(version="0.1.0"):
    updater = Updater(KEY, FIRMWARE)
    return updater, updater.begin(hello(version), 0)


def fields(steps):
    return [step.fields for step in steps]


def test_the_offer_is_signed_for_this_node():
    _, steps = begun()
    text = streetwire.update_text(KEY.number, hashlib.sha256(FIRMWARE.manifest).digest())
    mac = hmac.digest(KEY.key, text, "sha256")
    assert fields(steps) == [(streetwire.OFFER, 0, len(FIRMWARE.manifest), mac)]


def test_what_is_asked_for_is_sent_up_to_the_end_of_each_file():
    updater, _ = begun()
    assert fields(updater.on_message(state(streetwire.WANTS, 1, 384), 1)) == [(streetwire.BLOCK, 1, 384, b"m" * 116)]
    assert fields(updater.on_message(state(streetwire.WANTS, 2, 0), 1)) == [(streetwire.BLOCK, 2, 0, b"a" * 192)]
    assert updater.share == (len(FIRMWARE.manifest) + 500) / FIRMWARE.size
    assert fields(updater.on_message(state(streetwire.WANTS, 2, 192), 1)) == [(streetwire.BLOCK, 2, 192, b"a")]


def test_from_ready_to_confirmed():
    updater, _ = begun()
    updater.on_message(state(streetwire.CHECKS), 1)
    assert updater.stage is Stage.CHECKING
    assert fields(updater.on_message(state(streetwire.READY), 2)) == [(streetwire.SWITCH,)]
    assert updater.stage is Stage.SWITCHING
    assert updater.on_message(hello(), 3) == []  # before it starts anew
    updater.on_message(hello("0.2.0", boot=2), 10)
    assert updater.stage is Stage.PROVING
    assert updater.on_message(state(streetwire.REFUSED, text="nothing is ready to be switched to"), 10) == []
    assert not updater.is_over
    updater.on_message(state(streetwire.ON_TRIAL, text="0.2.0"), 11)
    updater.on_message(state(streetwire.CONFIRMED, text="0.2.0"), 70)
    assert (updater.stage, updater.share, updater.problem) == (Stage.DONE, 1.0, None)


@pytest.mark.parametrize(
    "said",
    [[hello("0.1.0", boot=3)], [state(streetwire.ROLLED_BACK, text="0.1.0")]],
    ids=["by its hello", "by its standing"],
)
def test_a_node_that_goes_back_is_told(said):
    updater, _ = begun()
    updater.on_message(state(streetwire.READY), 2)
    updater.on_message(hello("0.2.0", boot=2), 10)
    for message in said:
        updater.on_message(message, 20)
    assert updater.problem is not None
    assert (updater.stage, updater.problem.key) == (Stage.FAILED, "error.update-back")


def test_a_node_whose_power_was_cut_before_it_stored_the_switch_is_offered_it_again():
    updater, offer = begun()
    updater.on_message(state(streetwire.READY), 2)
    updater.on_message(hello(boot=2), 10)
    steps = updater.on_message(state(streetwire.REFUSED, text="nothing is ready to be switched to"), 11)
    assert (updater.stage, steps) == (Stage.OFFERING, offer)


def test_a_node_that_was_restarted_goes_on_and_not_for_ever():
    updater, offer = begun()
    for boot in range(2, 2 + MAX_TRIES):
        updater.on_message(state(streetwire.WANTS, 0, boot), boot)
        assert updater.on_message(hello(boot=boot), boot) == offer
        assert updater.on_message(hello(boot=boot), boot) == []
    assert updater.on_message(hello(boot=99), 99) == []
    assert updater.stage is Stage.FAILED


def test_silence_is_asked_again_and_then_a_failure():
    updater, offer = begun()
    assert updater.on_time(RETRY_S - 0.1) == []
    sent = 0
    for turn in range(1, 100):
        sent += updater.on_time(turn * RETRY_S) == offer
    assert sent == MAX_TRIES
    assert updater.problem is not None
    assert updater.problem.key == "error.update-silent"


def test_a_node_that_asks_for_the_same_block_for_ever_is_given_up():
    updater, _ = begun()
    answers = [updater.on_message(state(streetwire.WANTS, 1, 0), 1) for _ in range(3 * MAX_TRIES)]
    assert sum(map(len, answers)) == MAX_TRIES
    assert updater.stage is Stage.FAILED


def test_a_trial_that_never_ends_ends_here():
    updater, _ = begun()
    updater.on_message(state(streetwire.READY), 2)
    updater.on_message(hello("0.2.0", boot=2), 10)
    assert updater.on_time(10 + PROVING_S - 1) == []
    assert not updater.is_over
    updater.on_time(10 + PROVING_S)
    assert updater.problem is not None
    assert updater.problem.key == "error.update-unproven"


def test_nothing_is_offered_to_who_has_it_is_newer_or_of_another_kit():
    assert begun("0.2.0")[0].stage is Stage.DONE
    for said, key in ((hello("0.2.1"), "error.update-older"), (hello(kit="doorway-tof"), "error.update-kit")):
        updater = Updater(KEY, FIRMWARE)
        assert updater.begin(said, 0) == []
        assert updater.problem is not None
        assert updater.problem.key == key


def test_a_refusal_has_the_nodes_own_words():
    updater, _ = begun()
    updater.on_message(state(streetwire.REFUSED, text="no room: 1 bytes, and 0 are free"), 1)
    assert updater.problem is not None
    assert updater.problem.line() == "the node refuses the firmware: no room: 1 bytes, and 0 are free"


VERSIONS, KITS = st.sampled_from(["0.1.0", "0.2.0", "9", ""]), st.sampled_from(["school-pir", "doorway-tof"])
MESSAGES = st.one_of(
    st.builds(state, st.integers(1, 7), st.integers(0, 255), st.integers(0, 700), st.sampled_from(["0.1.0", "0.2.0", "x"])),
    st.builds(hello, VERSIONS, st.integers(0, 9), KITS),
    st.builds(lambda boot: streetwire.Live(KEY.number, 5, boot, 1, 0, 0), st.integers(0, 9)),
)


@given(st.lists(st.tuples(MESSAGES, st.integers(0, 5)), max_size=60))
def test_whatever_a_node_says_there_is_one_answer_at_most_and_none_after_the_end(said):
    updater, _ = begun()
    now_s = 0
    for message, later_s in said:
        was_over = updater.is_over
        now_s += later_s
        steps = updater.on_message(message, now_s) + updater.on_time(now_s)
        assert len(steps) <= 1
        assert not (was_over and steps)
        assert 0 <= updater.share <= 1
        assert (updater.stage is Stage.FAILED) == (updater.problem is not None)
        for step in steps:
            step.kind(KEY.number, 5, *step.fields).encode()
