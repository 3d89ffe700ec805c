"""`trottoir doctor`: says what it finds, mends what it may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.errors import EXIT_OK
from tools.doctor import examine
from tools.finding import BAD, GOOD, Finding
from tools.terminal import shared, show, t


def run_doctor(path: Path | None, fix: bool) -> int:
    """0 if nothing is bad, or was mended; else 1, or 10 where there is no Bluetooth adapter for nodes that need one."""
    rows = [_mend(finding) if fix and finding.fix is not None else finding for finding in examine(path)]
    code = max((finding.exit_code for finding in rows if finding.level == BAD), default=EXIT_OK)
    is_good = code == EXIT_OK
    found = [{"check": f.check, "level": f.level, "detail": f.detail.line()} for f in rows]
    lines = [f"{t('doctor.' + f.level):<8} {f.detail.line(shared.language)}" for f in rows]
    if any(f.fix is not None for f in rows):
        lines.append(t("doctor.may-fix"))
    lines.append(t("doctor.all-good" if is_good else "doctor.not-good"))
    show({"ok": is_good, "checks": found}, "\n".join(lines))
    return code


def _mend(finding: Finding) -> Finding:
    assert finding.fix is not None
    try:
        finding.fix()
    except OSError:
        return replace(finding, detail=finding.unfixed or finding.detail, fix=None)
    return Finding(finding.check, GOOD, finding.fixed or finding.detail)
