"""Labels for nodes, as an A4 sheet that a browser prints: 24 of 70 x 37 mm, without margins, as many makers have them.

The code says the node's id and no more: no address, nothing that could go out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources

import segno

from tools.terminal import t

PER_SHEET = 24


@dataclass(frozen=True)
class Label:
    """`node` is `tr-a3f1c2`; `name` and `mac` may be empty."""

    node: str
    name: str = ""
    mac: str = ""

    @property
    def title(self) -> str:
        return self.node.upper()


def sheet(labels: list[Label], language: str) -> str:
    """One HTML document, with everything that it needs in it."""
    style = (resources.files("tools.flashing") / "label.css").read_text(encoding="utf-8")
    pages = [labels[at : at + PER_SHEET] for at in range(0, len(labels), PER_SHEET)]
    body = "\n".join(f"<section>\n{''.join(map(_one, page))}</section>" for page in pages)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n<title>{escape(t("label.title"))}</title>\n'
        f"<style>\n{style}</style>\n{body}\n</html>\n"
    )


def _one(label: Label) -> str:
    code = segno.make(label.title, error="m", micro=False).svg_inline(omitsize=True, border=2, svgclass="code", lineclass=None)
    name = f"<p class=name>{escape(label.name)}</p>" if label.name else ""
    mac = f"<p class=mac>{escape(label.mac)}</p>" if label.mac else ""
    return (
        f"<article>{code}<div><h1>{escape(label.title)}</h1>{name}{mac}"
        f"<p class=site><span>{escape(t('label.site'))}</span></p></div></article>\n"
    )
