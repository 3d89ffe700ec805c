"""The C types of window.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t

cdef object COUNT, TIME
cdef tuple INSIDE, OUTSIDE
cdef int64_t COUNT_HIGH, TIME_HIGH
cdef int64_t LOW_COUNT, LOW_COVERED


@cython.final
cdef class WindowedCounter:
    cdef int64_t _pane_s, _windows, _rows, _series, _capacity, _open, _open_row
    cdef bint _is_wide
    cdef list _windows_s, _changed
    cdef object _indices, _cover_bounds
    cdef int64_t[::1] _by_length, _edges, _lengths_s
    cdef unsigned char[::1] _used
    cdef unsigned short[::1] _counts, _no_counts
    cdef unsigned char[::1] _covered, _no_cover
    cdef unsigned int[::1] _high
    cdef int64_t[::1] _count_sums, _covered_sums
    cdef int64_t[::1] _first, _last

    cdef _make_high(self)
    cdef _advance(self, int64_t pane)
    @cython.locals(at=int64_t, stop=int64_t)
    cdef _cross(self, int64_t band, int64_t pane)
    @cython.locals(cell=int64_t, series=int64_t, n=int64_t)
    cdef _move_row(self, int64_t row, int64_t band)
    cdef void _move_count(self, int64_t band, int64_t n, int64_t count) noexcept
    cdef void _move_cover(self, int64_t band, int64_t n, int64_t seconds) noexcept
    @cython.locals(width=int64_t, at=int64_t, row=int64_t, n=int64_t)
    cdef _clear(self, int64_t start, int64_t stop)
    @cython.locals(row=int64_t, span=int64_t, found=int64_t)
    cdef int64_t _next_used(self, int64_t pane, int64_t stop) noexcept

    @cython.locals(age=int64_t, cell=int64_t)
    cdef object _add(self, int64_t i, int64_t time, int64_t ab, int64_t ba)
    @cython.locals(age=int64_t)
    cdef object _set(self, int64_t i, int64_t pane, int64_t ab, int64_t ba, int64_t covered_s)
    @cython.locals(n=int64_t, age=int64_t, cell=int64_t, accepted=int64_t, late=int64_t)
    cdef _add_all(self, const int64_t[::1] indices, const int64_t[::1] times, const int64_t[::1] ab, const int64_t[::1] ba)
    @cython.locals(n=int64_t, age=int64_t, cell=int64_t)
    cdef _check_sums(self, const int64_t[::1] indices, const int64_t[::1] times, const int64_t[::1] ab, const int64_t[::1] ba)
    @cython.locals(n=int64_t, age=int64_t, accepted=int64_t, late=int64_t)
    cdef _set_all(self, const int64_t[::1] indices, const int64_t[::1] starts, const int64_t[::1] ab, const int64_t[::1] ba, const int64_t[::1] covered)
    @cython.locals(cell=int64_t, high=int64_t, more_ab=int64_t, more_ba=int64_t, more_covered=int64_t)
    cdef int _put(self, int64_t i, int64_t age, int64_t ab, int64_t ba, int64_t covered_s) except -1
    @cython.locals(band=int64_t, total=int64_t, pane=int64_t)
    cdef int _correct(self, int64_t i, int64_t age, int64_t more_ab, int64_t more_ba, int64_t more_covered) except -1

    @cython.locals(i=int64_t)
    cdef _write_all(self, int64_t[::1] flat)
    @cython.locals(ab=int64_t, ba=int64_t, covered_s=int64_t, band=int64_t, total=int64_t, to=int64_t)
    cdef void _write_windows(self, int64_t i, int64_t *out, int64_t at) noexcept
    cdef bint _write_buffer(self, int64_t i, object out) except -1
    @cython.locals(i=int64_t, n=int64_t, newest=int64_t, last_start=int64_t, last_end=int64_t)
    cpdef list corrections(self)

    @cython.locals(row=int64_t)
    cdef int64_t _row(self, int64_t age) noexcept
    cdef int64_t _cell(self, int64_t i, int64_t age) noexcept
    cdef int64_t _ab(self, int64_t cell) noexcept
    cdef int64_t _ba(self, int64_t cell) noexcept
    cdef int64_t _cover_of(self, int64_t cell) noexcept
    cdef int64_t _pane(self, int64_t time) noexcept
    cdef int64_t _index(self, object i) except -1
    @cython.locals(pane=int64_t)
    cdef int64_t _panes(self, str name, int64_t seconds) except -1


@cython.locals(number=int64_t)
cdef int64_t _number(str name, object value, int64_t high, object bounds) except -1
@cython.locals(found=int64_t)
cdef int64_t _first_one(const unsigned char[::1] flags, int64_t start, int64_t span) noexcept
cdef int64_t *_start(int64_t[::1] flat) noexcept
