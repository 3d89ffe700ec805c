# Runs before main.py. An exception inside an interrupt needs memory that must be set aside beforehand.
import micropython

micropython.alloc_emergency_exception_buf(100)
