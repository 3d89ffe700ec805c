"""What a node says, in a readable line each. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streetwire
from gateway.results import failed, understand
from gateway.words import Language, Say, text

_NAMES = {
    number: name.lower()
    for name, number in vars(streetwire).items()
    if name in ("HELLO", "RECORD", "LIVE", "ACK", "TIME", "COMMAND", "LOG", "UPDATE", "UPDATE_STATE", "TEST_RESULT", "SIGHT")
}


def kind_name(message: streetwire.Message) -> str:
    """Its kind as a word for data: hello, record, live, ..."""
    return _NAMES.get(message.kind, f"kind-{message.kind}")


def line_of(message: streetwire.Message, language: Language) -> str:
    """One line for a person."""
    if isinstance(message, streetwire.Hello):
        held = message.next_seq - message.first_held if message.first_held else 0
        about = {"kit": message.kit, "firmware": message.firmware, "boot": message.boot, "held": held, "sensors": message.sensors}
        return Say("monitor.hello", {**about, "uptime": _duration(message.uptime_s)}).line(language)
    if isinstance(message, streetwire.Live):
        about = {"ab": message.total_ab, "ba": message.total_ba, "uptime": _duration(message.uptime_s)}
        return Say("monitor.live", {**about, "health": health_words(message, language), "air": _air(message, language)}).line(
            language
        )
    if isinstance(message, streetwire.RecordMessage):
        return _record(message.record).line(language)
    if isinstance(message, streetwire.Log):
        return Say("monitor.log", {"text": message.text}).line(language)
    if isinstance(message, streetwire.TestResult):
        return _results(message).line(language)
    rest = ", ".join(f"{name} {value}" for name, value in fields(message).items() if not isinstance(value, (bytes, list)))
    return f"{kind_name(message)}: {rest}"


def health_words(message: streetwire.Live, language: Language) -> str:
    """What a live message says is wrong."""
    bits = dict(message.objects).get(streetwire.ID_OF["health"], 0)
    wrong = [name for name, bit in streetwire.HEALTH.items() if bits & bit]
    told = [text(f"monitor.health-{name.replace('_', '-')}", language) for name in wrong]
    return ", ".join(told) or text("monitor.well", language)


def fields(message: streetwire.Message) -> dict[str, Any]:
    """Its fields as data: objects by name, bytes as digits."""
    found: dict[str, Any] = {}
    for name, value in vars(message).items():
        if name in ("node", "incarnation"):
            continue
        if name == "record":
            found |= vars(value)
        elif name == "objects":
            found |= _named(value)
        elif isinstance(value, (bytes, bytearray)):
            found[name] = bytes(value).hex()
        else:
            found[name] = value
    if isinstance(message, streetwire.TestResult):
        _, told = understand(message.results)
        found = dict(told)
    return found


def _named(objects: list[tuple[int, int]]) -> dict[str, float]:
    rows = {row[0]: row for row in streetwire.QUANTITIES}
    return {
        rows[number][1]: value / rows[number][3] if rows[number][3] != 1 else value for number, value in objects if number in rows
    }


def _air(message: streetwire.Live, language: Language) -> str:
    named = _named(message.objects)
    if "temperature_c" not in named:
        return ""
    humidity = f" {named['humidity_pct']:.0f} %" if "humidity_pct" in named else ""
    told = f", {named['temperature_c']:.1f} °C{humidity}"
    return told.replace(".", ",") if language == "de" else told


def _record(record: streetwire.Record) -> Say:
    at = f"+{_duration(record.uptime_end_s)}"  # its boot had no time yet
    if record.bin_start:
        at = datetime.fromtimestamp(record.bin_start, UTC).strftime("%Y-%m-%dT%H:%MZ")
    about = {"seq": record.seq, "at": at, "ab": record.d_ab, "ba": record.d_ba, "covered": record.covered_s}
    return Say("monitor.record", about)


def _results(message: streetwire.TestResult) -> Say:
    kind, told = understand(message.results)
    if kind == "aims":
        return Say("monitor.aim", told["counted"])
    wrong = failed(told["checks"])
    if not wrong:
        return Say("monitor.test-good")
    return Say("monitor.test-bad", {"checks": ", ".join(f"{check} {told['checks'][check]['verdict']}" for check in wrong)})


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock
