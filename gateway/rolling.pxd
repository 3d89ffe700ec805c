"""The C types of rolling.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t


@cython.locals(rows=int64_t, block=int64_t, start=int64_t, stop=int64_t, n="Py_ssize_t")
cdef _sum_all(const int64_t[::1] cells, int64_t width, const int64_t[::1] spans, int64_t[::1] totals, int64_t[::1] out)

@cython.locals(full=int64_t, row=int64_t)
cdef int64_t _sum_column(
    const int64_t[::1] cells, int64_t span, int64_t start, int64_t stop, int64_t total, int64_t[::1] out, int64_t to
) noexcept

@cython.locals(row=int64_t, at=int64_t, left=int64_t, n=int64_t, total=int64_t)
cdef void _sum_rows(
    const int64_t[::1] cells, int64_t width, int64_t span, int64_t start, int64_t stop,
    int64_t[::1] totals, int64_t first, int64_t[::1] out, int64_t to
) noexcept

cdef void _store(int64_t[::1] out, int64_t at, int64_t total) noexcept
