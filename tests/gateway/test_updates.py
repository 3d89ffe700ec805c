"""gateway.updates: a wish in the folder becomes a conversation with the node, and whatever comes of it is told there."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import streetwire
from gateway import config, updates
from gateway.errors import BundleError
from gateway.model import Heard, Passport, Received
from gateway.shown import NodeNow
from gateway.updates import Updates
from tools.bundles import make_bundle, public_of

NODE, INCARNATION, NAME = 0xA3F1C2, 7, "tr-a3f1c2"
LINK = "serial:/dev/ttyUSB0"
SIGNER = Ed25519PrivateKey.generate()
FILES = {"main.py": b"m" * 300}


class Node:
    """Behind a driver: writes down what it hears, and answers as firmware with two slots does."""

    def __init__(self, version: str = "0.1.0", silent: bool = False) -> None:
        self.version, self.boot, self.silent = version, 1, silent
        self.heard: list[streetwire.Message] = []
        self.updates: Updates | None = None
        self.size = self.has = 0

    async def send(self, message: streetwire.Message) -> bool:
        self.heard.append(message)
        if not self.silent:
            for answer in self.answer(message):
                self.say(answer)
        return True

    def say(self, message: streetwire.Message) -> None:
        assert self.updates is not None
        self.updates.hear(Received(message.encode(), LINK, 0))

    def hello(self) -> streetwire.Hello:
        return streetwire.Hello(NODE, INCARNATION, self.boot, 60, 1, 9, 1, self.version, "school-pir", "pir,dht22", "esp32")

    def state(self, number: int, file: int = 0, at: int = 0, text: str = "") -> streetwire.UpdateState:
        return streetwire.UpdateState(NODE, INCARNATION, number, file, at, text)

    def answer(self, message: streetwire.Message) -> list[streetwire.Message]:
        if isinstance(message, streetwire.Command) and message.verb == streetwire.SAY_HELLO:
            return [self.hello()]
        if isinstance(message, streetwire.Command) and message.verb == streetwire.ROLL_BACK:
            self.boot, self.version = 2, "0.0.9"
            return [self.hello()]
        if not isinstance(message, streetwire.Update):
            return []
        if message.step == streetwire.OFFER:
            self.size = message.at
            return [self.state(streetwire.WANTS)]
        if message.step == streetwire.BLOCK and (message.file, message.at + len(message.data)) < (1, 300):
            done = message.file == 0 and message.at + len(message.data) == self.size
            return [self.state(streetwire.WANTS, *((1, 0) if done else (message.file, message.at + len(message.data))))]
        if message.step == streetwire.BLOCK:
            return [self.state(streetwire.CHECKS), self.state(streetwire.READY)]
        self.boot, self.version = 2, "0.2.0"
        return [self.hello(), self.state(streetwire.CONFIRMED, text="0.2.0")]


class House:
    """A gateway's folder, and `Updates` on a clock that is moved by hand."""

    def __init__(self, folder, node: Node, link: str = LINK, key: str | None = None) -> None:
        self.folder, self.node, self.now_s = folder, node, 0.0
        (folder / "keys").mkdir()
        path = folder / "keys" / f"{NAME}.key"
        path.write_text(f'node = "{NAME}"\naddress = "24:DC:C3:A3:F1:C4"\nkey = "{bytes(16).hex()}"\n')
        path.chmod(0o600)
        trusted = public_of(SIGNER) if key is None else key
        text = f'[gateway]\nstate_dir = "{folder}"\n' + (f'update_key = "{trusted}"\n' if trusted else "")
        passport = Passport(NODE, INCARNATION, "0.1.0", "school-pir", "esp32", "pir", "dht22")
        now = NodeNow(NAME, 0, Heard(0, link), passport, 0)
        self.updates = Updates(config.parse(text, "test", {}), {link: node}, lambda: [now], lambda: self.now_s)
        node.updates = self.updates

    async def until_over(self, step_s: float = 0.0) -> dict:
        running = asyncio.create_task(self.updates.run())
        async with asyncio.timeout(20):
            while (found := updates.newest(self.folder, NAME)) is None or found["stage"] not in ("done", "failed"):
                self.now_s += step_s
                await asyncio.sleep(0.005)
            while self.updates._going or list((self.folder / "updates").glob("*.bundle")):
                await asyncio.sleep(0.005)
        running.cancel()
        return found


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(updates, "TURN_S", 0.01)


@pytest.fixture
def wished():
    return make_bundle("0.2.0", {"school-pir": FILES}, SIGNER)


def run(house: House, wish: bytes | None, step_s: float = 0.0) -> dict:
    updates.ask(house.folder, NAME, wish)
    return asyncio.run(house.until_over(step_s))


def test_a_bundle_that_is_left_there_reaches_the_node(tmp_path, wished):
    house = House(tmp_path, Node())
    assert run(house, wished) == {
        "node": NAME, "stage": "done", "share": 1.0, "before": "0.1.0", "version": "0.2.0", "problem": None,
    }  # fmt: skip
    sent = b"".join(m.data for m in house.node.heard if isinstance(m, streetwire.Update) and m.step == streetwire.BLOCK and m.file)
    assert sent == FILES["main.py"]
    assert all((m.node, m.incarnation) == (NODE, INCARNATION) for m in house.node.heard)
    assert sorted(path.name for path in (tmp_path / "updates").iterdir()) == [f"{NAME}.json"]


def test_the_way_back(tmp_path):
    found = run(House(tmp_path, Node()), None)
    assert (found["stage"], found["before"], found["version"]) == ("done", "0.1.0", "0.0.9")


def test_an_update_that_was_asked_for_goes_on_in_the_next_gateway(tmp_path, wished):
    first = House(tmp_path, Node(silent=True))
    updates.ask(tmp_path, NAME, wished)

    async def a_moment() -> None:
        task = asyncio.create_task(first.updates.run())
        async with asyncio.timeout(5):
            while updates.newest(tmp_path, NAME) is None:
                await asyncio.sleep(0.005)
        task.cancel()

    asyncio.run(a_moment())
    assert updates.newest(tmp_path, NAME)["stage"] == "waiting"
    (tmp_path / "keys" / f"{NAME}.key").unlink()
    (tmp_path / "keys").rmdir()
    assert asyncio.run(House(tmp_path, Node()).until_over())["stage"] == "done"


@pytest.mark.parametrize("kind", ["bundle", "rollback"])
def test_one_wish_at_a_time(tmp_path, kind, wished):
    updates.ask(tmp_path, NAME, wished if kind == "bundle" else None)
    for again in (wished, None):
        with pytest.raises(BundleError) as found:
            updates.ask(tmp_path, NAME, again)
        assert found.value.key == "update-under-way"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("nonsense", "is no bundle"),
        ("other key", "is not signed"),
        ("other kit", "has no firmware for a school-pir"),
        ("older", "the node runs 0.1.0"),
        ("no key of the node", "no key of tr-a3f1c2"),
        ("nobody is trusted", "update_key is not set"),
    ],
)
def test_what_is_not_given_to_a_node(tmp_path, wrong, says, wished):
    node = Node()
    house = House(tmp_path, node, key="" if wrong == "nobody is trusted" else None)
    bundles = {
        "nonsense": b"nonsense",
        "other key": make_bundle("0.2.0", {"school-pir": FILES}, Ed25519PrivateKey.generate()),
        "other kit": make_bundle("0.2.0", {"doorway-tof": FILES}, SIGNER),
        "older": make_bundle("0.0.1", {"school-pir": FILES}, SIGNER),
    }
    if wrong == "no key of the node":
        (tmp_path / "keys" / f"{NAME}.key").unlink()
    found = run(house, bundles.get(wrong, wished))
    assert found["stage"] == "failed" and says in found["problem"]["en"]
    assert found["problem"]["de"] != found["problem"]["en"]
    assert not any(isinstance(message, streetwire.Update) for message in node.heard)


def test_a_node_that_says_nothing_and_one_without_a_cable_are_told(tmp_path, wished):
    found = run(House(tmp_path, Node(silent=True)), wished, step_s=5.0)
    assert found["stage"] == "failed" and "has not said who it is within 60 s" in found["problem"]["en"]


def test_nodes_on_the_air_are_left_alone(tmp_path, wished):
    node = Node()
    found = run(House(tmp_path, node, link="ble:hci0"), wished)
    assert found["stage"] == "failed" and "has no cable" in found["problem"]["en"]
    assert node.heard == []


def test_other_files_of_the_folder_are_no_wishes(tmp_path):
    house = House(tmp_path, Node())
    (tmp_path / "updates").mkdir()
    for name in ("tr-a3f1c2.new", "TR-A3F1C2.bundle", "tr-a3f1c2.bundle.bak", "x", "tr-zzzzzz.bundle"):
        (tmp_path / "updates" / name).write_text("x")
    house.updates._take_up()
    assert house.updates._going == {}
    (tmp_path / "updates" / f"{NAME}.json").write_text("[]")
    assert updates.newest(tmp_path, NAME) is None


def test_what_others_say_and_noise_change_nothing(tmp_path, wished):
    node = Node()
    house = House(tmp_path, node)
    updates.ask(tmp_path, NAME, wished)
    house.updates._take_up()
    (going,) = house.updates._going.values()
    house.updates.hear(Received(b"\xff\x00noise", LINK, 0))
    house.updates.hear(Received(streetwire.Hello(1, 2, 1, 60, 1, 9, 1, "9", "x", "y", "z").encode(), LINK, 0))
    house.updates.hear(Received(streetwire.Ack(NODE, INCARNATION, 5).encode(), LINK, 0))
    assert not going.heard
    for _ in range(1000):
        node.say(node.hello())
    assert len(going.heard) == updates._HELD


def test_a_disk_that_does_not_take_it_ends_nothing(tmp_path, wished, monkeypatch):
    house = House(tmp_path, Node())
    monkeypatch.setattr(Updates, "_write", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    updates.ask(tmp_path, NAME, wished)

    async def live() -> None:
        running = asyncio.create_task(house.updates.run())
        async with asyncio.timeout(10):
            while house.node.version != "0.2.0" or house.updates._going:
                await asyncio.sleep(0.005)
        running.cancel()

    asyncio.run(live())


def test_the_file_is_whole_at_any_moment(tmp_path, wished):
    found = run(House(tmp_path, Node()), wished)
    assert json.loads((tmp_path / "updates" / f"{NAME}.json").read_text()) == found
