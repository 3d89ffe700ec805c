"""tools.torture_adverts: a million hostile adverts in every run; and whatever rule the listener breaks is found."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

import streetwire
from gateway.radio import adverts
from tools import torture_adverts
from tools.torture_adverts import ATTACKS, Street, Told, main, torture
from tools.torturing import Broken


def test_of_a_million_hostile_adverts_none_is_believed(capsys):
    code = main(["--adverts", "1000000", "--seed", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    hostile, genuine = (int(number) for number in re.findall(r"(\d+) (?:adverts|contents)", said))
    assert hostile >= 1_000_000
    assert genuine > 10_000, "too few genuine ones among them to tell that they still come through"


def test_a_run_follows_from_its_seed():
    def state(seed: str) -> list[tuple[int, bytes]]:
        street = Street(seed)
        for _ in range(20):
            street.go_on()
        return [(node.counter, node.said[-1]) for node in street._nodes]

    assert state("1:0") == state("1:0")
    assert state("1:0") != state("1:1")


def test_the_attacker_meets_every_reason_to_refuse(monkeypatch):
    listeners = []
    made = adverts.Listener.__init__

    def noted(self, keys):
        made(self, keys)
        listeners.append(self)

    monkeypatch.setattr(adverts.Listener, "__init__", noted)
    street = Street("1:0")
    while street.told.hostile < 100_000:
        street.go_on()
    met = {reason for listener in listeners for reason, count in listener.refused.items() if count > 100}
    assert met >= {"foreign", "plaintext", "not ours", "size", "forged", "replayed", "not spoken to", "too many forged"}
    assert len(listeners) > 20, "restarts of the gateway"


def broken(words: str) -> Broken:
    with pytest.raises(Broken) as caught:
        torture(50_000, "1")
    assert words in caught.value.rule
    return caught.value


def test_a_listener_that_forgets_its_floor_is_found(monkeypatch):
    believe = adverts._Peer.believe

    def forgets(self, data, steady_ms):
        floor = self.floor
        try:
            return believe(self, data, steady_ms)
        finally:
            self.floor = floor

    monkeypatch.setattr(adverts._Peer, "believe", forgets)
    broken("believed")


def test_a_listener_that_trusts_before_a_conversation_is_found(monkeypatch):
    made = adverts._Peer.__init__

    def trusts(self, key):
        made(self, key)
        self.floor = 0

    monkeypatch.setattr(adverts._Peer, "__init__", trusts)
    broken("replayed")


def test_a_listener_that_does_not_check_the_mic_is_found(monkeypatch):
    class Careless:
        def __init__(self, key, tag_length):
            self._cipher = AESCCM(key, tag_length)

        def decrypt(self, nonce, data, associated_data):
            return self._cipher.encrypt(nonce, data[:-4], associated_data)[:-4]  # the same stream of key bits

    monkeypatch.setattr(adverts, "AESCCM", Careless)
    broken("an advert of the attacker was believed")


def test_a_listener_that_takes_repeats_for_news_is_found(monkeypatch):
    monkeypatch.setattr(adverts._Peer, "is_repeated", lambda self, data: False)
    open_ = adverts._Peer._open

    def lenient(self, data, nonce, sealed, steady_ms):
        self.floor = self.floor and self.floor - 1
        return open_(self, data, nonce, sealed, steady_ms)

    monkeypatch.setattr(adverts._Peer, "_open", lenient)
    broken("believed")


def test_a_listener_that_is_deaf_is_found(monkeypatch):
    def deaf(self, data, steady_ms):
        raise streetwire.WireError("forged", data, "nothing")

    monkeypatch.setattr(adverts._Peer, "believe", deaf)
    assert broken("believed 0 times").data


def test_a_listener_that_grows_is_found(monkeypatch):
    held = []
    hear = adverts.Listener.hear

    def hoards(self, address, data, *rest):
        held.append(bytes(bytearray(data)))
        return hear(self, address, data, *rest)

    monkeypatch.setattr(adverts.Listener, "hear", hoards)
    broken("blocks of memory more")


def test_a_listener_that_gives_up_is_found(monkeypatch):
    monkeypatch.setattr(adverts, "_counter_of", lambda data: 1 // 0)
    broken("ZeroDivisionError")


def test_the_failing_advert_is_said_with_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(torture_adverts, "ATTACKS", (lambda chance, node, other: node.say()[1],))
    assert main(["--adverts", "20000", "--seed", "5", "--processes", "1"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("seed 5: an advert of the attacker was believed")
    assert bytes.fromhex(said[1])


def test_every_attack_differs_from_what_the_node_says_next():
    street = Street("1:0")
    node, other = street._nodes[:2]
    for attack in ATTACKS:
        assert attack(street._chance, node, other) != node.say()[1]


def test_runs_are_added_up():
    assert Told(1, 2) + Told(3, 4) == Told(4, 6)
