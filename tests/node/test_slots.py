# Which slot starts, whatever happened before; the state is one file that is replaced as a whole.

import json
import os

from dialect import Chance, raises, scratch

from slots import FILE, TRIES, Slots


def folder_of(state=None):
    folder = scratch() + "/"
    if state is not None:
        with open(folder + FILE, "w") as file:
            file.write(state if isinstance(state, str) else json.dumps(state))
    return folder


def put(folder, *paths):
    for path in paths:
        at = path.rfind("/")
        if at > 0:
            os.mkdir(folder + path[:at])
        with open(folder + path, "w"):
            pass


def start(folder):
    """A boot; the slot that it starts."""
    return Slots(folder).choose()


def test_without_a_state_there_are_no_slots():
    slots = Slots(folder_of())
    assert not slots.is_used
    assert not slots.is_on_trial


def test_a_settled_slot_starts_again_and_again_and_nothing_is_written():
    folder = folder_of({"slot": "b", "spare": "a"})
    os.rename(folder + FILE, folder + "kept")
    with open(folder + "kept") as file:
        before = file.read()
    os.rename(folder + "kept", folder + FILE)
    assert [start(folder) for _ in range(10)] == ["b"] * 10
    with open(folder + FILE) as file:
        assert file.read() == before
    assert Slots(folder).other == "a"


def test_new_firmware_has_three_starts_and_then_the_old_is_back():
    folder = folder_of({"slot": "a"})
    Slots(folder).try_out("b", 5)
    assert Slots(folder).is_on_trial
    assert [start(folder) for _ in range(6)] == ["b"] * TRIES + ["a"] * 3
    assert TRIES == 3
    assert Slots(folder).state == {"slot": "a", "failed": "b"}


def test_what_has_proven_itself_stays_and_the_old_is_the_spare():
    folder = folder_of({"slot": "a"})
    Slots(folder).try_out("b", 0)
    assert start(folder) == "b"
    Slots(folder).confirm()
    assert [start(folder) for _ in range(10)] == ["b"] * 10
    assert Slots(folder).state == {"slot": "b", "spare": "a"}


def test_a_slot_that_is_written_to_is_no_spare():
    for before in ({"slot": "b", "spare": "a"}, {"slot": "b", "failed": "a"}):
        folder = folder_of(before)
        Slots(folder).spoil_other()
        assert Slots(folder).state == {"slot": "b"}


def test_a_trial_without_a_spare_settles():
    folder = folder_of({"slot": "a", "tries": 0})
    assert start(folder) == "a"
    assert Slots(folder).state == {"slot": "a"}


def test_a_state_that_nobody_wrote_starts_whatever_can_start():
    wrong = ('{"slot": "c"}', '{"slot": "a", "tries": "x"}', '{"slot":"a","spare":1}', '{"slot": "a", "health": "x"}')
    for text in ("", "{", "[]", "null") + wrong:  # noqa: RUF005
        folder = folder_of(text)
        put(folder, "b/main.py")
        assert start(folder) == "b"
    assert start(folder_of("{")) == "a"


def test_any_bytes_are_a_state_or_none():
    chance = Chance(3)
    folder = folder_of()
    for _ in range(300):
        with open(folder + FILE, "wb") as file:
            file.write(chance.bytes(chance.below(30)))
        assert start(folder) in ("a", "b")


def test_a_try_that_cannot_be_stored_is_not_had():
    folder = folder_of({"slot": "b", "spare": "a", "tries": 2})
    os.mkdir(folder + FILE + ".new")  # nothing can be written there
    for _ in range(5):
        assert start(folder) == "a"
    assert raises(OSError, Slots(folder).confirm)


def test_a_cut_between_writing_and_replacing_leaves_the_old_state():
    folder = folder_of({"slot": "a"})
    with open(folder + FILE + ".new", "w") as file:
        file.write('{"slot": "b", "sp')
    assert start(folder) == "a"
    Slots(folder).try_out("b", 0)
    assert start(folder) == "b"
