"""Replicas on a network that loses, repeats and reorders, with disks that are slow.

The machine lets Hypothesis choose what happens; at the end the network heals, and
everybody must be equal, with everything that was acknowledged.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lashup.crdt import Dot, Fact, MapField
from lashup.crdt.writer import Operation
from tests.kv.vocabulary import (
    Datagrams,
    Message,
    Network,
    Peer,
    ahead_from_scratch,
    ahead_of,
    are_equal,
    digest_from_scratch,
    on_disk,
)
from tests.strategies import few_keys, updates
from tests.vocabulary import all_dots

PEERS = 3
#: Bytes of a datagram: nearly every message takes several.
DATAGRAM = 40
which = st.integers(0, PEERS - 1)
index = st.integers(0, 1 << 10)


class Replicas(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.peers = [Peer(n, part_size=250) for n in range(PEERS)]
        #: Cut to datagrams, each copy of what goes to everybody for itself.
        self.underway: list[tuple[Peer, Message]] = []
        self.datagrams = Datagrams(DATAGRAM)
        #: What every dot names, whoever minted it, in flight or not.
        self.minted: dict[Dot, Fact] = {}
        self.removed: set[Dot] = set()
        #: By peer, what it has dropped in its present life.
        self.gone: list[set[Dot]] = [set() for _ in range(PEERS)]
        self.seen_live: list[set[Dot]] = [set() for _ in range(PEERS)]

    @rule(number=which, operations=updates, key=few_keys)
    def write(self, number, operations, key):
        peer = self.peers[number]
        write = peer.write(*operations, key=key)

        assert not self.minted.keys() & write.delta.facts.keys()
        self.minted |= write.delta.facts
        self.removed |= all_dots(write.delta.context) - write.delta.facts.keys()

    @rule(number=which, count=st.integers(1, 5))
    def sync_disk(self, number, count):
        self.peers[number].sync_disk(count)
        self._collect()

    @rule(number=which, durable=st.integers(0, 5))
    def crash(self, number, durable):
        self.peers[number].crash(durable=durable)
        self.datagrams.forget(self.peers[number].address)
        self.gone[number] = set()
        self.seen_live[number] = set()

    @rule(at=index, keep=st.booleans())
    def deliver(self, at, keep):
        if self.underway:
            at %= len(self.underway)
            self._carry(*(self.underway[at] if keep else self.underway.pop(at)))

    @rule(at=index)
    def deliver_much(self, at):
        """Most of what is underway, from somewhere on, the latest first."""
        if self.underway:
            for datagram in reversed(self.underway[at % len(self.underway) :]):
                self._carry(*datagram)

    @rule(at=index)
    def lose(self, at):
        if self.underway:
            self.underway.pop(at % len(self.underway))

    @rule(number=which, other=which)
    def probe(self, number, other):
        if number != other:
            self.peers[number].hear_digest_of(self.peers[other], now=self.now)

    @rule(seconds=st.sampled_from([0.0, 0.3, 2.0]))
    def wait(self, seconds):
        self.now += seconds
        for peer in self.peers:
            peer.tick(now=self.now)
        self._collect()

    @invariant()
    def what_is_visible_is_durable_and_what_is_in_flight_is_not_visible(self):
        for peer in self.peers:
            for write in peer.store._in_flight.values():
                for dot in write.delta.facts:
                    assert dot not in peer.store.facts.context
            mine = peer.store._actor
            if mine is not None:
                assert all(
                    on_disk(peer, Dot(mine, c)) for c in peer.store.facts.live(mine)
                )

    @invariant()
    def nobody_has_more_in_mind_than_what_happened(self):
        for number, peer in enumerate(self.peers):
            live = dict(iter(peer.store.facts))
            assert all(self.minted[dot] == fact for dot, fact in live.items())
            seen = all_dots(peer.store.facts.context)
            assert live.keys() <= seen
            assert seen - live.keys() <= self.removed
            assert not self.gone[number] & live.keys()
            self.gone[number] |= self.seen_live[number] - live.keys()
            self.seen_live[number] |= live.keys()

    @invariant()
    def digests_and_values_ahead_are_what_they_are_from_scratch(self):
        for peer in self.peers:
            assert peer.replica.root == digest_from_scratch(peer.store)
            for key in peer.store._ahead:
                assert ahead_of(peer.store, key) == ahead_from_scratch(peer.store, key)
            assert set(peer.store._ahead) == {
                write.key for write in peer.store._in_flight.values()
            }

    def teardown(self):
        network = Network(*self.peers, rng=random.Random(1), budget=DATAGRAM)
        network.now = self.now
        for peer in self.peers:
            peer.sync_disk()

        assert network.run(until=lambda: are_equal(*self.peers), seconds=200)

        live = dict(iter(self.peers[0].store.facts))
        for delta in (d for peer in self.peers for d in peer.acknowledged):
            gone = all_dots(delta.context) - delta.facts.keys()
            assert not gone & live.keys()
            assert delta.facts.keys() - self.removed <= live.keys()
        for peer in self.peers:
            peer.sync_disk()
            before = peer.store.facts
            peer.start()
            assert peer.store.facts == before
            assert peer.replica.root == self.peers[0].replica.root

    def _carry(self, peer, datagram):
        message = self.datagrams.join(peer.address, datagram, now=self.now)
        if message is not None:
            peer.hear(message, now=self.now)
            self._collect()

    def _collect(self):
        for message in (said for peer in self.peers for said in peer.said()):
            to, sender, _ = message
            for peer in self.peers:
                if peer.address == to or (to is None and peer.address != sender):
                    for datagram in self.datagrams.cut(message):
                        self.underway.append((peer, datagram))


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None
)


@pytest.mark.parametrize("loss", [0.0, 0.3, 0.5])
def test_replicas_with_much_to_tell_each_other_become_equal(loss):
    rng = random.Random(f"{loss}")
    peers = [Peer(n) for n in range(4)]
    for n in range(900):
        field = MapField().map_field(rng.randrange(40))
        operations: list[Operation] = [
            field.register("r").assign(n),
            field.add_wins_set("s").add(n),
            field.remove(),
        ]
        peers[n % 3].publish(rng.choice(operations))
        for peer in peers:
            peer.said()  # lost, all of it
    network = Network(*peers, rng=rng, loss=loss, repeat=0.1, budget=250)

    assert network.run(until=lambda: are_equal(*peers), seconds=120)

    assert all(peer.replica.anti_entropy.is_synchronised for peer in peers)
    assert peers[3].store.digest.root != 0
    # Repairs came in several fragments each, and some of them never whole.
    torn = network.datagrams.count("expired") + network.datagrams.count("waiting")
    assert network.datagrams.count("joined") > 10
    assert torn > 0 or not loss


def test_a_digest_that_was_a_delta_on_its_way_starts_no_exchange():
    one, two = Peer(0), Peer(1)
    one.publish()
    one.publish(MapField().register("r").assign(1))
    [announced] = one.said()
    two.hear(announced, now=0.0)
    two.hear_digest_of(one, now=0.0)
    assert two.replica.anti_entropy.is_synchronised
    one.publish(MapField().register("r").assign(2))
    [announced] = one.said()
    two.hear_digest_of(one, now=1.0)
    assert two.replica.anti_entropy.next_wakeup() > 1.0

    two.hear(announced, now=1.01)
    two.tick(now=two.replica.anti_entropy.next_wakeup())

    assert two.replica.anti_entropy.exchanges == 0
    assert not two.said()
