"""The board's stand-ins against MicroPython's types: no public name, parameter or constant that a board has otherwise."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / ".venv" / "stubs"
SHIMS = ROOT / "tools" / "street" / "shims"
STANDING_IN = [path for name in ("machine", "esp32", "onewire", "time") for path in sorted(SHIMS.glob(f"*/{name}.py"))]
WHOLE = "class Pin:\n IN: int = 1\n def value(self, x=None, /): ...\n def irq(self, /, handler, trigger=3, *, hard=False): ...\n"
# What the street asks, and no firmware: a board has none of it.
OF_THE_STREET = {"WALK_MS", "Pin.look", "Partition.__init__"}
has_stubs = pytest.mark.skipif(not STUBS.exists(), reason="MicroPython's types come with: python3 tools/go.py test")


def named(body, prefix=""):
    """(name, what it is) of every public function, class and constant, and of what classes hold."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from named(node.body, node.name + ".")
        elif isinstance(node, ast.AnnAssign):
            yield prefix + ast.unparse(node.target), node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from [(prefix + ast.unparse(name), one) for name, one in zip(node.targets[0].elts, node.value.elts, strict=True)]
        elif isinstance(node, ast.Assign):
            yield prefix + ast.unparse(node.targets[0]), node.value


def is_public(name):
    return not any(part.startswith("_") and part != "__init__" for part in name.split("."))


def takes_as(shim, board):
    """Whoever may call the stand-in in some way may call the board in the same."""
    of_board = board.args
    if of_board.vararg or of_board.kwarg:
        return True
    positional = [arg.arg for arg in of_board.posonlyargs + of_board.args]
    unnamed = [arg.arg for arg in of_board.posonlyargs]
    by_name = [arg.arg for arg in of_board.args + of_board.kwonlyargs]
    names = [arg.arg for arg in shim.args.args]
    in_order = all(
        name in by_name or (i < len(positional) and positional[i] in unnamed) for i, name in enumerate(names)
    )  # a stand-in may take by position, too, what the board takes by name only
    return in_order and len(positional) - len(of_board.defaults) <= len(names)


def faults_of(shim, board):
    """The names of a stand-in, as source, that the board's types do not bear out."""
    of_board: dict[str, list] = {}
    for name, node in named(ast.parse(board).body):
        of_board.setdefault(name, []).append(node)
    for name, node in named(ast.parse(shim).body):
        others = of_board.get(name, [])
        if not is_public(name):
            continue
        if isinstance(node, ast.FunctionDef):
            is_same = any(isinstance(other, ast.FunctionDef) and takes_as(node, other) for other in others)
        elif isinstance(node, ast.Constant):
            is_same = any(not isinstance(other, ast.Constant) or other.value in (..., node.value) for other in others)
        else:
            is_same = bool(others)
        if not is_same and not (name.endswith(".__init__") and not others):
            yield name


@has_stubs
@pytest.mark.parametrize("path", STANDING_IN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stand_in_has_what_the_board_has(path):
    board = (STUBS / f"{path.stem}.pyi").read_text(encoding="utf-8")
    assert set(faults_of(path.read_text(encoding="utf-8"), board)) <= OF_THE_STREET


def test_every_file_that_stands_for_a_part_of_the_board_is_compared():
    assert len(STANDING_IN) == 2 + 2 + 2 + 2


@pytest.mark.parametrize(
    ("shim", "faults"),
    [
        ("class Pin:\n IN = 1\n _level = 0\n def value(self, level=None): ...\n def irq(self, handler, trigger): ...\n", []),
        ("class Pin:\n IN = 2\n", ["Pin.IN"]),
        ("class Pin:\n IN, OUT = 1, 3\n", ["Pin.OUT"]),
        ("class Pin:\n def toggle(self): ...\n", ["Pin.toggle"]),
        ("class Pin:\n def irq(self, handler, edges): ...\n", ["Pin.irq"]),
        ("class Pin:\n def irq(self): ...\n", ["Pin.irq"]),
        ("class Pin:\n def value(self, x=None, y=None): ...\n", ["Pin.value"]),
        ("def reset(): ...\n", ["reset"]),
    ],
)
def test_what_the_board_has_otherwise_is_found(shim, faults):
    assert list(faults_of(shim, WHOLE)) == faults
