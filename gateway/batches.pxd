"""The C types of batches.py, for its compiled form."""

cimport cython
from libc.stdint cimport int64_t

from gateway.bands cimport Bands
from gateway.changes cimport Changes
from gateway.panes cimport Panes, Ring


cdef int64_t *_start(object cells) except? NULL
@cython.locals(
    records=int64_t, starts="const int64_t *", indices="const int64_t *", new_ab="const int64_t *", new_ba="const int64_t *",
    covered="const int64_t *"
)
cpdef set_all(Panes panes, object series, object pane_starts, object ab, object ba, object covered_s)
@cython.locals(n=int64_t)
cdef _check_grid(Panes panes, int64_t records, const int64_t *starts)
@cython.locals(n=int64_t, age=int64_t, late=int64_t, rejected=int64_t)
cdef _set_all(
    Panes panes, int64_t records, const int64_t *series, const int64_t *starts,
    const int64_t *ab, const int64_t *ba, const int64_t *covered
)
@cython.locals(
    ring=Ring, bands=Bands, changes=Changes, open_pane=int64_t, width=int64_t, cells="unsigned char *", used="unsigned char *",
    sums="int64_t *", of_age="unsigned short *", first="int64_t *", last="int64_t *", late=int64_t, rejected=int64_t, n=int64_t,
    i=int64_t, age=int64_t, row=int64_t, at=int64_t, new=int64_t, old=int64_t, to=int64_t, pane=int64_t
)
cdef _set_narrow(
    Panes panes, int64_t records, const int64_t *series, const int64_t *starts,
    const int64_t *ab, const int64_t *ba, const int64_t *covered
)
@cython.locals(n=int64_t, row=int64_t)
cdef void _fetch(Panes panes, int64_t start, int64_t stop, const int64_t *series, const int64_t *starts) noexcept
cdef int64_t _pane(Panes panes, int64_t start) noexcept
@cython.locals(i=int64_t)
cdef int64_t _index(Panes panes, const int64_t *series, int64_t n) except -1
@cython.locals(row=int64_t)
cdef int64_t _row(Ring ring, int64_t age) noexcept
@cython.locals(
    records=int64_t, indices="const int64_t *", times="const int64_t *", more_ab="const int64_t *", more_ba="const int64_t *"
)
cpdef add_all(Panes panes, object series, object event_times, object ab, object ba)
@cython.locals(n=int64_t, age=int64_t, old_ab=int64_t, old_ba=int64_t, _=int64_t)
cdef _check_sums(
    Panes panes, int64_t records, const int64_t *series, const int64_t *times, const int64_t *ab, const int64_t *ba
)
@cython.locals(n=int64_t, age=int64_t, late=int64_t, rejected=int64_t)
cdef _add_all(
    Panes panes, int64_t records, const int64_t *series, const int64_t *times, const int64_t *ab, const int64_t *ba
)
@cython.locals(n=int64_t, age=int64_t)
cdef _take_back(
    Panes panes, int64_t records, const int64_t *series, const int64_t *times, const int64_t *ab, const int64_t *ba
)
@cython.locals(n=int64_t, age=int64_t)
cdef _batch(Panes panes, int64_t records, const int64_t *times, int64_t late, int64_t rejected)
