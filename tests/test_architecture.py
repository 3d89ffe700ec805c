"""The import rules of the design, enforced on the syntax tree; and that every part stands in its table."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("firmware", "gateway", "hardware", "tools", "tests")

# What decides must not wait, store, talk or know the time by itself.
PURE = tuple(
    f"gateway/{room}.py"
    for room in (
        "session", "heard", "window", "pipeline", "model", "shown", "schema", "delivery", "probe", "words", "errors", "mistakes",
        "view", "moments", "proofs", "silence", "acceptance", "calendar", "salvage", "tables", "complaints",
        "advertised", "panes", "bands", "changes", "batches", "rolling", "cells", "checked", "due", "rolled", "unsent",
        "places", "results", "radio/adverts", "radio/conversation", "radio/rounds", "radio/watchdog",
    )
)  # fmt: skip
FORBIDDEN_IN_PURE = {
    "asyncio", "sqlite3", "serial", "aioserial", "bleak", "dbus_fast", "influxdb_client", "urllib3", "socket", "time", "random",
    "threading",
}  # fmt: skip
TRANSPORTS = {"serial", "aioserial", "bleak", "dbus_fast", "urllib3", "socket", "http", "influxdb_client", "requests", "aiohttp"}
# Two names of one; a library and the options of its sockets.
ONE_TRANSPORT = {frozenset({"serial", "aioserial"}), frozenset({"urllib3", "socket"})}
# Of drivers and uplinks: what is no part of its own.
LEAVES = {"__init__", "base", "table", "http", "connection", "reading", "tallying", "ble_scanner", "ble_session", "bluez"}
SENSOR_LEAVES = {"crc8", "sensirion", "plausible", "refused", "framed"}  # what parts share, and what judges them
# What a running gateway is made of, and whom of the others each may know; `service` puts them together.
RUNNING = {
    "store_thread": set(),
    "booking": {"store_thread"},
    "intake": {"booking"},
    "sending": {"store_thread"},
    "auditing": {"store_thread"},
    "publishing": {"booking", "sending", "auditing", "store_thread"},
    "minutes": {"booking", "store_thread"},
    "hosting": set(),
    "findings": set(),
    "updates": set(),
}
NODE_WITHOUT_HARDWARE = ("firmware/node/passage", "firmware/node/log.py", "firmware/node/config.py")


def python_files(*places: str) -> list[Path]:
    found = []
    for place in places:
        path = ROOT / place
        found += [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    return [path for path in found if "__pycache__" not in path.parts]


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file; `from a import b` gives a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def top_names(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(path)}


def project_file(name: str) -> Path | None:
    if name == "streetwire":
        return ROOT / "firmware" / "streetwire.py"
    path = ROOT / (name.replace(".", "/") + ".py")
    return path if path.exists() else None


def reachable(path: Path) -> set[str]:
    """Top-level names imported by a file or by any of the project's files that it imports, directly or not."""
    names: set[str] = set()
    seen: set[Path] = set()
    todo = [path]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        names |= top_names(current)
        todo += [found for name in imports_of(current) if (found := project_file(name)) is not None]
    return names


def reached_into(tree: ast.AST) -> list[str]:
    """Private attributes that are taken from anything but oneself."""
    own = {"self", "cls", "super()"}
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    private = [node for node in taken if node.attr.startswith("_") and not node.attr.startswith("__")]
    return [ast.unparse(node) for node in private if ast.unparse(node.value) not in own]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room):
    text = (ROOT / room / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) >= 40


def test_the_wire_protocol_imports_struct_and_binascii_only():
    assert top_names(ROOT / "firmware" / "streetwire.py") == {"struct", "binascii"}


@pytest.mark.parametrize("path", python_files(*NODE_WITHOUT_HARDWARE), ids=relative)
def test_what_decides_on_the_node_knows_no_hardware(path):
    assert not top_names(path) & {"machine", "bluetooth", "esp32", "network"}


@pytest.mark.parametrize("path", python_files("firmware/node"), ids=relative)
def test_only_main_knows_the_board(path):
    assert not top_names(path) & {"machine", "bluetooth", "esp32", "network"}


@pytest.mark.parametrize("path", python_files("firmware"), ids=relative)
def test_no_way_to_scan_radio_or_camera_on_the_node(path):
    names = {node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)}
    assert not names & {"gap_scan", "promiscuous", "camera"}
    assert not top_names(path) & {"network", "camera", "espnow"}


@pytest.mark.parametrize("path", python_files("firmware"), ids=relative)
def test_the_node_speaks_its_dialect(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not top_names(path) & {"dataclasses", "enum", "typing", "math", "collections", "__future__"}
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Match, ast.JoinedStr))]


@pytest.mark.parametrize("name", PURE)
def test_pure_rooms_reach_no_clock_no_storage_and_no_port(name):
    assert not reachable(ROOT / name) & FORBIDDEN_IN_PURE


@pytest.mark.parametrize("path", python_files("gateway/drivers", "gateway/uplink"), ids=relative)
def test_one_file_one_transport(path):
    used = top_names(path) & TRANSPORTS
    assert len(used) <= 1 or used in ONE_TRANSPORT


@pytest.mark.parametrize(("room", "other"), [("drivers", "uplink"), ("uplink", "drivers")])
def test_drivers_and_uplinks_never_see_each_other(room, other):
    leaves = {f"gateway.{room}.{leaf}" for leaf in LEAVES}
    for path in python_files(f"gateway/{room}"):
        names = {name for name in imports_of(path) if name.startswith("gateway.")}
        assert not {name for name in names if name.startswith(f"gateway.{other}")}, path
        siblings = {name for name in names if name.startswith(f"gateway.{room}.")}
        own = {name for name in siblings if any(name == leaf or name.startswith(leaf + ".") for leaf in leaves)}
        assert siblings == own, path


@pytest.mark.parametrize("room", ["drivers", "uplink"])
def test_what_drivers_and_uplinks_share_knows_none_of_them(room):
    table = importlib.import_module(f"gateway.{room}.table")
    parts = {row[0] for rows in (getattr(table, "DRIVERS", {}), getattr(table, "UPLINKS", {})) for row in rows.values()}
    for leaf in LEAVES - {"__init__"}:
        path = ROOT / "gateway" / room / f"{leaf}.py"
        assert not (path.exists() and imports_of(path) & parts), path


def test_the_heavy_client_is_imported_only_when_it_is_chosen():
    code = "import sys, gateway.uplink.table, gateway.uplink.influx_v1, tools.cli; print('influxdb_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": "firmware"})
    assert done.stdout.strip() == "False", done.stderr


def test_only_the_service_knows_both_ends():
    both = [
        relative(path)
        for path in python_files("gateway")
        if any(name.startswith("gateway.drivers") for name in imports_of(path))
        and any(name.startswith("gateway.uplink") for name in imports_of(path))
    ]
    assert both == ["gateway/service.py"]


@pytest.mark.parametrize("name", RUNNING)
def test_the_rooms_of_a_running_gateway_know_of_each_other_what_stands_in_the_table(name):
    known = imports_of(ROOT / "gateway" / f"{name}.py")
    assert {room for room in {*RUNNING, "service"} if f"gateway.{room}" in known} == RUNNING[name]


@pytest.mark.parametrize("path", python_files("gateway"), ids=relative)
def test_no_room_of_the_gateway_reaches_into_another_ones_objects(path):
    assert not reached_into(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", python_files("firmware", "gateway"), ids=relative)
def test_nobody_imports_the_tools(path):
    assert "tools" not in top_names(path)


@pytest.mark.parametrize("path", python_files("firmware", "gateway", "tools", "tests"), ids=relative)
def test_the_wire_has_one_name(path):
    assert not {name for name in imports_of(path) if name.startswith("firmware")}


@pytest.mark.parametrize("path", [p for p in python_files("firmware", "gateway", "tools") if p.name == "__init__.py"], ids=relative)
def test_packages_hold_no_contracts(path):
    assert not ast.parse(path.read_text(encoding="utf-8")).body


@pytest.mark.parametrize(
    ("folder", "table", "names"),
    [
        ("firmware/node/sensors", "node.sensors.table", "PARTS"),
        ("gateway/drivers", "gateway.drivers.table", "DRIVERS"),
        ("gateway/uplink", "gateway.uplink.table", "UPLINKS"),
    ],
)
def test_every_part_stands_in_its_table_and_every_row_has_its_file(folder, table, names):
    rows = {row[0].rpartition(".")[2] for row in getattr(importlib.import_module(table), names).values()}
    files = {path.stem for path in (ROOT / folder).glob("*.py")} - LEAVES
    assert files - SENSOR_LEAVES == rows


def test_the_image_holds_only_what_is_on_the_node():
    others = [p for p in (ROOT / "firmware").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".mpy")]
    assert [relative(path) for path in others] == ["firmware/README.md"]


def test_the_package_lists_every_folder_with_code():
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {relative(p.parent).replace("/", ".") for p in python_files("gateway", "tools") if p.name == "__init__.py"}
    assert folders <= set(settings["packages"])


def test_a_rule_breaker_is_found(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("def f():\n    from time import sleep\n    import urllib3.util\n")
    assert top_names(path) == {"time", "urllib3"}
    assert reached_into(ast.parse("self._a = super()._b(other._c, self.d._e, __name__)")) == ["other._c", "self.d._e"]
