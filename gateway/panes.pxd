"""The C types of panes.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from gateway.bands cimport Bands
from gateway.changes cimport Changes

cdef tuple INSIDE, OUTSIDE
cdef int64_t COUNT_HIGH


@cython.final
cdef class Ring:
    cdef int64_t rows, width, open, open_row, most
    cdef bint is_wide
    cdef bytearray _cells, _used
    cdef object _high
    cdef unsigned char *cells
    cdef unsigned char *used
    cdef uint64_t *high

    cdef make_room(self, int64_t width)
    cdef widen_cells(self)
    cdef _use(self, bytearray cells, object high)
    @cython.locals(row=int64_t)
    cdef int64_t row(self, int64_t age) noexcept
    @cython.locals(cell=int64_t, low=int64_t, high=int64_t, ab=int64_t, ba=int64_t, covered_s=int64_t)
    cdef (int64_t, int64_t, int64_t) read(self, int64_t i, int64_t age) noexcept
    @cython.locals(row=int64_t, cell=int64_t)
    cdef void write(self, int64_t i, int64_t age, int64_t ab, int64_t ba, int64_t covered_s) noexcept
    @cython.locals(at=int64_t, stop=int64_t)
    cdef advance(self, int64_t pane)
    @cython.locals(start=int64_t, stop=int64_t)
    cdef _empty(self, int64_t row)
    @cython.locals(row=int64_t, span=int64_t, found=int64_t)
    cdef int64_t next_used(self, int64_t pane, int64_t stop) noexcept


@cython.final
cdef class Panes:
    cdef int64_t pane_s, last
    cdef uint64_t inverse
    cdef int shift
    cdef Ring ring
    cdef Bands bands
    cdef Changes changes

    cdef make_room(self, int64_t width)
    cdef int64_t pane(self, int64_t time) noexcept
    @cython.locals(pane=int64_t)
    cdef int64_t pane_at(self, str name, int64_t start) except -1
    @cython.locals(age=int64_t)
    cdef object add(self, int64_t i, int64_t pane, int64_t ab, int64_t ba)
    @cython.locals(age=int64_t)
    cdef object set(self, int64_t i, int64_t pane, int64_t ab, int64_t ba, int64_t covered_s)
    @cython.locals(old_ab=int64_t, old_ba=int64_t, old_covered_s=int64_t)
    cdef int put(self, int64_t i, int64_t age, int64_t ab, int64_t ba, int64_t covered_s, bint on_top) except -1
    @cython.locals(ring=Ring, band=int64_t, edge=int64_t)
    cdef advance(self, int64_t pane)
    @cython.locals(at=int64_t)
    cdef _cross(self, int64_t band, int64_t start, int64_t stop)
    @cython.locals(i=int64_t, ab=int64_t, ba=int64_t, covered_s=int64_t)
    cdef _move(self, int64_t band, int64_t age)
