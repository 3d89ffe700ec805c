"""The message catalogue: both languages say everything, with the same values, and nothing that nobody says."""

from __future__ import annotations

import ast
import errno
import re
from pathlib import Path
from string import Formatter

import pytest

from gateway import words
from gateway.errors import ConfigError, StoreError
from gateway.words import LANGUAGES, Say
from tools import cli

ROOT = Path(__file__).resolve().parents[2]
SAYS = {"t", "text", "Say"}  # their first argument is a key
# ... a key of [error]
ERRORS = {
    "StoreError", "DeviceError", "AdapterError", "PermissionDenied", "UsageError", "UplinkError", "DemoError", "BenchError",
    "BundleError",
}  # fmt: skip
KEYS = sorted(words.catalogue("en"))


def python_files() -> list[Path]:
    return [path for room in ("gateway", "tools") for path in sorted((ROOT / room).rglob("*.py"))]


def constants() -> set[str]:
    """Every text that stands in the code, and every word in the page's files."""
    found: set[str] = set()
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def page_words() -> set[str]:
    files = [path for path in (ROOT / "gateway/page/static").iterdir() if path.suffix in (".js", ".html")]
    return set(re.findall(r"[a-z][a-z0-9-]*", " ".join(path.read_text(encoding="utf-8") for path in files)))


def said() -> list[tuple[str, str]]:
    """(file, key) of every message whose key stands in the code as it is."""
    found = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            for key in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    if name in SAYS:
                        found.append((path.name, key.value))
                    elif name in ERRORS:
                        found.append((path.name, f"error.{key.value}"))
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing_in_any_language(language):
    assert sorted(words.catalogue(language)) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_all_languages_tell_the_same_values(key):
    english = words.catalogue("en")[key]
    for language in LANGUAGES:
        text = words.catalogue(language)[key]
        assert placeholders(text) == placeholders(english), language
        assert text.strip() or not english.strip()


def test_every_message_in_the_code_is_in_the_catalogue():
    assert len(said()) > 100
    assert not [where for where in said() if where[1] not in words.catalogue("en")]


def test_every_message_in_the_catalogue_is_in_the_code():
    code, page = constants(), page_words()
    helps = {f"help.{name.replace(' ', '-')}" for name in cli.COMMANDS}
    helps |= {f"help.{'-'.join(name.split()[:n])}-noun" for name in cli.COMMANDS for n in range(1, len(name.split()))}
    begun = tuple(text for text in code if re.fullmatch(r"[a-z]+\.[a-z-]+-", text))  # of keys that end in a value
    known_to_system = set(errno.errorcode.values())
    unused = []
    for key in KEYS:
        section, _, rest = key.partition(".")
        is_used = key in code or rest in code or key in helps
        is_used = is_used or (section == "system" and rest in known_to_system)
        is_used = is_used or (section == "page" and re.sub(r"-(one|other)$", "", rest) in page)
        is_used = is_used or section == "expected" or key.startswith(begun)  # named by the kind of mistake
        if not is_used:
            unused.append(key)
    assert not unused


def test_a_message_waits_for_its_language_and_so_do_the_messages_in_it():
    inner = Say("config.missing", {"key": "nodes.x.site"})
    outer = Say("config.at", {"source": "street.toml", "problem": inner})
    assert outer.line("en") == "street.toml: nodes.x.site: missing"
    assert outer.line("de") == "street.toml: nodes.x.site: fehlt"
    assert str(outer) == outer.line("en")


def test_what_the_operating_system_says_is_told_in_the_readers_language():
    error = StoreError("lock-unusable", path="/x", found=OSError(errno.EACCES, "Permission denied"))
    assert "found Permission denied" in error.line("en")
    assert "Zugriff verweigert" in error.line("de")
    strange = OSError(errno.EXDEV, "Invalid cross-device link")
    assert "Invalid cross-device link" in StoreError("lock-unusable", path="/x", found=strange).line("de")
    assert "no errno at all" in StoreError("lock-unusable", path="/x", found=OSError("no errno at all")).line("de")


def test_a_key_or_a_value_that_is_not_there_is_a_mistake_of_ours():
    for broken in (Say("error.nonsense"), Say("error.store-full")):
        with pytest.raises(KeyError):
            broken.line()


def test_a_number_has_the_decimal_mark_of_its_language_in_every_form():
    about = {"file": "x", "size_mb": 0.5}
    assert [Say("doctor.store", about).line(language) for language in LANGUAGES] == ["x: whole, 0.5 MB", "x: heil, 0,5 MB"]
    assert "+16,3 % gegen" in Say("demo.complaint-error", {"kind": "x", "error": 16.34, "floor": 15.0}).line("de")


def test_values_are_told_as_they_are_braces_and_all():
    assert "{x}" in Say("config.missing", {"key": "{x}"}).line()


def test_a_list_of_mistakes_is_a_line_each_in_one_language():
    error = ConfigError([Say("config.missing", {"key": "a"}), Say("config.unknown", {"key": "b"})])
    assert error.lines("de") == ["a: fehlt", "b: unbekannter Schlüssel"]
    assert error.line() == "a: missing\nb: unknown key"


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("de",), "de"), (("de_DE.UTF-8",), "de"), (("de-DE,de;q=0.9,en;q=0.8",), "de"), (("en-GB,de;q=0.5",), "en"),
        (("fr-FR,de;q=0.5",), "de"), (("C.UTF-8",), "en"), ((None, "de"), "de"), (("", None), "en"), (("xx", "de-AT"), "de"),
        ((",,;q=1",), "en"), (("DE",), "de"), (("german",), "en"), (("default",), "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_first_that_somebody_wishes_and_we_speak(wishes, language):
    assert words.choose(*wishes) == language
