"""What `node add`, `rename`, `retire` and `replace` change in a configuration, and what they refuse. Pure.

The rule behind all four: a minute that is in the books stays where it was counted. So no stay ends before a minute that is booked
already, and a node that takes another one's place begins in the minute in which that one's stay ends.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.config import Config
from gateway.errors import EXIT_ENVIRONMENT, TrottoirError
from gateway.model import PERIOD_S
from gateway.places import NodeConfig
from tools.registry import roll

NewestMinute = Callable[[str], int | None]  # the start of the newest minute of a node in the books; None where there is none


class RegistryError(TrottoirError):
    """What cannot be, by what the configuration and the books say."""

    exit_code = EXIT_ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration's new text, and the message that says what is new; `new_site` where it got one that it did not have."""

    text: str
    told: str
    node: str
    site: str = ""
    at_s: int | None = None
    new_site: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """The configuration as it is: its text and what it means; and the books of its gateway."""

    text: str
    config: Config
    newest_minute: NewestMinute

    def node(self, node: str) -> NodeConfig:
        """A listed one; RegistryError for any other."""
        found = self.config.nodes.get(node)
        if found is None:
            close = difflib.get_close_matches(node, self.config.nodes, n=1)
            raise (
                RegistryError("node-unlisted-meant", node=node, meant=close[0])
                if close
                else RegistryError("node-unlisted", node=node)
            )
        return found


def add(books: Books, node: str, site: str, name: str, at_s: int | None, now_s: int, is_new_site: bool) -> Change:
    """A node gets a site: one that is not listed, or that was retired. Without `at_s` it is there since ever, or, where it was
    elsewhere before, from the next minute on."""
    text, is_made = _with_site(books, site, is_new_site)
    known = books.config.nodes.get(node)
    if known is None:
        told = "registry.added" if at_s is None else "registry.added-at"
        return Change(roll.add_node(text, node, site, name, at_s), told, node, site, at_s, is_made)
    from_s = next_minute(now_s) if at_s is None else at_s
    _expect_free(books, node, known, from_s)
    text = roll.begin_stay(text, node, site, from_s)
    return Change(roll.set_name(text, node, name) if name else text, "registry.added-at", node, site, from_s, is_made)


def rename(books: Books, node: str, name: str) -> Change:
    """A name for people."""
    books.node(node)
    return Change(roll.set_name(books.text, node, name), "registry.renamed", node)


def retire(books: Books, node: str, at_s: int) -> Change:
    """From that minute on it stands nowhere."""
    site = _expect_there(books, node, at_s)
    return Change(roll.end_stay(books.text, node, at_s), "registry.retired", node, site, at_s)


def replace(books: Books, old: str, new: str, at_s: int) -> Change:
    """In that minute one goes and the other comes, to the same site and by the same name."""
    if old == new:
        raise RegistryError("node-same", node=old)
    site = _expect_there(books, old, at_s)
    text = roll.end_stay(books.text, old, at_s)
    name, known = books.node(old).name, books.config.nodes.get(new)
    if known is None:
        return Change(roll.add_node(text, new, site, name, at_s), "registry.replaced", new, site, at_s)
    _expect_free(books, new, known, at_s)
    text = roll.begin_stay(text, new, site, at_s)
    return Change(roll.set_name(text, new, name) if name else text, "registry.replaced", new, site, at_s)


def next_minute(now_s: int) -> int:
    """Nobody has counted in it yet."""
    return (now_s // PERIOD_S + 1) * PERIOD_S


def utc(at_s: int) -> str:
    """A moment as people and data have it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _with_site(books: Books, site: str, is_new_site: bool) -> tuple[str, bool]:
    if site in books.config.sites:
        return books.text, False
    close = difflib.get_close_matches(site, books.config.sites, n=1, cutoff=0.7)
    if close and not is_new_site:  # a slip of the finger makes no site
        raise RegistryError("site-unlisted-meant", site=site, meant=close[0])
    return roll.add_site(books.text, site, site), True


def _expect_there(books: Books, node: str, at_s: int) -> str:
    """The site at which a node stood until that minute; RegistryError where it cannot end there and then."""
    known = books.node(node)
    site = known.site_at(at_s)
    if site is None:
        raise RegistryError("node-nowhere", node=node, at=utc(at_s))
    if known.site_at(at_s - 1) != site:
        raise RegistryError("node-only-comes", node=node, at=utc(at_s))
    change_s = known.next_change(at_s)
    if change_s is not None:
        raise RegistryError("node-leaves", node=node, at=utc(change_s))
    _expect_no_minutes(books, node, at_s)
    return site


def _expect_free(books: Books, node: str, known: NodeConfig, from_s: int) -> None:
    if not known.is_retired(from_s):
        site = known.site_at(from_s) or known.stays[-1][0]
        raise RegistryError("node-elsewhere", node=node, site=site)
    _expect_no_minutes(books, node, from_s)


def _expect_no_minutes(books: Books, node: str, at_s: int) -> None:
    newest_s = books.newest_minute(node)
    if newest_s is not None and newest_s >= at_s:
        raise RegistryError("node-counted", node=node, at=utc(at_s), earliest=utc(newest_s + PERIOD_S))
