"""For all tests: an example may take as long as a busy machine needs; how fast something is shows in a benchmark."""

from hypothesis import settings

settings.register_profile("any-speed", deadline=None)
settings.load_profile("any-speed")
