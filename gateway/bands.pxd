"""The C types of bands.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Bands:
    cdef int64_t windows, longest, width
    cdef object _sums, _edges, _order, _of_age
    cdef int64_t *edges
    cdef int64_t *sums
    cdef int64_t *order
    cdef unsigned short *of_age

    cdef make_room(self, int64_t width)
    cdef clear(self)
    cdef _use(self, object sums)
    @cython.locals(at=int64_t)
    cdef void change(self, int64_t i, int64_t age, int64_t more_ab, int64_t more_ba, int64_t more_covered_s) noexcept
    @cython.locals(at=int64_t, sums="int64_t *")
    cdef void move(self, int64_t band, int64_t i, int64_t ab, int64_t ba, int64_t covered_s) noexcept
    @cython.locals(start=int64_t, before=int64_t, sums="int64_t *", i=int64_t, at=int64_t, number=int64_t)
    cdef move_all(self, int64_t band, object cells)
    @cython.locals(ab=int64_t, ba=int64_t, covered_s=int64_t, band=int64_t, here=int64_t, to=int64_t)
    cdef void write(self, int64_t i, int64_t *out, int64_t at) noexcept
