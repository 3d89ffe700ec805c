"""What a checker of the configuration found -> messages that a technician understands, each naming file, key and value."""

from __future__ import annotations

import difflib
import re
from typing import Any

from pydantic import BaseModel

from gateway.words import Say, catalogue

# Where a text has to fit a pattern: which message says what it should look like.
_PATTERNS = {"url": "url", "sites": "sites", "nodes": "nodes"}


def at(source: str | Say, problem: Say) -> Say:
    """A problem with the file or variable that it stands in."""
    return Say("config.at", {"source": source, "problem": problem})


def not_toml(text: str, complaint: str) -> Say:
    """What TOML's reader has found wrong with a text: where, and what stands there, but for a value, which may be a secret."""
    place = re.search(r"at line (\d+)", complaint)  # else it is the end
    lines = text.rstrip().splitlines() or [""]
    line = min(int(place[1]), len(lines)) if place else len(lines)
    key, is_pair, _ = lines[line - 1].partition("=")
    found = f"{key.strip()} = ..." if is_pair else key.strip()
    is_double = "twice" in complaint or "overwrite" in complaint
    return Say("config.toml-twice" if is_double else "config.not-toml", {"line": line, "found": repr(found)})


def explain(model: type[BaseModel], source: str | Say, detail: Any) -> Say:
    """One of pydantic's error details. `model` is the root of what was checked."""
    where = [str(part) for part in detail["loc"] if part != "[key]"]
    key = ".".join(where)
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(where[-1], _known_keys(model, where[:-1]), n=1)
        meant = Say("config.unknown-meant", {"key": key, "meant": close[0]}) if close else Say("config.unknown", {"key": key})
        return at(source, meant)
    if detail["type"] == "missing":
        return at(source, Say("config.missing", {"key": key}))
    expected = _expected(detail)
    found = detail["input"]
    if isinstance(found, (dict, BaseModel)):
        return at(source, Say("config.wrong-table", {"key": key, "expected": expected}))
    if isinstance(found, str):  # a secret that should not be here is not repeated
        found = re.sub(r"(://)[^/\s]*@", r"\1...@", found)
    return at(source, Say("config.wrong", {"key": key, "found": repr(found), "expected": expected}))


def _expected(detail: Any) -> Say | str:
    if detail["type"] == "string_pattern_mismatch":  # a pattern is no word for a technician
        where = detail["loc"][0] if detail["loc"][-1] == "[key]" else detail["loc"][-1]
        return Say(f"expected.key-{_PATTERNS.get(where, 'id')}")
    if detail["type"] == "literal_error":
        choices = re.findall("'[^']*'", detail["ctx"]["expected"])
        return Say("expected.literal_error", {"first": ", ".join(choices[:-1]), "last": choices[-1]})
    key = f"expected.{detail['type']}"
    return Say(key, detail.get("ctx", {})) if key in catalogue("en") else detail["msg"].removeprefix("Input should be ")


def _known_keys(model: Any, where: list[str]) -> list[str]:
    for part in where:
        fields = getattr(model, "model_fields", {})
        if part in fields:
            model = _model_in(fields[part].annotation)
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    # dict[..., X] and list[X] hold X
    return getattr(annotation, "__args__", (annotation,))[-1]


# -- what only the raw text shows, so that it is said together with every other mistake


def dangling_sites(raw: dict[str, Any]) -> list[Say]:
    """Nodes at sites that nobody listed."""
    nodes, sites = raw.get("nodes"), raw.get("sites", {})
    problems: list[Say] = []
    if not isinstance(sites, dict):
        return []
    for name, node in nodes.items() if isinstance(nodes, dict) else ():
        if not isinstance(node, dict):
            continue
        placements = node.get("placements")
        listed = placements if isinstance(placements, list) else []
        places = [node.get("site"), *(p.get("site") for p in listed if isinstance(p, dict))]
        problems += [
            Say("config.dangling-site", {"node": name, "found": site})
            for site in places
            if isinstance(site, str) and site not in sites
        ]
    return problems


def half_pairs(raw: dict[str, Any]) -> list[Say]:
    """A user without a password, or the reverse."""
    uplink = raw.get("uplink")
    if not isinstance(uplink, dict) or ("user" in uplink) == ("password_file" in uplink):
        return []
    return [Say("config.half-pair", {"found": "user" if "user" in uplink else "password_file"})]
