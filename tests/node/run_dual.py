# Runs one dual test file under MicroPython: `micropython run_dual.py test_minutes` runs every test_* function of it and
# prints the name of each that passed. The first failure ends it with its traceback.

import gc
import sys

module = __import__(sys.argv[1])
for name in sorted(dir(module)):
    if name.startswith("test_"):
        gc.collect()
        getattr(module, name)()
        print(name)
