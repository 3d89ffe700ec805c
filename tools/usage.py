"""What the parser of the command line found wrong -> one line in the user's language."""

from __future__ import annotations

import difflib

from cyclopts import App, CycloptsError, exceptions

from gateway.words import Say

_KINDS = {int: "usage.whole-number", float: "usage.number", bool: "usage.yes-or-no"}


def explain(error: CycloptsError) -> Say:
    """The message for an error; the parser's own English where it is of a kind that nobody has met yet."""
    option = _option_of(error)
    command = " ".join(("trottoir", *(error.command_chain or ())))  # whose help is to be read
    match error:
        case exceptions.UnknownOptionError():
            found = error.token.keyword or error.token.value
            known = [name for argument in error.argument_collection for name in argument.names]
            return _unknown("option", found, known, command)
        case exceptions.UnknownCommandError():
            found = (error.unused_tokens or ["?"])[0]
            return _unknown("command", found, _commands(error.app), command)
        case exceptions.UnusedCliTokensError():
            return Say("usage.extra", {"found": " ".join(error.unused_tokens or ["?"]), "command": command})
        case exceptions.RepeatArgumentError():
            return Say("usage.twice", {"option": error.token.keyword or error.token.value, "command": command})
        case exceptions.MissingArgumentError():
            tokens = error.argument.tokens if error.argument else []
            is_named = bool(tokens) or option in (error.root_input_tokens or [])
            return Say("usage.value-missing" if is_named else "usage.missing", {"option": option, "command": command})
        case exceptions.CoercionError():
            return _coercion(error, option)
    return Say("usage.other", {"found": str(error).strip()})


def _coercion(error: exceptions.CoercionError, option: str) -> Say:
    found = repr(error.token.value) if error.token else "?"
    choices = [choice for choice in getattr(error.target_type, "__args__", ()) if isinstance(choice, str)]
    if choices:
        return Say("usage.choice", {"option": option, "found": found, "expected": ", ".join(choices)})
    wanted = (error.target_type, *getattr(error.target_type, "__args__", ()))  # itself, or one of several
    kinds = [_KINDS[kind] for kind in wanted if kind in _KINDS]
    if kinds:
        return Say(kinds[0], {"option": option, "found": found})
    return Say("usage.other", {"found": str(error).strip()})


def _unknown(what: str, found: str, known: list[str], command: str) -> Say:
    about = {"found": found, "command": command}
    close = difflib.get_close_matches(found, known, n=1)
    if close:
        return Say(f"usage.unknown-{what}-meant", {**about, "meant": close[0]})
    return Say(f"usage.unknown-{what}", about)


def _option_of(error: CycloptsError) -> str:
    token = getattr(error, "token", None)
    keyword = getattr(token, "keyword", None)
    return keyword or (error.argument.name if error.argument else "?")


def _commands(app: App | None) -> list[str]:
    return [name for name in app or () if not name.startswith("-")]
