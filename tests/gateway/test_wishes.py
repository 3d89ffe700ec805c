"""gateway.wishes: what a command asks is done once, and nothing else in that folder is touched."""

from __future__ import annotations

from gateway import wishes


def test_who_asks_twice_has_asked_once(tmp_path):
    assert wishes.take(tmp_path) == []
    wishes.ask(tmp_path, wishes.AUDIT)
    wishes.ask(tmp_path, wishes.AUDIT)
    assert wishes.take(tmp_path) == [wishes.AUDIT]
    assert wishes.take(tmp_path) == []


def test_different_wishes_are_all_granted_and_what_is_none_stays(tmp_path):
    for wish in reversed(wishes.KNOWN):
        wishes.ask(tmp_path, wish)
    stranger = tmp_path / "wishes" / "rm"
    stranger.touch()
    assert wishes.take(tmp_path) == list(wishes.KNOWN)
    assert stranger.exists()


def test_a_wish_that_cannot_be_removed_is_not_granted_again_and_again(tmp_path):
    (tmp_path / "wishes" / wishes.AUDIT).mkdir(parents=True)  # no file: unlink refuses it
    wishes.ask(tmp_path, wishes.RESEND)
    assert wishes.take(tmp_path) == [wishes.RESEND]
