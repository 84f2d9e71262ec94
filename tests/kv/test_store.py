"""Durable before visible, writes that build on each other, and lives that come back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import Actor, CausalContext, Delta, Dot, Fact, MapField
from lashup.crdt.field import pack_key
from lashup.errors import MalformedDatagram, UsageError
from lashup.kv.delta_codec import encode_delta
from lashup.kv.rows import CONTEXT_TABLE, FACT_TABLE
from lashup.kv.serving import Want, serve
from lashup.kv.store import Store
from lashup.kv.write import Write
from tests.kv.vocabulary import (
    HASH_KEY,
    WALL,
    Peer,
    ahead_from_scratch,
    ahead_of,
    are_equal,
    carry_out,
    digest_from_scratch,
    empty_tables,
    on_disk,
)
from tests.strategies import few_keys, histories, updates
from tests.vocabulary import KEY, Site, all_dots

ROOT = MapField()
PACKED = pack_key(KEY)


def _store(seed: int = 0) -> Store:
    return Store(hash_key=HASH_KEY, rng=random.Random(seed))


# --- durable before visible


def test_nothing_of_a_write_is_to_be_seen_before_it_is_on_disk():
    peer = Peer(0)
    peer.publish(ROOT.register("old").assign(1))
    peer.said()
    root, facts = peer.replica.root, dict(iter(peer.store.facts))

    write = peer.write(ROOT.register("new").assign(2), ROOT.register("old").remove())

    assert peer.replica.root == root
    assert dict(iter(peer.store.facts)) == facts
    assert peer.view().plain() == {"old": 1}
    [dot] = write.delta.facts
    served = serve(peer.store.facts, [Want(dot.actor, ())], size=1_000)
    assert all(dot not in part.delta.context for part in served)
    assert not peer.said()


def test_what_is_announced_is_on_disk():
    peer = Peer(0)

    delta = peer.publish(ROOT.register("r").assign(1))

    assert all(on_disk(peer, dot) for dot in delta.facts)
    assert peer.said() == [(None, peer.address, encode_delta(delta))]
    assert peer.view().plain() == {"r": 1}


def test_two_writes_in_flight_to_one_key_build_on_each_other():
    peer = Peer(0)
    peer.write(ROOT.add_wins_set("s").add("a", "b"))
    peer.write(ROOT.add_wins_set("s").discard("a"))
    peer.write(ROOT.register("r").assign(1))
    last = peer.write(ROOT.register("r").assign(2))

    peer.sync_disk()

    assert peer.view().plain() == {"s": ["b"], "r": 2}
    assert len(peer.store.facts) == 2
    assert len(last.delta.context.runs(last.delta.context.items().__next__()[0])) == 1


def test_a_write_in_flight_sees_what_comes_in_meanwhile():
    peer, other = Peer(0), Site(5)
    theirs = other.write(ROOT.add_wins_set("s").add("x"))
    peer.write(ROOT.add_wins_set("s").add("y"))
    peer.store.merge(theirs, wall=WALL)

    peer.write(ROOT.add_wins_set("s").discard("x", "y"))
    peer.sync_disk()

    assert peer.view().plain() == {}


def test_a_write_in_flight_sees_what_goes_meanwhile():
    peer, other = Peer(0), Site(5)
    peer.store.merge(other.write(ROOT.register("r").assign(1)), wall=WALL)
    peer.write(ROOT.register("q").assign(2))
    peer.store.merge(other.write(ROOT.register("r").remove()), wall=WALL)

    assert ahead_of(peer.store, PACKED) == ahead_from_scratch(peer.store, PACKED)
    peer.sync_disk()
    assert peer.view().plain() == {"q": 2}


def test_a_write_without_effect_says_nothing_to_anybody():
    peer = Peer(0)

    write = peer.write(ROOT.register("r").remove())
    peer.sync_disk()

    assert not write.rows.puts
    assert not write.rows.deletes
    assert not peer.said()
    assert peer.replica.root == 0


# --- what a refused write leaves


def test_a_write_that_is_refused_changes_nothing():
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign(1))
    before = dict(iter(peer.store.facts)), peer.replica.root, peer.store.waiting

    with pytest.raises(UsageError):
        peer.write(ROOT.register("a").assign(1), ROOT.register("b").assign(object()))
    peer.publish(ROOT.register("c").assign(1))

    after = dict(iter(peer.store.facts)), peer.replica.root, peer.store.waiting
    assert before[2] == after[2] == 0
    assert peer.view().plain() == {"r": 1, "c": 1}
    counters = [dot.counter for dot, _ in peer.store.facts]
    assert counters == [1, 2]  # no hole at the author


# --- the disk


@given(
    histories(), st.lists(st.tuples(few_keys, updates), max_size=4), st.integers(0, 9)
)
@settings(max_examples=60)
def test_rows_written_in_order_load_to_the_same_state(history, writes, durable):
    peer = Peer(0)
    for delta, (key, operations) in zip(
        history.deltas, [*writes, *[(KEY, [])] * len(history.deltas)], strict=False
    ):
        peer.write(*operations, key=key)
        peer.take(
            peer.replica.hear_announced_untrusted(
                encode_delta(delta), now=0.0, wall=WALL
            )
        )
        if durable % 2:
            peer.sync_disk(durable)
    peer.sync_disk()
    facts, root = peer.store.facts, peer.replica.root

    peer.start()

    assert peer.store.facts == facts
    assert peer.replica.root == root == digest_from_scratch(peer.store)


@given(st.lists(st.tuples(few_keys, updates), min_size=1, max_size=6), st.data())
@settings(max_examples=60)
def test_a_crash_anywhere_leaves_a_state_that_was_or_nearly_was(writes, data):
    peer = Peer(0)
    visible = []
    for key, operations in writes:
        peer.write(*operations, key=key)
        if data.draw(st.booleans()):
            peer.sync_disk(data.draw(st.integers(0, 3)))
        visible.append(dict(iter(peer.store.facts)))
    in_flight = list(peer.store._in_flight.values())
    durable = data.draw(st.integers(0, len(in_flight)))
    expected = dict(iter(peer.store.facts))
    for write in in_flight[:durable]:
        expected = {
            d: f for d, f in expected.items() if d not in write.delta.context
        } | dict(write.delta.facts)

    peer.crash(durable=durable)

    assert dict(iter(peer.store.facts)) == expected
    assert all(dot in peer.store.facts.context for dot in expected)
    assert peer.replica.root == digest_from_scratch(peer.store)


@pytest.mark.parametrize(
    "tables",
    [
        {FACT_TABLE: {b"short": b""}},
        {FACT_TABLE: {b"a" * 16: b"\xc1"}},
        {FACT_TABLE: {b"a" * 8 + bytes(8): b""}},
        {CONTEXT_TABLE: {b"short": b"\x92\x01\x02"}},
        {CONTEXT_TABLE: {b"a" * 8: b"\x92\x02\x01"}},
        {CONTEXT_TABLE: {b"a" * 8: b"\x92\x00\x01"}},
    ],
)
def test_rows_of_something_else_are_refused_and_nothing_is_loaded(tables):
    store = _store()

    with pytest.raises(MalformedDatagram):
        store.load(tables, wall=WALL)

    assert not len(store.facts)
    assert store.digest.root == 0


def test_a_fact_whose_context_was_torn_off_is_seen_all_the_same():
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign(1))
    peer.disk[CONTEXT_TABLE].clear()

    peer.start()

    assert all(dot in peer.store.facts.context for dot, _ in peer.store.facts)


# --- actors


def test_what_an_update_made_and_dropped_itself_is_known_after_a_restart():
    peer = Peer(0)
    peer.publish(ROOT.add_wins_set("s").add(1), ROOT.add_wins_set("s").discard(1))
    root = peer.replica.root

    peer.start()

    assert root != 0
    assert peer.replica.root == root


def test_every_life_mints_with_a_fresh_actor():
    peer = Peer(0)
    first = peer.publish(ROOT.register("r").assign(1))
    peer.start()
    second = peer.publish(ROOT.register("r").assign(2))

    assert not {d.actor for d in first.facts} & {d.actor for d in second.facts}


def test_a_poor_source_of_randomness_takes_no_actor_twice():
    tables, actors = empty_tables(), set()
    for _ in range(5):
        store = _store(seed=7)
        store.load(tables, wall=WALL)
        write = store.write(KEY, [ROOT.register("r").assign(1)], wall=WALL)
        carry_out(write.rows, tables)
        actors |= {dot.actor for dot in write.delta.facts}

    assert len(actors) == 5


def _other_life(peer: Peer) -> Site:
    """The same actor, as it went on before this machine was set back."""
    site = Site(0)
    assert peer.store._actor is not None
    site.actor = peer.store._actor
    site.hear(peer.store.facts.as_delta())
    return site


def test_a_write_in_flight_survives_another_life_of_its_actor():
    peer, witness = Peer(0), Peer(1)
    for delta in (peer.publish(ROOT.register("a").assign(n)) for n in range(3)):
        witness.store.merge(delta, wall=WALL)
    other = _other_life(peer)
    foreign = other.write(ROOT.register("b").assign("other life"))
    in_flight = peer.write(ROOT.register("c").assign("this life"))
    assert in_flight.delta.facts.keys() == foreign.facts.keys()

    witness.store.merge(foreign, wall=WALL)
    peer.take(
        peer.replica.hear_announced_untrusted(encode_delta(foreign), now=0.0, wall=WALL)
    )
    peer.sync_disk()
    for _, _, data in peer.said():
        witness.replica.hear_announced_untrusted(data, now=0.0, wall=WALL)

    expected = {"a": 2, "b": "other life", "c": "this life"}
    assert peer.view().plain() == witness.view().plain() == expected
    assert are_equal(peer, witness)


def test_no_dot_of_another_life_is_used_even_if_it_is_the_next():
    peer = Peer(0)
    peer.publish(ROOT.register("a").assign(1))
    other = _other_life(peer)
    peer.store.merge(other.write(ROOT.register("b").assign(1)), wall=WALL)

    write = peer.write(ROOT.register("c").assign(2))

    assert {dot.actor for dot in write.delta.facts} != {other.actor}


def test_the_knowledge_of_another_life_alone_is_enough():
    peer = Peer(0)
    peer.publish(ROOT.register("a").assign(1))
    lost = _other_life(peer).actor
    peer.write(ROOT.register("b").assign(2))

    context = CausalContext([Dot(lost, 2), Dot(lost, 9)])
    peer.store.merge(Delta({}, context), wall=WALL)
    peer.sync_disk()

    assert peer.view().plain() == {"a": 1, "b": 2}
    assert peer.store._actor != lost


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), updates),
        st.tuples(st.just("other life"), updates),
        st.tuples(st.just("sync"), st.integers(1, 3)),
        st.tuples(st.just("start"), st.just(None)),
    ),
    max_size=14,
)


@given(steps)
@settings(max_examples=150)
def test_whatever_other_lives_do_nothing_acknowledged_is_lost(plan):
    # Without retirement: then it takes all that is announced, of whomever.
    peer, witness = Peer(0), Peer(1, retire_after=0)
    named: dict[Dot, Fact] = {}  # every dot that ever became visible, and what it names

    def carry() -> None:
        for _, _, data in peer.said():
            witness.take(
                witness.replica.hear_announced_untrusted(data, now=0.0, wall=WALL)
            )
        for dot, fact in (*peer.store.facts, *witness.store.facts):
            assert named.setdefault(dot, fact) == fact

    for what, argument in plan:
        match what:
            case "write":
                peer.write(*argument)
            case "other life" if peer.store._actor is not None:
                data = encode_delta(_other_life(peer).write(*argument))
                for one in (peer, witness):
                    one.take(
                        one.replica.hear_announced_untrusted(data, now=0.0, wall=WALL)
                    )
            case "sync":
                peer.sync_disk(argument)
            case "start":
                peer.sync_disk()
                carry()
                peer.start()
        carry()
        for key in peer.store._ahead:
            assert ahead_of(peer.store, key) == ahead_from_scratch(peer.store, key)
    peer.sync_disk()
    carry()

    assert not peer.store.waiting
    assert not peer.store._growth
    assert are_equal(peer, witness)
    dropped = {
        dot
        for delta in peer.acknowledged
        for dot in all_dots(delta.context) - delta.facts.keys()
    }
    live = dict(iter(peer.store.facts))
    assert not dropped & live.keys()
    before = peer.store.facts
    peer.start()
    assert peer.store.facts == before


def test_writes_after_another_life_was_heard_do_not_overtake_those_before():
    """On disk, too: a late row of an old write must not undo a newer one."""
    peer = Peer(0)
    peer.publish(ROOT.register("a").assign(1))
    other = _other_life(peer)
    peer.write(ROOT.register("r").assign("old"))
    foreign = encode_delta(other.write(ROOT.register("b").assign(1)))
    peer.take(peer.replica.hear_announced_untrusted(foreign, now=0.0, wall=WALL))
    peer.write(ROOT.register("r").assign("new"))
    peer.sync_disk()
    facts = peer.store.facts

    peer.start()

    assert peer.view().register("r") == "new"
    assert peer.store.facts == facts


def test_commit_asks_for_one_more_trip_only_of_a_write_that_was_minted_again():
    store = _store()
    store.commit(store.write(KEY, [ROOT.register("z").assign(0)], wall=WALL))
    minted = store.write(KEY, [ROOT.register("r").assign(1)], wall=WALL)
    removing = store.write(KEY, [ROOT.register("z").remove()], wall=WALL)
    actor = store._actor
    assert actor is not None
    merged = store.merge(Delta({}, CausalContext([Dot(actor, 7)])), wall=WALL)

    again = store.commit(minted)

    assert isinstance(again, Write)
    assert not again.rows.puts  # they went with the delta that betrayed the other life
    assert {key for table, key, _ in merged.rows.puts if table == FACT_TABLE}
    assert not isinstance(store.commit(again), Write)
    assert not isinstance(store.commit(removing), Write)


def test_a_run_is_a_function_of_its_seed():
    def run() -> list[bytes]:
        peer = Peer(3)
        return [
            encode_delta(peer.publish(ROOT.register(n).assign(n))) for n in range(5)
        ]

    assert run() == run()
    assert Actor(b"x" * 8) not in {a for a, _ in Peer(3).store.facts.context.items()}
