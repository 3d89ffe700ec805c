# Runs before main.py. An exception inside an interrupt needs memory that must be set aside beforehand.
import gc

import micropython

micropython.alloc_emergency_exception_buf(100)
# Collected often, also while main.py's modules are loaded: what is kept stands close together, and what is free in one piece.
gc.threshold(8192)
