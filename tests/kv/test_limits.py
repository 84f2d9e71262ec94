"""Every limit is a clear error, and changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import MapField
from lashup.crdt.writer import Operation
from lashup.errors import LimitExceeded, Overloaded, UsageError
from lashup.kv.delta_codec import decode_delta_untrusted, encode_delta
from lashup.kv.effects import StoreLarge
from lashup.kv.limits import _PER_FACT, _PER_STEP, Limits
from tests.kv.vocabulary import Peer, state_of
from tests.strategies import histories

ROOT = MapField()
SMALL = Limits(key=20, value=40, path=60, depth=3, facts=5, update=120, waiting=2)


def _deep(depth: int) -> MapField:
    field = ROOT
    for _ in range(depth):
        field = field.map_field("m")
    return field


@pytest.mark.parametrize(
    ("key", "operation"),
    [
        (("k" * 30,), ROOT.register("r").assign(1)),
        (("k",), ROOT.register("r").assign("v" * 50)),
        (("k",), ROOT.register("r" * 70).assign(1)),
        (("k",), _deep(3).register("r").assign(1)),
        (("k",), ROOT.add_wins_set("s").add(*range(6))),
        (("k",), ROOT.add_wins_set("s").add("a" * 30, "b" * 30, "c" * 30, "d" * 30)),
    ],
    ids=["key", "value", "path", "depth", "facts", "update"],
)
def test_a_write_beyond_a_limit_is_refused_and_changes_nothing(key, operation):
    peer = Peer(0, limits=SMALL)
    peer.publish(ROOT.register("r").assign(1))
    clock = peer.store.clock.last
    before = state_of(peer)

    with pytest.raises(LimitExceeded, match="limit is"):
        peer.write(operation, key=key)

    peer.store.clock.last = clock  # a timestamp more or less is nothing
    assert state_of(peer) == before
    assert peer.publish(ROOT.register("r").assign(2)).facts


@pytest.mark.parametrize(
    ("key", "operation"),
    [
        (("k" * 18,), ROOT.register("r").assign(1)),
        (("k",), ROOT.register("r").assign("v" * 28)),
        (("k",), _deep(2).register("r").assign(1)),
        (("k",), ROOT.add_wins_set("s").add(*range(5))),
    ],
)
def test_a_write_at_a_limit_is_taken(key, operation):
    assert Peer(0, limits=SMALL).publish(operation, key=key).facts


def test_what_is_removed_counts_too():
    peer = Peer(0, limits=SMALL)
    for n in range(6):
        peer.publish(ROOT.add_wins_set("s").add(n))

    with pytest.raises(LimitExceeded):
        peer.write(ROOT.remove())

    assert len(peer.view().add_wins_set("s")) == 6


def test_writes_beyond_the_queue_are_refused_until_the_disk_has_caught_up():
    peer = Peer(0, limits=SMALL)
    peer.write(ROOT.register("a").assign(1))
    peer.write(ROOT.register("b").assign(1))
    before = state_of(peer)

    with pytest.raises(Overloaded):
        peer.write(ROOT.register("c").assign(1))

    assert state_of(peer) == before
    peer.sync_disk(1)
    peer.write(ROOT.register("c").assign(1))
    peer.sync_disk()
    assert peer.view().plain() == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize(
    "limits",
    [
        {"value": 1 << 20},
        {"depth": 65},
        {"facts": 100_000},
        {"update": 1 << 20},
    ],
)
def test_limits_that_others_would_not_take_are_refused(limits):
    with pytest.raises(UsageError):
        Limits(**limits)


def test_a_write_at_the_greatest_limits_is_taken_by_all():
    limits = Limits(key=70_000, value=120_000, path=64_000, depth=64, update=250_000)
    peer, other = Peer(0, limits=limits), Peer(1)
    field = ROOT
    for n in range(63):
        field = field.map_field(f"{n:0>900}")

    delta = peer.publish(field.register("r").assign("v" * 110_000), key=("k" * 69_000,))

    assert decode_delta_untrusted(encode_delta(delta)).facts == delta.facts
    for message in peer.said():
        other.hear(message, now=0.0)
    assert other.store.facts == peer.store.facts


@given(histories(), st.integers(0, 2))
@settings(max_examples=40)
def test_an_update_takes_no_more_on_the_wire_than_is_counted(history, number):
    delta = history.sites[number].write(
        ROOT.remove(), *(ROOT.register(n).assign(n) for n in range(5))
    )
    counted = 1_024 + sum(
        len(fact.payload) + sum(map(len, fact.path)) + _PER_STEP * len(fact.path)
        for fact in delta.facts.values()
    )
    touched = sum(
        last - first + 1 for _, rs in delta.context.items() for first, last in rs
    )

    assert len(encode_delta(delta)) <= counted + touched * _PER_FACT


# --- the whole table


def test_a_full_table_takes_no_more_of_our_own_and_all_that_others_write():
    limits = Limits(store=4, store_warning=3)
    peer, other = Peer(0, limits=limits), Peer(1)
    peer.publish(ROOT.add_wins_set("s").add(*range(4)))

    with pytest.raises(LimitExceeded, match="store: 5 facts, the limit is 4"):
        peer.write(ROOT.register("one too many").assign(1))
    peer.take(
        peer.replica.merge(other.publish(ROOT.register("theirs").assign(1)), wall=1.0)
    )

    assert peer.view().register("theirs") == 1
    peer.publish(ROOT.add_wins_set("s").discard(0))
    peer.publish(ROOT.register("theirs").assign(2))  # one for one: it does not grow
    assert peer.view().register("theirs") == 2


def test_writes_that_wait_for_the_disk_count_and_so_does_each_writes_own_size():
    peer = Peer(0, limits=Limits(store=10, store_warning=9))
    for n in range(10):
        peer.write(ROOT.register(f"r{n}").assign(n))

    with pytest.raises(LimitExceeded, match="store: 11 facts, the limit is 10"):
        peer.write(ROOT.register("one too many").assign(1))
    peer.sync_disk()
    peer.publish(ROOT.remove())
    with pytest.raises(LimitExceeded, match="store: 11 facts, the limit is 10"):
        peer.write(ROOT.add_wins_set("s").add(*range(11)))
    peer.publish(ROOT.add_wins_set("s").add(*range(10)))

    assert len(peer.store.facts) == 10


def test_what_an_update_makes_and_drops_itself_is_no_room_for_another():
    peer = Peer(0, limits=Limits(store=2, store_warning=1))
    elements = ROOT.add_wins_set("s")
    peer.write(elements.add(1), elements.discard(1))
    peer.write(ROOT.register("a").assign(1))
    peer.write(ROOT.register("b").assign(1))

    with pytest.raises(LimitExceeded, match="store: 3 facts, the limit is 2"):
        peer.write(ROOT.register("c").assign(1))


def test_a_table_that_grows_large_is_told_once_until_it_was_smaller():
    limits = Limits(store=40, store_warning=20)
    peer = Peer(0, limits=limits)
    told: list[StoreLarge] = []

    def publish(operation: Operation) -> None:
        effects = peer.replica.committed(peer.write(operation))
        assert isinstance(effects, list)
        told.extend(e for e in effects if isinstance(e, StoreLarge))

    elements = ROOT.add_wins_set("s")
    for n in range(25):
        publish(elements.add(n))
    assert told == [StoreLarge(21, 40)]
    publish(elements.discard(*range(5)))
    publish(elements.add(*range(5)))
    assert len(told) == 1
    publish(elements.discard(*range(10)))
    publish(elements.add(*range(10)))
    assert told == [StoreLarge(21, 40), StoreLarge(25, 40)]
