# New firmware proves itself or goes; a restart loses nobody.

import streetwire
from node import upkeep as room
from node.upkeep import GIVE_UP_MS, IDLE_MS, PROVEN_MS, Upkeep
from streetwire import HEALTH


class Slots:
    folder = "nowhere/"

    def __init__(self, state):
        self.state = state or {}
        self.tried = []
        self.is_full = False

    @property
    def is_used(self):
        return "slot" in self.state

    @property
    def is_on_trial(self):
        return "tries" in self.state

    other = "b"

    def spoil_other(self):
        pass

    def confirm(self):
        if self.is_full:
            raise OSError(28)
        self.state = {"slot": self.state["slot"], "spare": "b"}

    def try_out(self, slot, health):
        if self.is_full:
            raise OSError(28)
        self.tried.append((slot, health))


class FakeUpdate:
    is_ready = False

    def __init__(self, *arguments):
        self.heard = []
        self.is_closed = False

    def on_message(self, message):
        self.heard.append(message)

    def work(self):
        pass

    def news(self):
        return (streetwire.READY, 0, 0, "") if self.is_ready else None

    def told(self):
        pass

    def close(self):
        self.is_closed = True


class Node:
    def __init__(self, state, has_key=True):
        self.slots = Slots(state)
        self.lines = []
        self.told = []
        self.has_room = True
        secrets = (lambda data: bytes(32), None) if has_key else None
        who = (7, "0.2.0", "school-pir")
        self.upkeep = Upkeep(self.slots, who, lambda: secrets, None, self.send, lambda level, text: self.lines.append(text))

    def send(self, kind, *fields):
        if self.has_room:
            self.told.append(kind(7, 1, *fields))
        return self.has_room

    def states(self):
        told, self.told = [(message.state, message.text) for message in self.told], []
        return told

    def hear(self, step, now_ms=0, health=0):
        self.upkeep.on_update(streetwire.Update(7, 1, step, 0, 100, bytes(32)), health, now_ms)


TRIAL = {"slot": "a", "spare": "b", "tries": 2, "health": 0}


def test_firmware_on_trial_is_confirmed_when_it_ran_was_heard_and_nothing_is_worse():
    for at_ms, health, is_acked, is_confirmed in (
        (PROVEN_MS, 0, True, True),
        (PROVEN_MS - 100, 0, True, False),
        (PROVEN_MS, 0, False, False),
        (PROVEN_MS, HEALTH["counter_silent"], True, False),
        (PROVEN_MS, HEALTH["log_failed"], True, False),
        (PROVEN_MS, HEALTH["blocked"] | HEALTH["supply_low"], True, True),
    ):
        node = Node(dict(TRIAL))
        node.upkeep.beat(at_ms, health, is_acked)
        assert node.slots.is_on_trial != is_confirmed
        assert not node.upkeep.is_restart_due


def test_what_was_wrong_before_does_not_speak_against_new_firmware():
    node = Node(dict(TRIAL, health=HEALTH["counter_silent"]))
    node.upkeep.beat(PROVEN_MS, HEALTH["counter_silent"], True)
    assert not node.slots.is_on_trial


def test_what_does_not_prove_itself_starts_anew():
    node = Node(dict(TRIAL))
    node.upkeep.beat(GIVE_UP_MS - 100, 0, False)
    assert not node.upkeep.is_restart_due
    node.upkeep.beat(GIVE_UP_MS, 0, False)
    assert node.upkeep.is_restart_due
    assert node.lines[-1] == "firmware 0.2.0 has not proven itself"


def test_settled_firmware_never_starts_anew_by_itself():
    node = Node({"slot": "a"})
    node.upkeep.beat(100 * GIVE_UP_MS, HEALTH["counter_silent"], False)
    assert not node.upkeep.is_restart_due


def test_a_confirmation_that_cannot_be_stored_is_tried_again():
    node = Node(dict(TRIAL))
    node.slots.is_full = True
    node.upkeep.beat(PROVEN_MS, 0, True)
    assert node.slots.is_on_trial
    node.slots.is_full = False
    node.upkeep.beat(PROVEN_MS + 100, 0, True)
    assert not node.slots.is_on_trial


def test_what_it_stands_on_is_told_at_the_start_and_with_every_hello():
    for state, said in (
        (dict(TRIAL), streetwire.ON_TRIAL),
        ({"slot": "a"}, streetwire.CONFIRMED),
        ({"slot": "a", "failed": "b"}, streetwire.ROLLED_BACK),
    ):
        node = Node(state)
        node.has_room = False
        node.upkeep.beat(0, 0, False)
        node.has_room = True
        node.upkeep.beat(100, 0, False)
        node.upkeep.beat(200, 0, False)
        assert node.states() == [(said, "0.2.0")]
        node.upkeep.on_hello()
        node.upkeep.beat(300, 0, False)
        assert node.states() == [(said, "0.2.0")]
    by_hand = Node(None)
    by_hand.upkeep.beat(0, 0, False)
    assert by_hand.states() == []


def test_a_confirmation_is_told():
    node = Node(dict(TRIAL))
    node.upkeep.beat(0, 0, False)
    node.upkeep.beat(PROVEN_MS, 0, True)
    assert node.states() == [(streetwire.ON_TRIAL, "0.2.0"), (streetwire.CONFIRMED, "0.2.0")]


def test_a_restart_is_for_the_next_tick():
    node = Node({"slot": "a"})
    node.upkeep.on_command(streetwire.SAY_HELLO, 0)
    assert not node.upkeep.is_restart_due
    node.upkeep.on_command(streetwire.RESTART, 0)
    assert node.upkeep.is_restart_due


def test_going_back_needs_something_to_go_back_to():
    node = Node({"slot": "a", "spare": "b"})
    node.upkeep.on_command(streetwire.ROLL_BACK, 5)
    assert node.slots.tried == [("b", 5)]
    assert node.upkeep.is_restart_due
    for state in ({"slot": "a"}, {"slot": "a", "failed": "b"}, None):
        node = Node(state)
        node.upkeep.on_command(streetwire.ROLL_BACK, 5)
        assert node.states() == [(streetwire.REFUSED, "there is no other firmware on this node")]
        assert not node.upkeep.is_restart_due


def test_who_cannot_be_updated_says_why():
    for state, has_key, why in (
        (None, True, "put up by hand: this node has no slots"),
        ({"slot": "a"}, False, "this node has no key"),
        (dict(TRIAL), True, "the firmware is on trial"),
    ):
        node = Node(state, has_key)
        node.hear(streetwire.OFFER)
        assert node.states() == [(streetwire.REFUSED, why)]


def with_fake_update(check):
    import node.update

    whole = node.update.Update
    node.update.Update = FakeUpdate
    try:
        check()
    finally:
        node.update.Update = whole


def test_only_what_is_ready_is_switched_to():
    def check():
        node = Node({"slot": "a"})
        node.hear(streetwire.SWITCH)
        assert node.states() == [(streetwire.REFUSED, "nothing is ready to be switched to")]
        node.hear(streetwire.OFFER)
        node.hear(streetwire.SWITCH)
        assert node.states() == [(streetwire.REFUSED, "nothing is ready to be switched to")]
        assert not node.slots.tried
        FakeUpdate.is_ready = True
        node.hear(streetwire.SWITCH, health=3)
        FakeUpdate.is_ready = False
        assert node.slots.tried == [("b", 3)]
        assert node.upkeep.is_restart_due

    with_fake_update(check)


def test_a_switch_that_is_said_again_does_not_lead_back():
    def check():
        node = Node({"slot": "a", "spare": "b"})
        node.hear(streetwire.OFFER)
        FakeUpdate.is_ready = True
        for _ in range(3):
            node.hear(streetwire.SWITCH)
            node.upkeep.on_command(streetwire.ROLL_BACK, 0)
        FakeUpdate.is_ready = False
        assert node.slots.tried == [("b", 0)]

    with_fake_update(check)


def test_a_switch_that_cannot_be_stored_is_refused():
    def check():
        node = Node({"slot": "a"})
        node.slots.is_full = True
        node.hear(streetwire.OFFER)
        FakeUpdate.is_ready = True
        node.hear(streetwire.SWITCH)
        FakeUpdate.is_ready = False
        assert node.states()[0][0] == streetwire.REFUSED
        assert not node.upkeep.is_restart_due

    with_fake_update(check)


def test_an_update_that_nobody_goes_on_with_is_put_away():
    def check():
        node = Node({"slot": "a"})
        node.hear(streetwire.OFFER, now_ms=1000)
        held = node.upkeep._update
        node.upkeep.beat(1000 + IDLE_MS, 0, True)
        assert not held.is_closed
        node.upkeep.beat(1001 + IDLE_MS, 0, True)
        assert held.is_closed
        node.hear(streetwire.OFFER, now_ms=2 * IDLE_MS)
        assert node.upkeep._update is not held

    with_fake_update(check)


def test_the_room_is_light_until_an_update_comes():
    assert not hasattr(room, "Update")
