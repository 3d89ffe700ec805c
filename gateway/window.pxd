"""The C types of window.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t

from gateway.bands cimport Bands
from gateway.panes cimport Panes

cdef object COUNT, TIME
cdef int64_t COUNT_HIGH, TIME_HIGH


@cython.final
cdef class WindowedCounter:
    cdef int64_t _pane_s, _series, _capacity
    cdef list _windows_s
    cdef object _indices, _cover_bounds
    cdef Panes _panes
    cdef Bands _bands

    @cython.locals(i=int64_t, series=int64_t)
    cpdef query_all(self, object out)
    cdef bint _write_buffer(self, int64_t i, object out) except -1
    cdef int64_t _index(self, object i) except -1


@cython.locals(number=int64_t)
cdef int64_t _number(str name, object value, int64_t high, object bounds) except -1
