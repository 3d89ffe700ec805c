"""Sites, nodes, and which node stood where and when: the sections [sites.ID] and [nodes.ID].

A node has one `site`, since ever and for ever unless `valid_from` and `valid_until` say otherwise, or several `placements` with
those keys, of which the later one that has begun decides. A node whose last stay is over is retired: what it counted before
still lands there, however late it comes, and what it counts after belongs to nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from gateway.sections import ID, Section, mistake

_EVER = -(1 << 62)  # before all times


class SiteConfig(Section):
    name: Annotated[str, Field(max_length=120, description="for people")] = ""
    a_to_b: Annotated[str, Field(max_length=120, description="what direction ab means here")] = ""
    greatest_per_minute: Annotated[int, Field(ge=1, le=4000, description="most people a minute that can pass")] = 120


class _Stay(Section):
    valid_from: Annotated[datetime | None, Field(description="the first minute at the site; without it, since ever")] = None
    valid_until: Annotated[datetime | None, Field(description="the first minute that is no longer of the site")] = None

    @field_validator("valid_from", "valid_until")
    @classmethod
    def _whole_minute(cls, value: datetime | None) -> datetime | None:
        if value is not None and (value.tzinfo is None or value.second or value.microsecond):  # TOML's offsets are whole minutes
            raise mistake("whole_minute")
        return value

    @model_validator(mode="after")
    def _ends_after_its_begin(self) -> _Stay:
        if self.until_s is not None and self.until_s <= self.from_s:
            raise mistake("end_after_begin")
        return self

    @property
    def from_s(self) -> int:
        """The first second, in UTC."""
        return _EVER if self.valid_from is None else int(self.valid_from.timestamp())

    @property
    def until_s(self) -> int | None:
        """The first second after it; None while no end is known."""
        return None if self.valid_until is None else int(self.valid_until.timestamp())


class PlacementConfig(_Stay):
    site: Annotated[str, Field(pattern=ID)]

    @model_validator(mode="after")
    def _is_bounded(self) -> PlacementConfig:
        if self.valid_from is None and self.valid_until is None:
            raise mistake("begin_or_end")
        return self


class NodeConfig(_Stay):
    """`site` is for a node that never moved, `placements` for one that did."""

    name: Annotated[str, Field(max_length=60, description="for people; changing it changes nothing in the data")] = ""
    site: Annotated[str | None, Field(pattern=ID)] = None
    placements: list[PlacementConfig] = []

    @model_validator(mode="after")
    def _has_a_place(self) -> NodeConfig:
        if (self.site is None) == (not self.placements):
            raise mistake("one_place")
        if self.site is None and (self.valid_from or self.valid_until):
            raise mistake("valid_with_site")
        return self

    @property
    def stays(self) -> list[tuple[str, int, int | None]]:
        """(site, first second, first second after it or None), the earliest first."""
        if self.site is not None:
            return [(self.site, self.from_s, self.until_s)]
        return sorted(((found.site, found.from_s, found.until_s) for found in self.placements), key=lambda stay: stay[1])

    def site_at(self, at_s: int) -> str | None:
        """Where it stood at a moment; None where that was nowhere."""
        begun = [stay for stay in self.stays if stay[1] <= at_s]
        site, _, until_s = begun[-1] if begun else (None, 0, None)
        return None if until_s is not None and at_s >= until_s else site

    def next_change(self, at_s: int) -> int | None:
        """The first moment after this one at which it stands elsewhere; None where there is none."""
        edges = {edge for _, *bounds in self.stays for edge in bounds if edge is not None and edge > at_s}
        here = self.site_at(at_s)
        return next((edge for edge in sorted(edges) if self.site_at(edge) != here), None)

    def is_retired(self, at_s: int) -> bool:
        """Whether it stands nowhere, and never will again."""
        return self.site_at(at_s) is None and self.next_change(at_s) is None
