"""Subscribers: present values first, then changes, coalesced, never without bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.crdt import MapField
from lashup.errors import UsageError
from lashup.kv.delta_codec import encode_delta
from lashup.kv.effects import Notify
from lashup.kv.pattern import ANY
from lashup.kv.subscription import Subscription
from tests.kv.vocabulary import WALL, Peer
from tests.strategies import few_keys, updates
from tests.vocabulary import Site

ROOT = MapField()


def _taken(peer, subscription):
    changes = []
    while (change := peer.replica.take(subscription)) is not None:
        changes.append((change.key, change.old.plain(), change.new.plain()))
    return changes


def _set(peer, key, value):
    peer.publish(ROOT.register("r").assign(value), key=key)


def test_present_values_come_first_then_each_change_with_old_and_new():
    peer = Peer(0)
    _set(peer, ("a",), 1)
    subscription = peer.replica.subscribe((ANY,))

    assert _taken(peer, subscription) == [(("a",), {}, {"r": 1})]
    _set(peer, ("a",), 2)
    _set(peer, ("b",), 3)
    assert _taken(peer, subscription) == [
        (("a",), {"r": 1}, {"r": 2}),
        (("b",), {}, {"r": 3}),
    ]
    peer.publish(ROOT.remove(), key=("a",))
    assert _taken(peer, subscription) == [(("a",), {"r": 2}, {})]


def test_changes_that_come_faster_than_they_are_taken_are_told_as_one():
    peer = Peer(0)
    _set(peer, ("a",), 0)
    subscription = peer.replica.subscribe((...,))
    _taken(peer, subscription)

    for n in range(1, 100):
        _set(peer, ("a",), n)

    assert len(subscription) == 1
    assert _taken(peer, subscription) == [(("a",), {"r": 0}, {"r": 99})]


def test_what_reads_as_before_is_no_change():
    peer = Peer(0)
    _set(peer, ("a",), 1)
    subscription = peer.replica.subscribe((...,))
    _taken(peer, subscription)

    _set(peer, ("a",), 1)
    _set(peer, ("a",), 2)
    _set(peer, ("a",), 1)

    assert _taken(peer, subscription) == []


def test_other_keys_are_not_told():
    peer = Peer(0)
    subscription = peer.replica.subscribe(("a", ...))

    _set(peer, ("b",), 1)

    assert len(subscription) == 0
    assert _taken(peer, subscription) == []


def test_the_driver_is_told_when_there_is_something_to_take():
    peer = Peer(0)
    subscription = peer.replica.subscribe(("a",))
    outsider = peer.replica.subscribe(("z",))
    delta = Site(5).write(ROOT.register("r").assign(1), key=("a",))

    effects = peer.replica.hear_announced_untrusted(
        encode_delta(delta), now=0.0, wall=WALL
    )

    told = [e.subscription for e in effects if isinstance(e, Notify)]
    assert told == [subscription]
    assert outsider not in told


def test_keys_that_come_and_go_do_not_pile_up_with_one_who_never_takes():
    peer = Peer(0)
    _set(peer, ("stays",), 1)
    subscription = peer.replica.subscribe((...,))

    for n in range(300):
        _set(peer, (n,), 1)
        peer.publish(ROOT.remove(), key=(n,))

    assert len(subscription) == 1
    assert _taken(peer, subscription) == [(("stays",), {}, {"r": 1})]


def test_each_of_several_subscriptions_is_told_at_its_own_pace():
    peer = Peer(0)
    quick, slow = peer.replica.subscribe(("a",)), peer.replica.subscribe((...,))

    _set(peer, ("a",), 1)
    assert _taken(peer, quick) == [(("a",), {}, {"r": 1})]
    _set(peer, ("a",), 2)

    assert _taken(peer, quick) == [(("a",), {"r": 1}, {"r": 2})]
    assert _taken(peer, slow) == [(("a",), {}, {"r": 2})]


def test_a_key_that_was_given_and_went_is_told_once():
    peer = Peer(0)
    _set(peer, ("a",), 1)
    subscription = peer.replica.subscribe((...,))
    _taken(peer, subscription)

    peer.publish(ROOT.remove(), key=("a",))
    _set(peer, ("a",), 2)
    peer.publish(ROOT.remove(), key=("a",))

    assert _taken(peer, subscription) == [(("a",), {"r": 1}, {})]


def test_one_who_has_unsubscribed_is_told_nothing():
    peer = Peer(0)
    subscription = peer.replica.subscribe((...,))
    peer.replica.unsubscribe(subscription)
    peer.replica.unsubscribe(subscription)

    _set(peer, ("a",), 1)

    assert len(subscription) == 0


def test_what_is_no_pattern_is_refused_and_nobody_is_subscribed():
    peer = Peer(0)

    with pytest.raises(UsageError):
        peer.replica.subscribe((..., "a"))

    assert peer.replica.statistics()["subscriptions"] == 0


@given(st.lists(st.tuples(few_keys, updates, st.booleans()), max_size=10))
@settings(max_examples=60)
def test_whoever_applies_the_changes_has_the_table(steps):
    """And each change's old value is what the subscriber was last given."""
    peer, remote = Peer(0), Site(5)
    subscription = peer.replica.subscribe(("k", ...))
    mirror: dict[object, object] = {}

    def follow() -> None:
        for key, old, new in _taken(peer, subscription):
            assert mirror.get(key, {}) == old
            assert old != new
            mirror[key] = new

    for key, operations, is_remote in steps:
        if is_remote:
            delta = encode_delta(remote.write(*operations, key=key))
            peer.take(peer.replica.hear_announced_untrusted(delta, now=0.0, wall=WALL))
            follow()
        else:
            remote.hear(peer.publish(*operations, key=key))
        assert len(subscription) <= 2
    follow()

    keys = peer.replica.keys(("k", ...))
    assert {k: v for k, v in mirror.items() if v} == {
        key: peer.view(key).plain() for key in keys
    }
    assert len(subscription) == 0


def test_a_change_costs_those_whom_it_may_concern_and_not_the_others(monkeypatch):
    offers: list[bytes] = []
    inner = Subscription.offer

    def offer(subscription, packed_key, old, new):
        offers.append(packed_key)
        return inner(subscription, packed_key, old, new)

    monkeypatch.setattr(Subscription, "offer", offer)
    peer = Peer(0)
    every = [peer.replica.subscribe(("k", n)) for n in range(100)]
    wide = [peer.replica.subscribe(p) for p in [(...,), ("k", ...), (ANY, 7)]]

    _set(peer, ("k", 7), 1)

    assert len(offers) == 4
    assert all(_taken(peer, one) for one in (every[7], *wide))


@given(st.lists(few_keys, max_size=4), few_keys, st.data())
def test_whoever_follows_a_key_is_offered_its_change(others, key, data):
    peer = Peer(0)
    cut = data.draw(st.integers(0, len(key)))
    wild = tuple(data.draw(st.sampled_from([ANY, part])) for part in key)
    patterns = [key, (*key[:cut], ...), (*wild[:cut], ...), wild]
    following = [peer.replica.subscribe(pattern) for pattern in patterns]
    for other in others:
        peer.replica.subscribe(other)

    _set(peer, key, 1)

    assert all(_taken(peer, one) for one in following)
