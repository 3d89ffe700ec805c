"""What the compiled core takes from C and the source has no words for: each a step for which the source has its own way."""

cimport cython
from cpython.buffer cimport Py_buffer, PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.stdint cimport int64_t
from libc.string cimport memchr

cdef extern from *:
    """
    #if defined(__SSE2__) && defined(__x86_64__)
        #include <emmintrin.h>
        #define trottoir_stream(at, value) _mm_stream_si64((long long *) (at), (long long) (value))
        #define trottoir_fence() _mm_sfence()
    #else
        #define trottoir_stream(at, value) (*(at) = (value))
        #define trottoir_fence()
    #endif
    """
    # A store past the cache, for what is not read again soon: it saves reading the memory that is to be overwritten.
    void stream "trottoir_stream"(int64_t *at, int64_t value) noexcept
    void fence "trottoir_fence"() noexcept


cdef inline int64_t number(object value) except? -1:
    """A Python int, or -1 where it is beyond 64 bit."""
    cdef int beyond = 0
    return PyLong_AsLongLongAndOverflow(value, &beyond)


@cython.cdivision(True)
cdef inline int64_t quotient(int64_t number, int64_t divisor) noexcept:
    """number // divisor of what is not negative. Doubles divide several times as fast, and below 2**53 as exactly: the true
    quotient is at least 1/divisor below the next integer, which is more than the rounding can bridge."""
    if number < <int64_t>1 << 53:
        return <int64_t>(<double>number / <double>divisor)
    return number // divisor


cdef inline int64_t first_one(const unsigned char[::1] flags, int64_t start, int64_t span) noexcept:
    """How far behind `start` the first 1 lies; `span` if there is none before."""
    cdef const unsigned char *found = <const unsigned char *>memchr(&flags[start], 1, <size_t>span)
    return span if found is NULL else found - &flags[start]


cdef inline int64_t *int64_cells(object out, Py_buffer *buffer, int64_t rows, int64_t width) except? NULL:
    """The cells of a plain writable int64 buffer, [rows][width] or flat, which is held until `buffer` is released; else NULL."""
    cdef bint fits
    try:
        PyObject_GetBuffer(out, buffer, PyBUF_ND | PyBUF_FORMAT | PyBUF_WRITABLE)
    except (TypeError, ValueError, BufferError):
        return NULL
    fits = buffer.itemsize == 8 and buffer.format[0] in (ord("q"), ord("l")) and buffer.format[1] == 0
    if buffer.ndim == 1:
        fits = fits and buffer.shape[0] == rows * width
    else:
        fits = fits and buffer.ndim == 2 and buffer.shape[0] == rows and buffer.shape[1] == width
    if fits:
        return <int64_t *>buffer.buf
    PyBuffer_Release(buffer)
    return NULL


cdef inline bint overlap(const int64_t[::1] cells, const int64_t[::1] others) noexcept:
    """Whether they share memory."""
    return &cells[0] < &others[0] + others.shape[0] and &others[0] < &cells[0] + cells.shape[0]
