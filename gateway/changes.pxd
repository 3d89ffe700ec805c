"""The C types of changes.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Changes:
    cdef list series
    cdef object _first, _last
    cdef int64_t *first
    cdef int64_t *last

    cdef make_room(self, int64_t width)
    cdef int note(self, int64_t i, int64_t pane) except -1
    @cython.locals(newest_s=int64_t, newest=object, entries=list, first_end=object, i=int64_t, last_start_s=int64_t, length_s=int64_t, last_end_s=int64_t)
    cdef list drain(self, int64_t open_pane, int64_t pane_s, list windows_s)
