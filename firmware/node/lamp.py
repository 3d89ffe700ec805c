# The LED: what a technician without a computer can read. Pure: health and time in, on or off out.
#
# Theory of operation
#   code      a pattern of CODE_MS that repeats: see CODES. Of several the first one in the list is shown.
#   test      for TEST_MS after the self-test its result: steadily on if all was well, else as many blinks as the number of the
#             first check that failed.
#   aiming    for AIM_MS after the start and, once an hour, after the button, or while a technician aims: half a second on for every
#             passage. Else nobody who looks at the box can tell what it sees.
#   count     at the end of aiming: a second off, then a blink for each who was counted, MOST_BLINKS at most.

import streetwire

SLOT_MS = 100
SLOTS = 30
CODE_MS = SLOT_MS * SLOTS
TEST_MS = 4 * CODE_MS
AIM_MS = 600000
AIM_EVERY_MS = 3600000  # a button that presses itself does not make it tell for ever
PASSAGE_MS = 500
LINK_LOST_MS = 600000
MOST_BLINKS = 20

_DARK_SLOTS = 10
_BLINK_SLOTS = 3  # 100 ms on and 200 ms off

# A bit is 100 ms, the lowest first.
HEARTBEAT = 0b1
DOUBLE = 0b1001
TRIPLE = 0b1001001
FAST = 0b010101010101010101010101010101
LONG = 0b111111111111111

CODES = (
    ("log_failed", LONG),
    ("counter_silent", DOUBLE),
    ("counter_garbled", DOUBLE),
    ("blocked", TRIPLE),
)


class Lamp:
    """All times are uptime."""

    def __init__(self):
        self._aim_until_ms = AIM_MS
        self._aim_from_ms = 0
        self._passage_until_ms = 0
        self._test_until_ms = 0
        self._test_failed = 0
        self._count_from_ms = 0
        self._count_slots = 0

    def on_passage(self, now_ms):
        if now_ms < self._aim_until_ms:
            self._passage_until_ms = now_ms + PASSAGE_MS

    def on_test(self, failed, now_ms):
        """`failed` is the number of the first check that failed, 0 if none did."""
        self._test_failed = failed
        self._test_until_ms = now_ms + TEST_MS
        if now_ms >= self._aim_from_ms:
            self._aim_until_ms = now_ms + AIM_MS
            self._aim_from_ms = now_ms + AIM_EVERY_MS

    def on_aim(self, now_ms, for_ms):
        self._test_until_ms = now_ms  # what the press before it showed is no news
        self._aim_until_ms = now_ms + for_ms

    def on_count(self, count, now_ms):
        self._aim_until_ms = now_ms
        self._passage_until_ms = now_ms
        self._count_from_ms = now_ms
        self._count_slots = _DARK_SLOTS + min(count, MOST_BLINKS) * _BLINK_SLOTS + _DARK_SLOTS

    def is_on(self, now_ms, health, heard_ms):
        """`heard_ms`: when the gateway was last heard, None if it never was."""
        counted = (now_ms - self._count_from_ms) // SLOT_MS
        if counted < self._count_slots:
            return _DARK_SLOTS <= counted < self._count_slots - _DARK_SLOTS and (counted - _DARK_SLOTS) % _BLINK_SLOTS == 0
        slot = now_ms // SLOT_MS % SLOTS
        if now_ms < self._test_until_ms:
            return not self._test_failed or (slot % _BLINK_SLOTS == 0 and slot < self._test_failed * _BLINK_SLOTS)
        if now_ms < self._passage_until_ms:
            return True
        return bool(_code(health, now_ms - (heard_ms or 0)) >> slot & 1)


def _code(health, unheard_ms):
    for name, code in CODES:
        if health & streetwire.HEALTH[name]:
            return code
    return FAST if unheard_ms >= LINK_LOST_MS else HEARTBEAT
