"""How many, on the command line of a tool that proves something: with none of it, it would prove nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """For `type=` of argparse: a whole number from `least` on; everything else is a mistake in the words, exit code 2."""

    def amount(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"found {number}, expected {least} or more")
        return number

    return amount
