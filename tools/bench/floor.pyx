# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What nothing can beat on this machine: the cheapest loops that a compiler makes, and memory that is only moved.

Compiled as the core is, and only for the benches.
"""

from libc.stdint cimport int64_t, uint16_t

cdef extern from *:
    """
    #if defined(__SSE2__) && defined(__x86_64__)
        #include <emmintrin.h>
        #define floor_stream(to, from) _mm_stream_si128((__m128i *) (to), _mm_loadu_si128((const __m128i *) (from)))
        #define floor_fence() _mm_sfence()
    #else
        #define floor_stream(to, from) ((to)[0] = (from)[0], (to)[1] = (from)[1])
        #define floor_fence()
    #endif
    """
    void stream "floor_stream"(int64_t *to, const int64_t *source) noexcept
    void fence "floor_fence"() noexcept

DEF BLOCK = 2048


def add_numbers(const int64_t[::1] slots, const int64_t[::1] numbers, uint16_t[::1] cells):
    """Adds a number a record to the cell that somebody has already found for it: no time, no window, no check."""
    cdef Py_ssize_t n
    for n in range(slots.shape[0]):
        cells[slots[n]] += <uint16_t>numbers[n]


def spread(const int64_t[::1] source, int64_t[:, ::1] out):
    """Reads every number once and writes it to every row of `out`, past the cache: as little as any rolling sum can move.

    The number of cells is even, and rows of `out` begin on 16 bytes.
    """
    cdef Py_ssize_t start, stop, row, n, cells = source.shape[0]
    for start in range(0, cells, BLOCK):
        stop = min(start + BLOCK, cells)
        for row in range(out.shape[0]):
            for n in range(start, stop, 2):
                stream(&out[row, n], &source[n])
    fence()
