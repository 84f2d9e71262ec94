"""Dumps: everything comes back, nothing removed does, and damage is noticed."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import FactSet, MapField
from lashup.errors import MalformedDatagram
from lashup.kv.absence import day_of
from lashup.kv.dump import decode_dump_untrusted, encode_dump
from tests.kv.days import AFTER, Days
from tests.kv.vocabulary import WALL, Peer, empty_tables
from tests.strategies import histories
from tests.vocabulary import Site, joined

ROOT = MapField()


def _dump(facts: FactSet) -> bytes:
    with facts.cut() as state:
        state.take_all()
    return encode_dump(state, cluster="c", wall=WALL)


def _loaded(facts: FactSet, dump: bytes) -> FactSet:
    for delta in decode_dump_untrusted(dump).deltas:
        facts.join(delta)
    return facts


@given(histories())
def test_a_dump_loaded_into_an_empty_table_is_that_table(history):
    for site in history.sites:
        assert _loaded(FactSet(), _dump(site.facts)) == site.facts


@given(histories(), st.randoms())
def test_loading_is_the_join_in_whatever_order_and_how_often(history, rng):
    one, two = history.sites[:2]
    deltas = list(decode_dump_untrusted(_dump(two.facts)).deltas) * 2
    rng.shuffle(deltas)
    expected = joined(one.facts.as_delta(), two.facts.as_delta())

    one.hear(*deltas)

    assert one.facts == expected


def test_what_was_removed_since_stays_removed_and_newer_writes_stand():
    site = Site(0)
    site.write(ROOT.register("old").assign(1), ROOT.register("kept").assign(1))
    dump = _dump(site.facts)
    site.write(ROOT.register("old").remove(), ROOT.register("kept").assign(2))
    before = site.view().plain()

    _loaded(site.facts, dump)

    assert site.view().plain() == before == {"kept": 2}


def test_a_large_table_is_many_deltas_none_of_which_undoes_another():
    peer = Peer(0)
    for n in range(30):
        peer.publish(*[ROOT.register(m).assign(n) for m in range(n, n + 40)])
    dump = decode_dump_untrusted(_dump(peer.store.facts))

    assert dump.facts == len(peer.store.facts) == 69
    assert (dump.cluster, dump.made) == ("c", WALL)
    assert joined(*dump.deltas) == joined(*reversed(dump.deltas)) == peer.store.facts


def test_the_facts_of_a_dump_are_in_the_digest_and_on_disk_when_merged():
    source, target = Peer(0), Peer(1)
    source.publish(ROOT.register("r").assign(1), ROOT.counter("c").increment())
    for delta in decode_dump_untrusted(_dump(source.store.facts)).deltas:
        target.take(target.replica.merge(delta, wall=WALL))
    target.sync_disk()
    target.start()

    assert target.replica.root == source.replica.root != 0


_WRITE = (ROOT.register("r").assign(1), ROOT.counter("c").increment(3))
DUMP = _dump(joined(Site(0).write(*_WRITE)))


@given(st.integers(0, len(DUMP) * 8 - 1))
@settings(max_examples=300)
def test_a_flipped_bit_is_noticed_or_harmless(bit):
    damaged = bytearray(DUMP)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        found = decode_dump_untrusted(bytes(damaged))
    except MalformedDatagram:
        return
    # The label and the time are no facts, and not under the checksum.
    assert joined(*found.deltas) == joined(*decode_dump_untrusted(DUMP).deltas)


@given(st.integers(0, len(DUMP) - 1))
def test_a_dump_that_was_cut_off_is_refused(length):
    with pytest.raises(MalformedDatagram):
        decode_dump_untrusted(DUMP[:length])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "list"),
        (["other", 1], "not a dump"),
        (["lashup-dump", 2, "c", 0, 0, [], b""], "version 2"),
        (["lashup-dump", 1, "c", 0, 0, [], bytes(16)], "checksum"),
        (["lashup-dump", 1, "c", 0, 0], "list"),
        (7, "list"),
    ],
)
def test_what_is_no_dump_of_this_version_is_refused_and_says_why(value, problem):
    with pytest.raises(MalformedDatagram) as caught:
        decode_dump_untrusted(msgpack.packb(value))
    assert problem in str(caught.value) or problem == "list"


def test_a_dump_of_nothing_is_one():
    assert decode_dump_untrusted(_dump(FactSet())).deltas == ()


def test_a_dump_says_of_which_day_its_table_is_and_an_earlier_one_when_it_was_made():
    with FactSet().cut() as state:
        state.take_all()
    dump = encode_dump(state, cluster="c", wall=WALL, as_of=19_000)
    earlier = msgpack.packb(msgpack.unpackb(dump)[:7])

    assert decode_dump_untrusted(dump).as_of == 19_000
    assert decode_dump_untrusted(earlier).as_of == day_of(WALL)


def test_an_old_dump_that_a_newcomer_loads_is_as_a_disk_that_was_off():
    days = Days(2)
    days.write(0, ROOT.register("old").assign(1), ROOT.register("kept").assign(1))
    old = _dump(days.peers[0].store.facts)
    days.switch_off(1)
    days.restart(0)
    days.write(0, ROOT.register("old").remove(), ROOT.register("kept").assign(2))
    days.pass_days(AFTER + 10)
    newcomer = days.peers[1]
    newcomer.disk = empty_tables()
    newcomer.start(wall=days.wall)  # It has not even ticked.
    days.on.add(1)

    for delta in decode_dump_untrusted(old).deltas:
        as_of = decode_dump_untrusted(old).as_of
        newcomer.take(newcomer.replica.load_dump(delta, as_of=as_of, wall=days.wall))
    assert newcomer.replica.absence.as_of == day_of(WALL)
    newcomer.sync_disk()
    days.restart(1)  # It is on disk.
    days.pass_days(1)

    assert days.value(0) == days.value(1) == {"kept": 2}


@given(histories(), st.data())
def test_equal_tables_have_equal_dumps(history, data):
    one, two = FactSet(), FactSet()
    for site, facts in ((0, one), (1, two)):
        for delta in data.draw(st.permutations(history.deltas), label=str(site)):
            facts.join(delta)

    assert _dump(one) == _dump(two)
