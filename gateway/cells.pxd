"""The C types of cells.py, for its compiled form."""

from libc.stdint cimport int64_t


cdef int64_t _most(object cells, int64_t high) except? -1
