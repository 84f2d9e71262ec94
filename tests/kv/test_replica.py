"""The replica as a machine: what is small and belongs nowhere else."""

from __future__ import annotations

import pytest

from lashup.crdt import MapField
from lashup.errors import UsageError
from lashup.kv.absence import DAY
from lashup.kv.delta_codec import encode_delta
from lashup.kv.pattern import ANY
from tests.kv.vocabulary import WALL, Peer, failure
from tests.vocabulary import Site

ROOT = MapField()


def test_keys_are_those_that_have_a_value_and_match():
    peer = Peer(0)
    for key in (("a", 1), ("a", 2), ("b",)):
        peer.publish(ROOT.register("r").assign(1), key=key)
    peer.publish(ROOT.remove(), key=("a", 1))

    assert sorted(peer.replica.keys(), key=repr) == [("a", 2), ("b",)]
    assert peer.replica.keys(("a", ANY)) == [("a", 2)]


@pytest.mark.parametrize("key", [(), "k", (1.5,), (None,)])
def test_what_is_no_key_is_refused(key):
    peer = Peer(0)

    assert isinstance(failure(lambda: peer.replica.get(key)), UsageError)
    assert isinstance(failure(lambda: peer.write(key=key)), UsageError)


def test_a_value_that_was_read_stays_as_it_was():
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign([1]))
    held = peer.view()
    value = held.register("r")
    assert isinstance(value, list)
    value.append("mine")

    peer.publish(ROOT.register("r").assign([2]))

    assert held.plain() == {"r": [1]}
    assert peer.view().plain() == {"r": [2]}


def test_statistics_say_what_there_is():
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign(1))
    peer.write(ROOT.register("q").assign(1))
    subscription = peer.replica.subscribe((...,))

    numbers = peer.replica.statistics()

    assert numbers["facts"] == numbers["actors"] == numbers["writes_waiting"] == 1
    assert numbers["subscriptions"] == 1
    assert len(subscription) == 1


def test_a_replica_alone_looks_around_once_a_day():
    alone = Peer(0)
    alone.tick(now=0.0)

    midnight = DAY - WALL % DAY
    assert alone.replica.next_wakeup() == midnight


def test_two_replicas_that_are_both_empty_do_not_call_that_synchronised():
    one, two = Peer(0), Peer(1)

    one.hear_digest_of(two, now=0.0)
    one.tick(now=1.0)

    assert not one.replica.anti_entropy.is_synchronised
    assert not one.said()


def test_a_peer_with_nothing_is_not_asked():
    full, empty = Peer(0), Peer(1)
    full.publish(ROOT.register("r").assign(1))
    full.said()

    full.hear_digest_of(empty, now=0.0)
    full.tick(now=1.0)

    assert not full.said()


def test_a_delta_heard_twice_is_put_on_disk_once():
    peer = Peer(0)
    delta = encode_delta(Site(5).write(ROOT.register("r").assign(1)))

    first = peer.replica.hear_announced_untrusted(delta, now=0.0, wall=WALL)
    again = peer.replica.hear_announced_untrusted(delta, now=0.0, wall=WALL)

    assert first
    assert again == []
