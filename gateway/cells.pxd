"""The C types of cells.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t


@cython.locals(n="Py_ssize_t", cell=int64_t, least=int64_t, greatest=int64_t)
cpdef extremes(const int64_t[::1] cells)

@cython.locals(n="Py_ssize_t", added=int64_t)
cpdef int64_t total(const int64_t[::1] cells)
