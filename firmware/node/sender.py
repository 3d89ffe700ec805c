# Which record goes out next: in order, at most WINDOW ahead of what the gateway has acknowledged.
#
# Theory of operation
#   silent     until the gateway has told its watermark for this boot nothing is sent but hello, again and again: the log may
#              hold two weeks that the gateway has had for long.
#   streaming  records follow the watermark in order, WINDOW of them unacknowledged at most. Each acknowledgement moves the
#              window by all that it covers; after RETRY_MS without one everything unacknowledged is sent again, from the oldest.
#   backing    while nobody answers, the pause doubles up to MAX_RETRY_MS, and every try begins with a hello, so that a
#              gateway that is new here can introduce itself.
# An acknowledgement lost, a frame lost or a gateway restarted all end in the same harmless re-send.
#
# Rules of this file: no clock (uptime comes in), no port (it returns what to send), storage is the log's affair.

WINDOW = 8  # at four a beat of 100 ms and acknowledgements after 200 ms a link still carries all that may go
RETRY_MS = 3000
MAX_RETRY_MS = 60000


class Sender:
    def __init__(self, log):
        self._log = log
        self._acked = None  # None: silent
        self._sent = 0
        self._pause_ms = RETRY_MS
        self._retry_at_ms = 0
        self._in_flight = []  # numbers, in order
        self.resends = 0

    @property
    def acked(self):
        return self._acked

    def on_ack(self, watermark, now_ms):
        """The gateway has everything up to `watermark`. A number that this log never gave out changes nothing."""
        if watermark >= self._log.next_seq or (self._acked is not None and watermark < self._acked):
            return
        self._acked = watermark
        self._sent = max(self._sent, watermark)
        self._in_flight = [seq for seq in self._in_flight if seq > watermark]
        self._pause_ms = RETRY_MS
        self._retry_at_ms = now_ms + RETRY_MS if self._in_flight else min(self._retry_at_ms, now_ms + RETRY_MS)

    def resend_from(self, seq, now_ms):
        """The gateway asks for old records again, acknowledged or not (it was restored from a backup, say)."""
        if seq < self._log.next_seq:
            self._acked = max(0, seq - 1)
            self._sent = self._acked
            self._in_flight = []
            self._retry_at_ms = now_ms

    def is_hello_due(self, now_ms):
        """True if the gateway has been silent for a whole pause: say hello, and start again from the oldest."""
        waiting = self._acked is None or self._in_flight
        if not waiting or now_ms < self._retry_at_ms:
            return False
        self.resends += len(self._in_flight)
        self._in_flight = []
        if self._acked is not None:
            self._sent = self._acked
        self._retry_at_ms = now_ms + self._pause_ms
        self._pause_ms = min(2 * self._pause_ms, MAX_RETRY_MS)
        return True

    def next_record(self, now_ms):
        """(previous, record) to send now, or None. Call `sent` once it is on its way."""
        if self._acked is None or len(self._in_flight) >= WINDOW:
            return None
        record = self._log.next_after(self._sent)
        if record is None:
            return None
        if not self._in_flight:
            self._retry_at_ms = now_ms + self._pause_ms
        return self._sent, record

    def sent(self, record):
        self._sent = record.seq
        self._in_flight.append(record.seq)
