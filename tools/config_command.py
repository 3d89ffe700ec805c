"""`trottoir config check` and `config schema`."""

from __future__ import annotations

import json
from pathlib import Path

from gateway import config
from gateway.errors import EXIT_ENVIRONMENT, EXIT_OK, ConfigError
from tools.terminal import shared, show, t


def check(path: Path | None) -> int:
    """All mistakes at once, secrets included."""
    try:
        config.load(path).check_secrets()
    except ConfigError as error:
        show({"ok": False, "problems": error.lines()}, error.line(shared.language))
        return EXIT_ENVIRONMENT
    show({"ok": True, "problems": []}, t("cli.good", file=path or t("cli.defaults")))
    return EXIT_OK


def schema() -> int:
    print(json.dumps(config.Config.model_json_schema(), indent=None if shared.json else 2))
    return EXIT_OK
