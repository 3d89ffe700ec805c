"""The firmware's sources with every number that they compute checked: an ESP32's small int has 31 bits, and no float is one.

A number beyond that is an object on a board's heap, which MicroPython's unix port, with 63 bits and doubles, never shows.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import sys
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent.parent.parent / "firmware"
LIMIT = 1 << 30
_CHECK = "_small"


class NotSmall(AssertionError):
    pass


class _Checks(ast.NodeTransformer):
    """Each operator's result goes through the check; `a += b` becomes `a = check(a + b)`. Functions in `set_up` are left alone."""

    def __init__(self, set_up):
        self._set_up = set_up

    def visit_FunctionDef(self, node):  # noqa: N802  ast's name
        return node if node.name in self._set_up else self.generic_visit(node)

    def visit_BinOp(self, node):  # noqa: N802  ast's name
        return self._checked(self.generic_visit(node))

    def visit_AugAssign(self, node):  # noqa: N802  ast's name
        self.generic_visit(node)
        before = ast.parse(ast.unparse(node.target), mode="eval").body
        after = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
        return ast.copy_location(ast.Assign([node.target], self._checked(after)), node)

    def _checked(self, node):
        return ast.copy_location(ast.Call(ast.Name(_CHECK, ast.Load()), [node, ast.Constant(node.lineno)], []), node)


class Guard(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the modules whose names begin with one of `rooms` with checks, but for the functions named in `set_up`."""

    def __init__(self, rooms, set_up=()):
        self._rooms = rooms
        self._set_up = set_up
        self.numbers = 0  # that were checked

    def find_spec(self, fullname, path, target=None):
        source = FIRMWARE / (fullname.replace(".", "/") + ".py")
        if not fullname.startswith(self._rooms) or not source.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, source, loader=self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        source = Path(module.__spec__.origin)
        tree = _Checks(self._set_up).visit(ast.parse(source.read_text(encoding="utf-8")))
        vars(module)[_CHECK] = lambda value, line: self._small(value, f"{source.name}:{line}")
        exec(compile(ast.fix_missing_locations(tree), source, "exec"), vars(module))

    def _small(self, value, where):
        if isinstance(value, float):
            raise NotSmall(f"{where}: {value} is a float")
        if isinstance(value, int):
            self.numbers += 1
            if not -LIMIT <= value < LIMIT:
                raise NotSmall(f"{where}: {value} does not fit 31 bits")
        return value

    @contextlib.contextmanager
    def loaded(self, name):
        """A fresh module of that name, and below it everything of the firmware and of this folder, loaded anew with checks."""
        ours = (name, "node", "streetwire", *[path.stem for path in Path(__file__).parent.glob("*.py")])
        before = {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] in ours}
        sys.meta_path.insert(0, self)
        try:
            yield importlib.import_module(name)
        finally:
            sys.meta_path.remove(self)
            for key in [key for key in sys.modules if key.split(".")[0] in ours]:
                del sys.modules[key]
            sys.modules.update(before)
