"""The city of the benches is one that the session believes: nothing lost, nothing complained of."""

from __future__ import annotations

from gateway.model import Accept, Gap, Loss, Note, Status
from gateway.session import Session
from tools.bench_city import City

T0 = 1_800_000_000


def test_every_record_is_accepted_and_totals_prove_that_none_is_missing():
    city = City(3, T0)
    session = Session(city.rules)
    effects = [effect for said in city.hellos() for effect in session.hear(said)]
    for number in range(30):
        for node in range(city.nodes):
            effects += session.hear(city.live(node, number, 50))
        effects += [effect for said in city.minute(number) for effect in session.hear(said)]
    assert sum(isinstance(effect, Accept) for effect in effects) == 90
    assert sum(isinstance(effect, Status) for effect in effects) == 3 * 6
    assert not [effect for effect in effects if isinstance(effect, (Loss, Gap))]
    assert {effect.event for effect in effects if isinstance(effect, Note)} == {"node introduced"}
    assert session.dropped == {}


def test_a_bin_is_what_its_record_makes():
    city = City(2, T0)
    session = Session(city.rules)
    for said in city.hellos():
        session.hear(said)
    for number in range(13):
        effects = [effect for said in city.minute(number) for effect in session.hear(said)]
        accepted = [effect for effect in effects if isinstance(effect, Accept)]
        bins = [city.bin(node, number) for node in range(2)]
        found = [(a.site, a.bin_start, a.record.d_ab, a.record.d_ba, a.incarnation, a.record.seq) for a in accepted]
        assert found == [(b.series.site, b.start_s, b.ab, b.ba, b.incarnation, b.seq) for b in bins]
