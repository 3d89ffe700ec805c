"""The C types of rolling.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t

cdef int64_t BLOCK


@cython.locals(
    longest=int64_t, end=int64_t, windows=int64_t, first="const int64_t *", lag="const int64_t *", sums="int64_t *",
    total="int64_t *", at=int64_t, start=int64_t, size=int64_t, n=int64_t
)
cdef _sum_blocks(object cells, int64_t width, object lags, object out)
