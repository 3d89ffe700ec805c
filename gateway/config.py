"""TOML -> typed configuration. All mistakes at once, each with file, key, value and what was expected.

Order of precedence: environment `TROTTOIR_SECTION__KEY`, the file, defaults. Secrets are never in the file: it names a file
that holds them, readable by nobody else.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.errors import ConfigError

_ID = r"^[a-z0-9][a-z0-9-]{0,31}$"
_ENVIRONMENT = "TROTTOIR_"
_PAIR = "user and password_file together or neither"
_PLACEHOLDER = re.compile(r"<.*>|example\.(org|com|net)|changeme", re.IGNORECASE)


_NO_OTHER_KEYS = Field(json_schema_extra={"additionalProperties": False})  # what editors need to hear as well


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


class GatewayConfig(_Section):
    id: Annotated[str, Field(pattern=_ID, description="names this gateway in gateway_status")] = "gateway"
    state_dir: Annotated[Path, Field(description="folder of the store")] = Path("/var/lib/trottoir")
    log: Annotated[Literal["text", "json"], Field(description="form of the log on stderr")] = "text"

    _state_dir = field_validator("state_dir", mode="before")(_path)


class SerialConfig(_Section):
    ports: Annotated[list[str], Field(description="serial ports with nodes, best by /dev/serial/by-path/")] = []


class UplinkConfig(_Section):
    enabled: Annotated[bool, Field(description="nothing leaves this machine until true")] = False
    api: Annotated[Literal["v1", "file"], Field(description="v1: InfluxDB 1.x; file: line protocol in files")] = "v1"
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@\\?#]+/?$", description="root of the server")] = "http://127.0.0.1:8086"
    database: Annotated[str, Field(min_length=1, max_length=64)] = "trottoir"
    user: Annotated[str | None, Field(min_length=1)] = None
    password_file: Annotated[Path | None, Field(description="file of mode 0600 that holds the password")] = None
    folder: Annotated[Path, Field(description="where api = file writes")] = Path("/var/lib/trottoir/points")
    batch_points: Annotated[int, Field(ge=1, le=5000)] = 500
    batch_wait_s: Annotated[int, Field(ge=1, le=300, description="how long points wait for company")] = 5

    _paths = field_validator("password_file", "folder", mode="before")(_path)

    @field_validator("url", "database", "user")
    @classmethod
    def _no_placeholder(cls, value: str | None) -> str | None:
        if value is not None and _PLACEHOLDER.search(value):
            raise ValueError("a real value instead of the placeholder")
        return value

    @model_validator(mode="after")
    def _user_has_password(self) -> UplinkConfig:
        if (self.user is None) != (self.password_file is None):
            raise ValueError(_PAIR)
        return self

    def read_password(self) -> str | None:
        """The secret. ConfigError if its file is missing or open to others."""
        if self.password_file is None:
            return None
        try:
            mode = self.password_file.stat().st_mode
            text = self.password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError([f"uplink.password_file: {self.password_file}: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            raise ConfigError([f"uplink.password_file: {self.password_file}: found {error.reason}, expected UTF-8"]) from error
        if not text:
            raise ConfigError([f"uplink.password_file: {self.password_file}: found nothing in it, expected the password"])
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            found = f"mode {stat.S_IMODE(mode):04o}"
            raise ConfigError([f"uplink.password_file: found {found}, expected 0600: chmod 600 {self.password_file}"])
        return text


class SiteConfig(_Section):
    name: Annotated[str, Field(max_length=120, description="for people")] = ""
    a_to_b: Annotated[str, Field(max_length=120, description="what direction ab means here")] = ""
    greatest_per_minute: Annotated[int, Field(ge=1, le=4000, description="most people a minute that can pass")] = 120


class PlacementConfig(_Section):
    site: Annotated[str, Field(pattern=_ID)]
    valid_from: datetime

    @field_validator("valid_from")
    @classmethod
    def _whole_minute(cls, value: datetime) -> datetime:
        if value.tzinfo is None or value.second or value.microsecond:  # TOML's offsets are whole minutes
            raise ValueError("a whole minute with its offset, such as 2026-05-01T00:00:00Z")
        return value


class NodeConfig(_Section):
    """`site` alone is where the node has always been; `placements` is for nodes that have moved."""

    site: Annotated[str | None, Field(pattern=_ID)] = None
    placements: list[PlacementConfig] = []

    @model_validator(mode="after")
    def _has_a_place(self) -> NodeConfig:
        if (self.site is None) == (not self.placements):
            raise ValueError("either site or placements")
        return self


class Config(_Section):
    gateway: GatewayConfig = GatewayConfig()
    serial: SerialConfig = SerialConfig()
    uplink: UplinkConfig = UplinkConfig()
    sites: Annotated[dict[Annotated[str, Field(pattern=_ID)], SiteConfig], _NO_OTHER_KEYS] = {}
    nodes: Annotated[dict[Annotated[str, Field(pattern=r"^tr-[0-9a-f]{6}$")], NodeConfig], _NO_OTHER_KEYS] = {}

    def site_of(self, node: str, at_s: int) -> str | None:
        """Where a node was at a moment; None for an unknown node or before its first placement."""
        config = self.nodes.get(node)
        if config is None or config.site is not None:
            return config.site if config else None
        valid = [p for p in config.placements if p.valid_from.timestamp() <= at_s]
        return max(valid, key=lambda p: p.valid_from).site if valid else None


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """Reads, overrides, checks. ConfigError lists every problem."""
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        except OSError as error:
            raise ConfigError([f"{path}: {error.strerror}"]) from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ConfigError([f"{path}: found {error.reason} in line {line}, expected UTF-8"]) from error
    return parse(text, str(path) if path else "defaults", environment)


def parse(text: str, source: str, environment: Mapping[str, str]) -> Config:
    """The same for text. `source` names it in messages."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{source}: not TOML: {error}"]) from error
    problems, said_by = _override(raw, environment)
    problems += [f"{source}: {problem}" for problem in (*_dangling_sites(raw), *_half_pairs(raw))]
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        details = [detail for detail in error.errors() if detail["msg"] != f"Value error, {_PAIR}"]
        found = [_problem(said_by.get(detail["loc"][:2], source), detail) for detail in details]
        raise ConfigError([*problems, *found]) from error
    if problems:
        raise ConfigError(problems)
    return config


def _override(raw: dict[str, Any], environment: Mapping[str, str]) -> tuple[list[str], dict[tuple[int | str, ...], str]]:
    # Returns problems, and which key was said by which variable.
    problems = []
    said_by: dict[tuple[int | str, ...], str] = {}
    for name, value in environment.items():
        section, double, key = name.removeprefix(_ENVIRONMENT).lower().partition("__")
        if not name.startswith(_ENVIRONMENT) or not double:
            continue
        if section not in Config.model_fields or section in ("sites", "nodes"):
            problems.append(f"environment {name}: found section {section!r}, expected gateway, serial or uplink")
            continue
        if isinstance(raw.setdefault(section, {}), dict):  # else it is a mistake in the file, said with all others
            raw[section][key] = _environment_value(value)
            said_by[section, key] = f"environment {name}"
    return problems, said_by


def _dangling_sites(raw: dict[str, Any]) -> list[str]:
    # Looked up in the raw text, so that it is said together with every other mistake.
    nodes, sites = raw.get("nodes"), raw.get("sites", {})
    problems = []
    if not isinstance(sites, dict):
        return []
    for name, node in nodes.items() if isinstance(nodes, dict) else ():
        if not isinstance(node, dict):
            continue
        placements = node.get("placements")
        listed = placements if isinstance(placements, list) else []
        places = [node.get("site"), *(p.get("site") for p in listed if isinstance(p, dict))]
        problems += [
            f"nodes.{name}: found site {site!r}, expected one that [sites] lists"
            for site in places
            if isinstance(site, str) and site not in sites
        ]
    return problems


def _half_pairs(raw: dict[str, Any]) -> list[str]:
    uplink = raw.get("uplink")
    if not isinstance(uplink, dict) or ("user" in uplink) == ("password_file" in uplink):
        return []
    found = "user" if "user" in uplink else "password_file"
    return [f"uplink: found only {found}, expected {_PAIR}"]


def _environment_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # plain words need no quotes in an environment
        return text


def _problem(source: str, detail: Any) -> str:
    where = [str(part) for part in detail["loc"] if part != "[key]"]
    key = ".".join(where)
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(where[-1], _known_keys(where[:-1]), n=1)
        return f"{source}: {key}: unknown key" + (f"; did you mean {close[0]!r}?" if close else "")
    if detail["type"] == "missing":
        return f"{source}: {key}: missing"
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    for theirs, ours in _PLAIN_WORDS:
        expected = re.sub(theirs, ours, expected)
    found = detail["input"]
    if isinstance(found, str):  # a secret that should not be here is not repeated
        found = re.sub(r"(://)[^/\s]*@", r"\1...@", found)
    shown = "" if isinstance(found, (dict, BaseModel)) else f" found {found!r},"
    return f"{source}: {key + ':' if key else ''}{shown} expected {expected}".replace("  ", " ")


# What the library says -> what a technician understands.
_PLAIN_WORDS = (
    (r"String should match pattern", "text of the pattern"),
    (r"String should have at least (\d+) characters?", r"text of at least \1 character"),
    (r"String should have at most (\d+) characters?", r"text of at most \1 characters"),
    (r"a valid dictionary or instance of \w+", "a table of keys"),
    (r"a valid dictionary", "a table of keys"),
    (r"a valid boolean", "true or false"),
    (r"a valid integer", "a whole number"),
    (r"a valid list", "a list in square brackets"),
    (r"a valid string", "text in quotes"),
    (r"a valid datetime", "a time such as 2026-05-01T00:00:00Z"),
)


def _known_keys(where: list[str]) -> list[str]:
    model: Any = Config
    for part in where:
        annotation = {"sites": SiteConfig, "nodes": NodeConfig}.get(part)
        if annotation is not None:
            model = annotation
        elif part == "placements":
            model = PlacementConfig
        elif part in getattr(model, "model_fields", {}):
            model = model.model_fields[part].annotation
    return list(getattr(model, "model_fields", {}))
