# The sender: silent until acknowledged, a window of eight, again after a pause, backing off, and never out of order.

from node.sender import MAX_RETRY_MS, RETRY_MS, WINDOW, Sender


class Record:
    def __init__(self, seq):
        self.seq = seq


class HeldRecords:
    """Stands in for the log: the numbers it holds, in order."""

    def __init__(self, seqs):
        self.seqs = list(seqs)

    @property
    def next_seq(self):
        return self.seqs[-1] + 1 if self.seqs else 1

    def next_after(self, seq):
        above = [held for held in self.seqs if held > seq]
        return Record(above[0]) if above else None


def sender_of(seqs):
    return Sender(HeldRecords(seqs))


def burst(sender, now_ms):
    """Everything that is sent at this moment, as [(previous, number), ...]."""
    out = []
    while True:
        due = sender.next_record(now_ms)
        if due is None:
            return out
        previous, record = due
        out.append((previous, record.seq))
        sender.sent(record)


def sent_numbers(sender, now_ms):
    return [seq for _, seq in burst(sender, now_ms)]


def introduced(held, acked=0):
    """A sender whose hello was answered at uptime 0."""
    sender = Sender(held)
    assert sender.is_hello_due(0)
    sender.on_ack(acked, 0)
    return sender


def streaming(n=30, acked=0):
    return introduced(HeldRecords(range(1, n + 1)), acked)


def test_nothing_is_sent_before_the_gateway_told_its_watermark():
    sender = sender_of(range(1, 20))
    for now_ms in (0, 1000, 100000):
        assert burst(sender, now_ms) == []
    assert sender.acked is None


def test_hello_is_due_at_once_and_then_ever_more_rarely_until_somebody_answers():
    sender = sender_of([])
    said = [now_ms for now_ms in range(0, 400000, 100) if sender.is_hello_due(now_ms)]
    pauses = [said[i + 1] - said[i] for i in range(len(said) - 1)]
    assert said[0] == 0
    assert pauses[:5] == [3000, 6000, 12000, 24000, 48000]
    assert set(pauses[5:]) == {MAX_RETRY_MS} == {60000}


def test_sending_starts_behind_the_watermark_in_order_and_names_the_record_before():
    assert burst(streaming(4, acked=0), 0) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert burst(streaming(4, acked=2), 0) == [(2, 3), (3, 4)]
    sender = sender_of([3, 4, 256, 257, 512])
    sender.on_ack(4, 0)
    assert burst(sender, 0) == [(4, 256), (256, 257), (257, 512)]


def test_a_watermark_between_numbers_is_the_record_before():
    sender = sender_of([3, 4, 256])
    sender.on_ack(100, 0)
    assert burst(sender, 0) == [(100, 256)]


def test_at_most_eight_are_on_their_way_and_each_acknowledgement_lets_one_more_go():
    sender = streaming(30)
    assert sent_numbers(sender, 0) == list(range(1, WINDOW + 1))
    assert WINDOW == 8
    for watermark in range(1, 20):
        sender.on_ack(watermark, 10)
        assert sent_numbers(sender, 10) == [watermark + WINDOW]


def test_an_acknowledgement_of_the_newest_opens_the_whole_window():
    sender = streaming(30)
    burst(sender, 0)
    sender.on_ack(WINDOW, 10)
    assert sent_numbers(sender, 10) == list(range(WINDOW + 1, 2 * WINDOW + 1))


def test_an_acknowledgement_opens_the_window_by_all_that_it_covers():
    sender = streaming(60)
    burst(sender, 0)
    for watermark in range(5, 45, 5):
        sender.on_ack(watermark, 10)
        assert sent_numbers(sender, 10) == list(range(watermark + WINDOW - 4, watermark + WINDOW + 1))


def test_the_window_is_never_exceeded_whatever_is_acknowledged():
    sender = streaming(60)
    newest = max(sent_numbers(sender, 0))
    for watermark in (3, 3, 5, 6, 6, 11, 12, 12, 19, 20):
        sender.on_ack(watermark, 10)
        newest = max([newest] + sent_numbers(sender, 10))
        assert newest - watermark <= WINDOW


def test_all_acknowledged_means_silence_until_there_is_more():
    held = HeldRecords([1, 2, 3])
    sender = introduced(held)
    burst(sender, 0)
    sender.on_ack(3, 10)
    for now_ms in (10, 5000, 100000, 1000000):
        assert not sender.is_hello_due(now_ms)
        assert burst(sender, now_ms) == []
    held.seqs.append(4)
    assert burst(sender, 1000000) == [(3, 4)]


def test_without_an_answer_everything_unacknowledged_goes_again_from_the_oldest_behind_a_hello():
    sender = streaming(30)
    burst(sender, 0)
    sender.on_ack(2, 100)
    burst(sender, 100)
    assert not sender.is_hello_due(100 + RETRY_MS - 1)
    assert burst(sender, 100 + RETRY_MS - 1) == []
    assert sender.is_hello_due(100 + RETRY_MS)
    assert sent_numbers(sender, 100 + RETRY_MS) == list(range(3, 11))
    assert sender.resends == 8
    assert not sender.is_hello_due(100 + RETRY_MS)


def test_the_pause_doubles_up_to_a_minute_while_nobody_answers_and_an_answer_ends_that():
    sender = streaming(30)
    burst(sender, 0)
    tries = []
    for now_ms in range(0, 400000, 100):
        if sender.is_hello_due(now_ms):
            tries.append(now_ms)
            assert sent_numbers(sender, now_ms) == list(range(1, 9))
    pauses = [tries[i + 1] - tries[i] for i in range(len(tries) - 1)]
    assert tries[0] == 3000
    assert pauses[:4] == [6000, 12000, 24000, 48000]
    assert set(pauses[4:]) == {60000}
    sender.on_ack(1, 500000)
    burst(sender, 500000)
    assert not sender.is_hello_due(500000 + RETRY_MS - 1)
    assert sender.is_hello_due(500000 + RETRY_MS)


def test_a_record_sent_long_after_the_last_answer_has_its_whole_pause():
    held = HeldRecords([1])
    sender = introduced(held)
    burst(sender, 0)
    sender.on_ack(1, 10)
    held.seqs.append(2)
    assert not sender.is_hello_due(60000)
    assert sent_numbers(sender, 60000) == [2]
    assert not sender.is_hello_due(62999)
    assert sender.is_hello_due(63000)


def test_a_watermark_that_was_never_given_out_changes_nothing():
    sender = sender_of(range(1, 10))
    for nonsense in (10, 11, 2**32 - 1):
        sender.on_ack(nonsense, 0)
        assert sender.acked is None
        assert burst(sender, 0) == []
    sender.on_ack(9, 0)
    assert sender.acked == 9


def test_a_watermark_below_an_earlier_one_changes_nothing():
    sender = streaming(30, acked=5)
    assert sent_numbers(sender, 0) == list(range(6, 14))
    sender.on_ack(9, 0)
    sender.on_ack(2, 0)
    assert sender.acked == 9
    assert sender.is_hello_due(RETRY_MS)
    assert sent_numbers(sender, RETRY_MS) == list(range(10, 18))


def test_a_watermark_ahead_of_what_was_sent_skips_what_the_gateway_has():
    sender = streaming(30)
    burst(sender, 0)
    sender.on_ack(20, 10)
    assert sent_numbers(sender, 10) == list(range(21, 29))


def test_old_records_go_again_when_asked_for_acknowledged_or_not():
    sender = streaming(30, acked=30)
    assert burst(sender, 0) == []
    sender.resend_from(5, 100)
    assert burst(sender, 100) == [(4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11), (11, 12)]
    sender.on_ack(12, 200)
    assert sent_numbers(sender, 200) == list(range(13, 21))


def test_asking_from_zero_means_from_the_oldest():
    sender = streaming(9, acked=9)
    sender.resend_from(0, 0)
    assert burst(sender, 0) == [(n - 1, n) for n in range(1, 9)]


def test_asking_for_what_was_never_given_out_changes_nothing():
    sender = streaming(9, acked=9)
    for nonsense in (10, 11, 2**32 - 1):
        sender.resend_from(nonsense, 0)
        assert sender.acked == 9
        assert burst(sender, 0) == []


def test_a_record_that_the_port_did_not_take_is_offered_again():
    sender = streaming(3)
    for _ in range(3):
        previous, record = sender.next_record(0)
        assert (previous, record.seq) == (0, 1)
