# Runs before main.py. An exception inside an interrupt needs memory that must be set aside beforehand.
import gc

import micropython

import slots

micropython.alloc_emergency_exception_buf(100)
# Collected often, also while main.py's modules are loaded: what is kept stands close together, and what is free in one piece.
gc.threshold(8192)

slots.chosen = slots.Slots(slots.root())
if slots.chosen.is_used:
    import os
    import time

    import machine

    time.sleep_ms(slots.TECHNICIAN_MS)
    os.chdir(slots.chosen.folder + slots.chosen.choose())  # main.py and all that it imports come from there
    machine.WDT(timeout=slots.WATCHDOG_MS)  # firmware that cannot even start has had its try
