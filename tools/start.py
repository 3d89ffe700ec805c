"""First step of the `trottoir` command: the gateway in its plain form is started without the command line's parser.

A gateway that was killed has to be back at once, and a sixth of its start-up would be the parser of commands that it does not
have. Whatever else is said, and every mistake, is the business of `cli`.
"""

from __future__ import annotations

import sys
from pathlib import Path


def plain_run(words: list[str]) -> Path | None:
    """The configuration of `--config FILE run` or `run --config FILE`; None for anything else."""
    match words:
        case ["--config", path, "run"] | ["run", "--config", path] if not path.startswith("-"):
            return Path(path)
    return None


def main() -> int:
    """Entry point of the installed command; the exit code."""
    words = sys.argv[1:]
    path = plain_run(words)
    if path is None:
        from tools import cli

        return cli.main(words)
    try:
        from tools.run_command import run_gateway

        return run_gateway(path)
    except BaseException as error:  # told as by every other command
        from tools import cli

        return cli.end(error, words)


if __name__ == "__main__":
    sys.exit(main())
