"""TOML -> typed configuration. All mistakes at once, each with file, key, value and what was expected.

Order of precedence: environment `TROTTOIR_SECTION__KEY`, the file, defaults. Secrets are never in the file: it names a file
that holds them, readable by nobody else, or a systemd credential.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from gateway import mistakes
from gateway.address import Address
from gateway.errors import ConfigError
from gateway.places import NodeConfig, SiteConfig
from gateway.sections import ID, Section, mistake
from gateway.words import Say

_ENVIRONMENT = "TROTTOIR_"
_PLACEHOLDER = re.compile(r"<.*>|example\.(org|com|net)|changeme", re.IGNORECASE)
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[0-9.]+|localhost):(\d{1,5})")  # no name that would have to be looked up
PAGE_OFF = "off"

_NO_OTHER_KEYS = Field(json_schema_extra={"additionalProperties": False})  # what editors need to hear as well


def _is_ip(host: str) -> bool:
    try:
        return host == "localhost" or bool(ip_address(host.strip("[]")))
    except ValueError:
        return False


def _path(value: object) -> object:
    if value == "":
        raise mistake("path_type")
    return Path(value) if isinstance(value, str) else value


class GatewayConfig(Section):
    id: Annotated[str, Field(pattern=ID, description="names this gateway in gateway_status")] = "gateway"
    state_dir: Annotated[Path, Field(description="folder of the store")] = Path("/var/lib/trottoir")
    log: Annotated[Literal["text", "json"], Field(description="form of the log on stderr")] = "text"
    keep_received_days: Annotated[
        int, Field(ge=0, le=40, description="keep what nodes sent, to be replayed by data replay; 0 keeps nothing")
    ] = 0

    store_mb: Annotated[
        int, Field(ge=20, le=100_000, description="beyond that old minutes become quarters of an hour, and then the oldest go")
    ] = 400
    page: Annotated[str, Field(description="address of the live page, 127.0.0.1:8377; off for none")] = "127.0.0.1:8377"
    clock: Annotated[
        Literal["system", "ntp"],
        Field(description="system: believe this machine's clock; ntp: accept nothing before NTP has set it (a Pi without a clock)"),
    ] = "system"
    update_key: Annotated[
        str | None,
        Field(pattern=r"^[0-9a-f]{64}$", description="Ed25519 public key of whom nodes may get firmware from; none: nobody"),
    ] = None
    timezone: Annotated[str, Field(description="where a day on the page begins and ends")] = "Europe/Berlin"

    _state_dir = field_validator("state_dir", mode="before")(_path)

    @field_validator("page")
    @classmethod
    def _is_address(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        if value != PAGE_OFF and (found is None or int(found[2]) > 65535 or not _is_ip(found[1])):
            raise mistake("address")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            raise mistake("timezone") from None
        return value

    @property
    def page_address(self) -> Address | None:
        """Where the page listens; None where it is off."""
        if self.page == PAGE_OFF:
            return None
        host, _, port = self.page.rpartition(":")
        return Address(host.strip("[]"), int(port))


class SerialConfig(Section):
    ports: Annotated[list[str], Field(description="serial ports with nodes, best by /dev/serial/by-path/")] = []


class BleConfig(Section):
    enabled: Annotated[bool, Field(description="hear nodes without a cable, by Bluetooth Low Energy")] = False
    adapter: Annotated[str, Field(pattern=r"^hci[0-9]{1,2}$", description="of this machine, on Linux")] = "hci0"
    scan: Annotated[
        Literal["auto", "passive", "active"],
        Field(description="passive asks nobody anything; active sends requests; auto: passive where that works"),
    ] = "auto"
    keys_dir: Annotated[Path | None, Field(description="folder of the nodes' keys; else keys in gateway.state_dir")] = None

    _paths = field_validator("keys_dir", mode="before")(_path)


class UplinkConfig(Section):
    enabled: Annotated[bool, Field(description="nothing leaves this machine until true")] = False
    api: Annotated[
        Literal["v1", "v2", "file"],
        Field(description="v1: InfluxDB 1.x; v2: InfluxDB 2 and 3, VictoriaMetrics; file: line protocol in files"),
    ] = "v1"
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@\\?#]+/?$", description="root of the server")] = "http://127.0.0.1:8086"
    database: Annotated[str, Field(min_length=1, max_length=64, description="of api = v1")] = "trottoir"
    user: Annotated[str | None, Field(min_length=1, description="of api = v1, with password_file")] = None
    password_file: Annotated[Path | None, Field(description="file of mode 0600 that holds the password")] = None
    org: Annotated[str, Field(max_length=120, description="organisation, of api = v2")] = ""
    bucket: Annotated[str, Field(min_length=1, max_length=120, description="of api = v2")] = "trottoir"
    token_file: Annotated[Path | None, Field(description="file of mode 0600 that holds the token, of api = v2")] = None
    read_token_file: Annotated[Path | None, Field(description="like token_file, to read back with; else that one is used")] = None
    audit_minutes: Annotated[int, Field(ge=1, le=1440, description="how often the server is read back")] = 15
    retention_days: Annotated[int, Field(ge=0, le=36500, description="how long the server keeps points; 0: for ever")] = 0
    folder: Annotated[Path, Field(description="where api = file writes")] = Path("/var/lib/trottoir/points")
    batch_points: Annotated[int, Field(ge=1, le=5000)] = 5000
    batch_wait_s: Annotated[int, Field(ge=1, le=300, description="how long points wait for company")] = 1

    _paths = field_validator("password_file", "token_file", "read_token_file", "folder", mode="before")(_path)

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_good = bool(parts.hostname) and "%" not in parts.netloc and (parts.port or 1) > 0
        except ValueError:  # a port beyond 65535, a bracket without its other
            is_good = False
        if not is_good:
            raise mistake("key-url")
        return value

    @field_validator("url", "database", "user", "org", "bucket")
    @classmethod
    def _no_placeholder(cls, value: str | None) -> str | None:
        if value is not None and _PLACEHOLDER.search(value):
            raise mistake("placeholder")
        return value

    @model_validator(mode="after")
    def _user_has_password(self) -> UplinkConfig:
        if (self.user is None) != (self.password_file is None):
            raise mistake("pair")
        return self

    def read_password(self) -> str | None:
        """The secret. ConfigError if its file is missing or open to others."""
        return _secret("password_file", self.password_file)

    def read_token(self) -> str | None:
        """Like `read_password`, and ConfigError for what no HTTP header can carry: others would quote it when they complain."""
        return _token("token_file", self.token_file)

    def read_read_token(self) -> str | None:
        """The token to read back with: that of `read_token_file`, else the one that points are written with."""
        return _token("read_token_file", self.read_token_file) if self.read_token_file else self.read_token()


def _token(key: str, named: Path | None) -> str | None:
    token = _secret(key, named)
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ConfigError([Say("config.secret-not-a-token", {"key": f"uplink.{key}", "file": named})])
    return token


def _secret(key: str, named: Path | None) -> str | None:
    if named is None:
        return None
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd's, which lets nobody else in
    is_credential = bool(credentials) and not named.is_absolute()
    path = Path(credentials or "", named) if is_credential else named
    about: dict[str, object] = {"key": f"uplink.{key}", "file": path}
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError([Say("config.secret-file", {**about, "found": error})]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Say("config.secret-not-utf8", about)]) from error
    if not text:
        raise ConfigError([Say("config.secret-empty", about)])
    if os.name == "posix" and not is_credential and mode & 0o077:
        raise ConfigError([Say("config.secret-open", {**about, "found": f"{mode:04o}"})])
    return text


class Config(Section):
    gateway: GatewayConfig = GatewayConfig()
    serial: SerialConfig = SerialConfig()
    ble: BleConfig = BleConfig()
    uplink: UplinkConfig = UplinkConfig()
    sites: Annotated[dict[Annotated[str, Field(pattern=ID)], SiteConfig], _NO_OTHER_KEYS] = {}
    nodes: Annotated[dict[Annotated[str, Field(pattern=r"^tr-[0-9a-f]{6}$")], NodeConfig], _NO_OTHER_KEYS] = {}

    @property
    def keys_dir(self) -> Path:
        """Where the nodes' keys are."""
        return self.ble.keys_dir or self.gateway.state_dir / "keys"

    def check_secrets(self) -> None:
        """ConfigError with a problem for each secret that cannot be read."""
        problems: list[Say] = []
        reads = [self.uplink.read_password, self.uplink.read_token]
        if self.uplink.read_token_file not in (None, self.uplink.token_file):
            reads.append(self.uplink.read_read_token)
        for read in reads:
            try:
                read()
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)

    def site_of(self, node: str, at_s: int) -> str | None:
        """Where a node was at a moment; None for an unknown node, and where that was nowhere."""
        config = self.nodes.get(node)
        return config.site_at(at_s) if config else None

    def next_change(self, node: str, at_s: int) -> int | None:
        """The first moment after this one at which a node stands elsewhere; None where there is none."""
        config = self.nodes.get(node)
        return config.next_change(at_s) if config else None


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Config:
    """Reads, overrides, checks. ConfigError lists every problem."""
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        except OSError as error:
            raise ConfigError([Say("config.system", {"file": path, "found": error})]) from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            problem = Say("config.not-utf8", {"found": f"0x{error.object[error.start]:02x}", "line": line})
            raise ConfigError([mistakes.at(str(path), problem)]) from error
    return parse(text, str(path) if path else "defaults", environment)


def parse(text: str, source: str, environment: Mapping[str, str]) -> Config:
    """The same for text. `source` names it in messages."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([mistakes.at(source, mistakes.not_toml(text, str(error)))]) from error
    problems, said_by = _override(raw, environment)
    problems += [mistakes.at(source, problem) for problem in (*mistakes.dangling_sites(raw), *mistakes.half_pairs(raw))]
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        details = [detail for detail in error.errors() if detail["type"] != "pair"]  # said by half_pairs
        found = [mistakes.explain(Config, said_by.get(detail["loc"][:2], source), detail) for detail in details]
        raise ConfigError([*problems, *found]) from error
    if problems:
        raise ConfigError(problems)
    return config


def _override(raw: dict[str, Any], environment: Mapping[str, str]) -> tuple[list[Say], dict[tuple[int | str, ...], str | Say]]:
    # Returns problems, and which key was said by which variable.
    problems: list[Say] = []
    said_by: dict[tuple[int | str, ...], str | Say] = {}
    known = [name for name in Config.model_fields if name not in ("sites", "nodes")]
    for name, value in environment.items():
        section, double, key = name.removeprefix(_ENVIRONMENT).lower().partition("__")
        if not name.startswith(_ENVIRONMENT) or not double:
            continue
        if section not in known:
            problems.append(Say("config.section", {"name": name, "found": section, "expected": ", ".join(known)}))
            continue
        if isinstance(raw.setdefault(section, {}), dict):  # else it is a mistake in the file, said with all others
            raw[section][key] = _environment_value(value)
            said_by[section, key] = Say("config.environment", {"name": name})
    return problems, said_by


def _environment_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # plain words need no quotes in an environment
        return text
