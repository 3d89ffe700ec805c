"""What the compiled core takes from C and the source has no words for: each a step for which the source has its own way."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.buffer cimport Py_buffer, PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memmove, memset

cdef extern from "Python.h":
    Py_buffer *PyMemoryView_GET_BUFFER(object view)

cdef extern from *:
    """
    #if defined(__GNUC__)
        /* The empty instruction keeps the compiler from leaving out a loop that does nothing else. */
        #define trottoir_prefetch(at) do { __builtin_prefetch((at), 1); __asm__ volatile (""); } while (0)
    #else
        #define trottoir_prefetch(at) ((void) (at))
    #endif

    #if defined(__SSE2__) || defined(_M_X64)
        #include <emmintrin.h>
        #define trottoir_fence() _mm_sfence()
    #else
        #define trottoir_fence()
    #endif

    #if defined(__linux__)
        /* In large pages where the kernel has them and there are some: else it hands out much memory by 4 kB, each at a fault. */
        #include <sys/mman.h>
        static void trottoir_enlarge_pages(char *memory, ptrdiff_t size_b) {
            ptrdiff_t before = (ptrdiff_t)(-(uintptr_t)memory & 4095);
            if (size_b >= 1 << 22)
                (void)madvise(memory + before, (size_t)(size_b - before), MADV_HUGEPAGE);
        }
    #else
        #define trottoir_enlarge_pages(memory, size_b)
    #endif

    #if defined(__GNUC__) && defined(__x86_64__)
        /* All is compiled for SSE2, which every x86-64 has; whether this one has AVX2 was asked when the module was loaded. */
        #include <immintrin.h>
        #define trottoir_has_avx2() __builtin_cpu_supports("avx2")

        __attribute__((target("avx2")))
        static void trottoir_subtract_avx2(const int64_t *totals, ptrdiff_t lag, ptrdiff_t n, int64_t *out) {
            const int64_t *before = totals - lag;
            ptrdiff_t k = 0;
            for (; k < n && ((uintptr_t)(out + k) & 31); k++) /* all of them where it lies across its own eight bytes */
                _mm_stream_si64((long long *)(out + k), (long long)((uint64_t)totals[k] - (uint64_t)before[k]));
            for (; k + 8 <= n; k += 8) {
                __m256i one = _mm256_loadu_si256((const __m256i *)(totals + k));
                __m256i two = _mm256_loadu_si256((const __m256i *)(totals + k + 4));
                one = _mm256_sub_epi64(one, _mm256_loadu_si256((const __m256i *)(before + k)));
                two = _mm256_sub_epi64(two, _mm256_loadu_si256((const __m256i *)(before + k + 4)));
                _mm256_stream_si256((__m256i *)(out + k), one);
                _mm256_stream_si256((__m256i *)(out + k + 4), two);
            }
            for (; k < n; k++)
                _mm_stream_si64((long long *)(out + k), (long long)((uint64_t)totals[k] - (uint64_t)before[k]));
        }
    #else
        #define trottoir_has_avx2() 0
        #define trottoir_subtract_avx2(totals, lag, n, out)
    #endif

    static void trottoir_subtract(const int64_t *totals, ptrdiff_t lag, ptrdiff_t n, int64_t *out) {
        const int64_t *before = totals - lag;
        ptrdiff_t k = 0;
        if (trottoir_has_avx2()) {
            trottoir_subtract_avx2(totals, lag, n, out);
            return;
        }
    #if defined(__SSE2__) || defined(_M_X64)
        if (n && ((uintptr_t)out & 8)) {
            out[0] = (int64_t)((uint64_t)totals[0] - (uint64_t)before[0]);
            k = 1;
        }
        for (; !((uintptr_t)(out + k) & 15) && k + 4 <= n; k += 4) { /* not where it lies across its own eight bytes */
            __m128i one = _mm_loadu_si128((const __m128i *)(totals + k));
            __m128i two = _mm_loadu_si128((const __m128i *)(totals + k + 2));
            one = _mm_sub_epi64(one, _mm_loadu_si128((const __m128i *)(before + k)));
            two = _mm_sub_epi64(two, _mm_loadu_si128((const __m128i *)(before + k + 2)));
            _mm_stream_si128((__m128i *)(out + k), one);
            _mm_stream_si128((__m128i *)(out + k + 2), two);
        }
    #endif
        for (; k < n; k++)
            out[k] = (int64_t)((uint64_t)totals[k] - (uint64_t)before[k]);
    }
    """
    # out[k] = totals[k] - totals[k - lag], past the cache where the machine can: who reads it does so much later, and the
    # memory that is to be overwritten need not be read before.
    void subtract "trottoir_subtract"(const int64_t *totals, int64_t lag, int64_t n, int64_t *out) noexcept
    # Afterwards all of this is in memory.
    void fence "trottoir_fence"() noexcept
    void enlarge_pages "trottoir_enlarge_pages"(char *memory, ptrdiff_t size_b) noexcept
    # Asks for memory that is soon to be written.
    void prefetch "trottoir_prefetch"(const void *at) noexcept


# --- numbers

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


cdef inline int64_t exact_quotient(int64_t number, uint64_t inverse, int shift) noexcept:
    """number / divisor without dividing, where the divisor is an odd number << shift and `inverse` undoes that odd number
    modulo 2**64. Every number has a result of its own, so one that is no multiple has one beyond those of all multiples."""
    cdef uint64_t odd = <uint64_t>number * inverse
    return <int64_t>(odd >> shift | odd << (-shift & 63))


# --- memory

cdef inline object untouched(Py_ssize_t size_b):
    """Bytes that hold anything, for who writes them all: to write zeros first would take longer than rolling sums do."""
    memory = PyByteArray_FromStringAndSize(NULL, size_b)
    enlarge_pages(PyByteArray_AS_STRING(memory), size_b)
    return memory


# Where the cells of an array or memoryview lie, for as long as somebody holds it and nobody resizes it.

cdef inline int64_t *int64s(object cells) except? NULL:
    return <int64_t *>PyMemoryView_GET_BUFFER(memoryview(cells)).buf


cdef inline uint64_t *uint64s(object cells) except? NULL:
    return <uint64_t *>PyMemoryView_GET_BUFFER(memoryview(cells)).buf


cdef inline unsigned short *ushorts(object cells) except? NULL:
    return <unsigned short *>PyMemoryView_GET_BUFFER(memoryview(cells)).buf


cdef inline unsigned char *uchars(object cells) except? NULL:
    return <unsigned char *>PyMemoryView_GET_BUFFER(memoryview(cells)).buf


cdef inline int64_t load(const unsigned char *cell) noexcept:
    """The number of five bytes."""
    cdef uint32_t low
    memcpy(&low, cell, 4)
    return <int64_t>low | <int64_t>cell[4] << 32


cdef inline void store(unsigned char *cell, int64_t number) noexcept:
    cdef uint32_t low = <uint32_t>number
    memcpy(cell, &low, 4)
    cell[4] = <unsigned char>(number >> 32)


cdef inline int64_t swap(unsigned char *cell, int64_t number) noexcept:
    """Writes it; what it was."""
    cdef int64_t old = load(cell)
    store(cell, number)
    return old


cdef inline int64_t first_one(const unsigned char *flags, int64_t start, int64_t span) noexcept:
    """How far behind `start` the first 1 lies; `span` if there is none before."""
    cdef const unsigned char *found = <const unsigned char *>memchr(flags + start, 1, <size_t>span)
    return span if found is NULL else found - (flags + start)


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


# --- columns

cdef inline int64_t less(int64_t number, int64_t other) noexcept:
    """number - other, modulo 2**64."""
    return <int64_t>(<uint64_t>number - <uint64_t>other)


cdef inline int64_t most(const int64_t *cells, Py_ssize_t n, int64_t high) noexcept:
    """A number that no cell exceeds, at most twice the greatest; -1 if a cell is below 0 or above `high`. The signs of all that is
    gathered tell: there is no branch, and two at a time do not wait for one another."""
    cdef int64_t bits = 0, others = 0, room = 0, others_room = 0
    cdef Py_ssize_t k = 0
    while k + 2 <= n:
        bits |= cells[k]
        others |= cells[k + 1]
        room |= less(high, cells[k])
        others_room |= less(high, cells[k + 1])
        k += 2
    if k < n:
        bits |= cells[k]
        room |= less(high, cells[k])
    bits |= others
    return -1 if (bits | room | others_room) < 0 else bits


cdef inline bint all_exact(const int64_t *cells, Py_ssize_t n, uint64_t inverse, int shift, int64_t last) noexcept:
    """Whether `exact_quotient` of every cell is from 0 to `last`."""
    cdef int64_t bits = 0, quotient
    cdef Py_ssize_t k
    for k in range(n):
        quotient = exact_quotient(cells[k], inverse, shift)
        bits |= quotient | less(last, quotient)
    return bits >= 0


cdef inline int64_t total(const int64_t *cells, Py_ssize_t n) noexcept:
    cdef int64_t added = 0
    cdef Py_ssize_t k
    for k in range(n):
        added += cells[k]
    return added


cdef inline bint overlap(const int64_t *cells, const int64_t *others, Py_ssize_t n, Py_ssize_t n_others) noexcept:
    """Whether they share memory."""
    return cells < others + n_others and others < cells + n


cdef inline void add_up(int64_t *totals, int64_t width, const int64_t *cells, int64_t n) noexcept:
    """totals[k] = totals[k - width] + cells[k], modulo 2**64."""
    cdef uint64_t total = <uint64_t>totals[-1]
    cdef int64_t k
    if width == 1:
        for k in range(n):
            total += <uint64_t>cells[k]
            totals[k] = <int64_t>total
    else:
        for k in range(n):
            totals[k] = <int64_t>(<uint64_t>totals[k - width] + <uint64_t>cells[k])
