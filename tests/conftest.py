"""For all tests: an example may take as long as a busy machine needs; how fast something is shows in a benchmark. What is said is
said in English, whatever this machine's language is, unless a test asks for another."""

import os

from hypothesis import settings

settings.register_profile("any-speed", deadline=None)
settings.load_profile("any-speed")

for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"
