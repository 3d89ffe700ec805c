"""The message catalogue: a key and its values -> a line in the reader's language.

Every text that a user can meet stands in `words.en.toml` and `words.de.toml`, under the same key and with the same
placeholders. A message is built without a language (`Say`) and gets one where it is shown, so that one error can be German on
the page and English in the log.
"""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

LANGUAGES = ("en", "de")
Language = str  # one of LANGUAGES


@dataclass(frozen=True, slots=True)
class Say:
    """A message that waits for its language. Values may be messages themselves, an OSError, which is told in words,
    or a float, which gets the language's decimal mark."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def line(self, language: Language = "en") -> str:
        return text(self.key, language, **self.values)

    def __str__(self) -> str:
        return self.line()


def text(key: str, language: Language = "en", /, **values: object) -> str:
    """The message in that language. KeyError for a key or a placeholder that is not there: a mistake of ours."""
    return catalogue(language)[key].format(**{name: _told(value, language) for name, value in values.items()})


def room(name: str, language: Language) -> dict[str, str]:
    """All messages of one section, without its name: what the page takes along."""
    start = name + "."
    return {key.removeprefix(start): value for key, value in catalogue(language).items() if key.startswith(start)}


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: Language) -> dict[str, str]:
    """Every message, `section.key` -> text with {placeholders}."""
    raw = (resources.files("gateway") / f"words.{language}.toml").read_text(encoding="utf-8")
    return {f"{section}.{key}": value for section, table in tomllib.loads(raw).items() for key, value in table.items()}


def choose(*wishes: str | None) -> Language:
    """The first wish that names a language we speak: `de`, `de_DE.UTF-8`, `de-DE,de;q=0.9,en;q=0.8`; else English."""
    for wish in wishes:
        for part in (wish or "").split(","):
            name = re.split(r"[-_.;@]", part.strip().lower())[0]
            if name in LANGUAGES:
                return name
    return "en"


def _told(value: object, language: Language) -> object:
    if isinstance(value, Say):
        return value.line(language)
    if isinstance(value, OSError):
        key = f"system.{errno.errorcode.get(value.errno or 0, '')}"
        return catalogue(language).get(key) or value.strerror or str(value)
    if isinstance(value, float) and language == "de":
        return _WithComma(value)
    return value


class _WithComma(float):
    """A number as German writes it, in whatever form a message asks for."""

    def __format__(self, form: str) -> str:
        return super().__format__(form).replace(".", ",")
