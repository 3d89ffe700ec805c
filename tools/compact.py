"""Numbers with a name, as they cost nothing on a board.

A module-level number takes memory on a board for its name and for its place in the module, for good; MicroPython's compiler
spares both where it is private and `const`. So a number that only its own file uses becomes `_NAME = const(number)` in the image:
the sources stay readable by both interpreters, and their tests may ask for it.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping


def compact(sources: Mapping[str, str]) -> dict[str, str]:
    """All Python sources of an image, by path -> the same with their numbers as constants."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    words = {path: _words(tree) for path, tree in trees.items()}
    result = {}
    for path, text in sources.items():
        elsewhere = set().union(*(found for other, found in words.items() if other != path))
        result[path] = _rewritten(text, trees[path], elsewhere)
    return result


def _words(tree: ast.AST) -> set[str]:
    """Whatever another file's number could be asked for by."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found |= {node.name, node.asname or node.name}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def _rewritten(text: str, tree: ast.Module, elsewhere: set[str]) -> str:
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    taken |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    renamed: dict[str, str] = {}
    values: dict[int, ast.expr] = {}  # by line
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        name = node.targets[0].id
        if name.upper() != name or not _is_constant(node.value, renamed) or node.lineno != node.end_lineno:
            continue
        private = name if name.startswith("_") else f"_{name}"
        if name in elsewhere | taken or (private != name and private in own):
            continue
        renamed[name] = private
        values[node.lineno] = node.value
    return _as_constants(_with_names(text, renamed), values, renamed)


def _is_constant(value: ast.expr, known: Mapping[str, str]) -> bool:
    """A whole number, or reckoned from such."""
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id not in known:
            return False
        if isinstance(node, ast.Constant) and type(node.value) is not int:
            return False
        if not isinstance(node, ast.Constant | ast.Name | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop | ast.expr_context):
            return False
    return not any(isinstance(node, ast.Div) for node in ast.walk(value))


def _with_names(text: str, renamed: Mapping[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        if token.type == tokenize.NAME and renamed.get(token.string, token.string) != token.string:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + renamed[token.string] + line[column + len(token.string) :]
    return "".join(lines)


def _as_constants(text: str, values: Mapping[int, ast.expr], renamed: Mapping[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for row, value in values.items():
        for node in ast.walk(value):
            if isinstance(node, ast.Name):
                node.id = renamed[node.id]
        name = lines[row - 1].partition("=")[0].strip()
        lines[row - 1] = f"{name} = const({ast.unparse(value)})\n"
    return "".join(lines)
