"""A street with nodes that have no cable: real firmware above a stand-in for Bluetooth, air and gateway in another process."""

import sqlite3

import pytest

from tests.real_parts import needs
from tools.street import books, demo, posts, sights
from tools.street.aerial import Aerial
from tools.street.demo import Plan

MINUTE_MS = 60_000
ON_AIR = [kit for kit in sights.KITS if not kit.has_cable]

pytestmark = [needs("pty")]


class Nobody:
    def tell(self, at_ms, what):
        pass

    def progress(self, now_ms, look):
        pass

    def keep(self, folder):
        pass


@pytest.fixture
def streets(tmp_path, monkeypatch):
    """Makes streets with a node on a cable and one on the air, from the first second on."""
    monkeypatch.setattr(posts, "KITS", (sights.KITS[0], ON_AIR[0]))
    made = []

    def street(interpreter="auto"):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(demo.Street(Plan(seed=5, nodes=2, duration_ms=10 * MINUTE_MS, interpreter=interpreter), folder, Nobody()))
        made[-1].start()
        return made[-1]

    yield street
    for one in made:
        one.close()


def received(street):
    with sqlite3.connect(f"file:{street.folder / 'state' / 'store.db'}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT node, count(*) FROM received WHERE seq > 0 GROUP BY node"))


def run_until_connected(street, aerial):
    for _ in range(60_000 // 10):
        street.world.run_until(street.world.now_ms + 10)
        if aerial.is_connected:
            return
    raise AssertionError("nobody connects within a minute")


def aerial_of(street):
    (post,) = [post for post in street.posts if isinstance(post.link, Aerial)]
    return post, post.link


def closed(street):
    street.stop_gateway()
    return books.close(street.posts, street.folder / "state", street.server, street.start_ms, street.plan.duration_ms)


@pytest.mark.parametrize("interpreter", [pytest.param("micropython", marks=needs("micropython")), "cpython"])
def test_books_close_though_the_gateway_is_killed_and_a_run_can_be_repeated(streets, interpreter):
    runs = []
    for _ in range(2):
        street = streets(interpreter)
        street.run()
        post, _ = aerial_of(street)
        assert received(street)[post.identity.node] >= 9
        result = closed(street)
        assert result["closed"], result["complaints"]
        assert result["stored"] == result["counted"]
        runs.append(result["run"])
    assert runs[0] == runs[1]


@needs("micropython")
def test_a_gateway_that_is_killed_in_a_conversation_is_spoken_to_again(streets):
    street = streets()
    post, aerial = aerial_of(street)
    world = street.world
    run_until_connected(street, aerial)
    world.gateway.kill()
    world.end_gateway()
    assert not aerial.is_connected
    world.run_until(world.now_ms + 3 * MINUTE_MS)  # nobody is there: the node goes on, and says no word twice
    assert len(aerial.standing()) == 3
    street.start_gateway()
    run_until_connected(street, aerial)
    world.run_until(world.now_ms + MINUTE_MS)
    assert received(street)[post.identity.node] >= 3
    assert not aerial.is_connected
