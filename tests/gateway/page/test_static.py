"""The page's files by themselves: their texts are all there, they ask no other host, and a strict policy allows them."""

import re
import string
import tomllib
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

from gateway.view import State

GATEWAY = Path(str(resources.files("gateway")))
STATIC = GATEWAY / "page" / "static"
FILES = sorted(path for path in STATIC.iterdir() if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]
FROM_ELSEWHERE = {"dygraph.js"}  # the backend serves it out of its own package

TOKEN = re.compile(r"\{\{([a-z0-9-]+)\}\}")
SAID = re.compile(r"""\bsay\(\s*"([a-z0-9-]+)"|\bword: "([a-z0-9-]+)\"""")
COUNTED = re.compile(r"""\b(?:sayCount|counted)\(\s*"([a-z0-9-]+)\"""")
DANGEROUS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setAttribute\(\"style")
NOT_TEXTS = {"language", "words"}
XML_NAMESPACE = "http://www.w3.org/2000/svg"
MOST_BYTES = 80_000
LONGEST_MODULE_LINES = 300


def read(path):
    return path.read_text(encoding="utf-8")


CHOSEN = re.compile(r'say\([^"()]*\? "([a-z0-9-]+)" : "([a-z0-9-]+)"')  # one text or the other


def markup_of_all():
    """Of both pages: the live one, and the one that aiming shows."""
    return read(STATIC / "index.html") + read(STATIC / "aim.html")


def page_words(language):
    return tomllib.loads(read(GATEWAY / f"words.{language}.toml"))["page"]


def used_keys():
    keys = set(TOKEN.findall(markup_of_all())) - NOT_TEXTS
    for module in MODULES:
        text = read(module)
        keys.update(key for pair in SAID.findall(text) for key in pair if key)
        keys.update(key for chosen in CHOSEN.findall(text) for key in chosen)
        keys.update(f"{key}-{number}" for key in COUNTED.findall(text) for number in ("one", "other"))
    return keys


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Markup(HTMLParser):
    """What a policy without inline code has to know of the markup."""

    def __init__(self, text):
        super().__init__()
        self.attributes, self.scripts, self.styles, self.ids, self.references = [], [], 0, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.attributes += [name for name, _ in attrs]
        self.styles += tag == "style"
        if tag == "script":
            self.scripts.append(values)
        if "id" in values:
            self.ids.append(values["id"])
        self.references += [values[name] for name in ("href", "src") if name in values]


@pytest.fixture
def markup():
    return Markup(read(STATIC / "index.html"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_text_the_page_uses_is_in_the_catalogue_and_every_text_there_is_used(language):
    assert used_keys() == set(page_words(language))


def test_both_languages_have_the_same_texts_with_the_same_placeholders():
    english, german = page_words("en"), page_words("de")
    assert list(english) == list(german)
    assert {key: placeholders(text) for key, text in english.items()} == {key: placeholders(text) for key, text in german.items()}


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_text_in_the_markup_has_no_placeholder(language):
    words = page_words(language)
    assert [key for key in TOKEN.findall(markup_of_all()) if key not in NOT_TEXTS and placeholders(words[key])] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_another_host(path):
    text = read(path).replace(XML_NAMESPACE, "")
    assert not re.search(r"https?:|wss?:|[\"'(=]//", text)


def test_the_markup_has_no_inline_code_and_no_inline_style(markup):
    assert [name for name in markup.attributes if name == "style" or name.startswith("on")] == []
    assert markup.styles == 0
    assert all("src" in script or script.get("type") == "application/json" for script in markup.scripts)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_data_never_becomes_markup_or_code(module):
    assert not DANGEROUS.search(read(module))


def test_everything_the_markup_names_is_there(markup):
    files = {path.name for path in FILES} | FROM_ELSEWHERE
    assert {name.removeprefix("/static/") for name in markup.references if name.startswith("/")} <= files
    assert {name[1:] for name in markup.references if name.startswith("#")} <= set(markup.ids)
    assert len(markup.ids) == len(set(markup.ids))


def test_every_state_of_a_node_has_words_and_a_shape(markup):
    assert re.findall(r"^  (\w+): \{ word:", read(STATIC / "overview.js"), re.MULTILINE) == list(get_args(State))
    assert {f"shape-{state}" for state in get_args(State)} <= set(markup.ids)


def test_every_module_is_loaded_ahead():
    assert {f"/static/{module.name}" for module in MODULES} <= set(Markup(markup_of_all()).references)


def test_every_field_that_is_written_is_in_the_markup():
    there = set(re.findall(r'data-field="([a-z0-9-]+)"', markup_of_all()))
    code = "".join(map(read, MODULES))
    made = set(re.findall(r'(?:part\(|"data-field": )"([a-z-]+)"', code))
    written = set(re.findall(r'\b(?:put|field|show|known)\("([a-z0-9-]+)"', code))
    assert written <= there | made


def test_the_page_is_light():
    assert sum(path.stat().st_size for path in FILES) < MOST_BYTES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_are_short_and_their_lines_too(path):
    lines = read(path).splitlines()
    assert max(map(len, lines)) <= 132
    assert path.suffix != ".js" or len(lines) < LONGEST_MODULE_LINES
