"""The record log's torture (log_torture.py) under both interpreters, and proof that it notices when a rule of the log is gone."""

import random

import log_torture
import pytest

from tests.real_parts import needs
from tools import torture_log

CASES = 60_000  # per interpreter; `python -m tools.torture_log --cases 1000000` does more
LOG = torture_log.FIRMWARE / "node" / "log.py"

# name, what stands in the log, what stands there without the rule
MUTANTS = [
    ("crc_is_not_checked", "        return struct.unpack_from(\"<I\", self._entry, _BODY_SIZE)[0] == streetwire.crc32(self._body, incarnation)", "        return True"),
]
