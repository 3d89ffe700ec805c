"""The stand-ins for the board offer nothing that the board does not: names and parameters are those of the ESP32's stubs."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SHIMS = ROOT / "tools" / "street" / "shims"
STUBS = ROOT / ".venv" / "stubs"

needs_stubs = pytest.mark.skipif(not STUBS.exists(), reason="the stubs come with `python3 tools/go.py test`")


def parameters(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.posonlyargs + function.args.args if argument.arg not in ("self", "cls")]


def public_functions(path: Path) -> dict[str, set[str]]:
    """`Class.method` or `function` -> every parameter name that it has, over all overloads."""
    found: dict[str, set[str]] = {}

    def take(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                take(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
                names = parameters(node) + [argument.arg for argument in node.args.kwonlyargs]
                found.setdefault(prefix + node.name, set()).update(names)

    take(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def stub_functions(module: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    places = [STUBS / f"{module}.pyi"] if (STUBS / f"{module}.pyi").exists() else sorted((STUBS / module).glob("*.pyi"))
    for path in places:
        for name, names in public_functions(path).items():
            found.setdefault(name, set()).update(names)
    return found


# What the firmware never calls with these words: Partition.find makes them; a level is looked at; the stubs name no argument. Of
# BLE the stubs leave words out that MicroPython's documentation has.
OURS = {
    ("esp32", "Partition.__init__"), ("machine", "Pin.look"), ("machine", "dht_readinto"),
    ("bluetooth", "BLE.config"), ("bluetooth", "BLE.gatts_notify"), ("bluetooth", "BLE.gatts_set_buffer"),
}  # fmt: skip


@needs_stubs
@pytest.mark.parametrize(
    ("folder", "module"),
    [
        ("board", "machine"), ("board", "esp32"), ("board", "onewire"), ("board", "bluetooth"),
        ("clock", "time"), ("clock", "select"),
        ("cycles", "machine"), ("cycles", "esp32"), ("cycles", "time"), ("cycles", "onewire"),
    ],
)  # fmt: skip
def test_a_stand_in_has_only_what_the_board_has(folder, module):
    real = stub_functions(module)
    for name, names in public_functions(SHIMS / folder / f"{module}.py").items():
        if (module, name) in OURS or (name.endswith("__init__") and name not in real):
            continue
        assert name in real, f"{module}.{name} is not in the stubs"
        assert names <= real[name], f"{module}.{name}: {sorted(names - real[name])} not among {sorted(real[name])}"
