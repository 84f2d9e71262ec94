"""The exchange: what it costs, how it bears loss, and when it gives up."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from functools import cache

import pytest

from lashup.crdt import CausalContext, Delta, Dot, Fact, MapField
from lashup.kv.anti_entropy import ATTEMPTS
from lashup.kv.delta_codec import encode_delta
from lashup.kv.messages import Answer, Ask, Part, Request, decode_untrusted, encode
from lashup.kv.serving import EVERYTHING
from lashup.wire.readers import pack
from tests.kv.vocabulary import WALL, Network, Peer, are_equal, empty_tables
from tests.vocabulary import Site

ROOT = MapField()


def _actors(peer: Peer, count: int, *, start: int = 0) -> None:
    """Let a peer know of many others' writes."""
    peer.store.merge(_written_by_many(count, start), wall=WALL)


@cache
def _written_by_many(count: int, start: int) -> Delta:
    facts: dict[Dot, Fact] = {}
    for n in range(start, start + count):
        site = Site(0)
        site.actor = n.to_bytes(8, "big")  # type: ignore[assignment]
        facts |= site.write(ROOT.map_field(n).register("r").assign(n)).facts
    return Delta(facts, CausalContext(facts))


def _pair(count: int, rng: random.Random, **network) -> tuple[Peer, Peer, Network]:
    one, two = Peer(0), Peer(1)
    for peer in (one, two):
        _actors(peer, count)
    return one, two, Network(one, two, rng=rng, **network)


def test_one_difference_among_10000_actors_costs_little():
    one, two, network = _pair(10_000, random.Random(1))
    one.publish(ROOT.register("new").assign(1))
    one.said()

    assert network.run(until=lambda: are_equal(one, two), seconds=10)

    # Two asks with their answers, a request and a part: 1,434 bytes when this was
    # written. The benchmark has the goal: 4 KiB.
    assert network.bytes <= 1_600
    asks = [m for m in map(decode_untrusted, network.carried) if isinstance(m, Ask)]
    assert len(asks) <= 3


def test_a_hundred_differences_cost_in_proportion():
    one, two, network = _pair(10_000, random.Random(1))
    own = 0
    for n in range(10_000, 10_100):
        _actors((one, two)[n % 2], 1, start=n)
        own += len(encode_delta(_written_by_many(1, n)))
    assert len(one.store.facts) == len(two.store.facts) == 10_050

    assert network.run(until=lambda: are_equal(one, two), seconds=10)

    # 23,288 bytes when this was written. Facts of 45 bytes cost less than the sums
    # that find them; those of the benchmark are lines, and its goal 8 KiB beside them.
    assert own == 4_500
    assert network.bytes <= 2 * own + 16 * 1_024


def test_who_has_more_asks_nothing_of_who_has_nothing_of_it():
    full, empty = Peer(0), Peer(1)
    _actors(full, 2_000)
    empty.publish(ROOT.register("mine").assign(1))
    empty.said()

    full.hear_digest_of(empty, now=0.0)
    network = Network(full, empty, rng=random.Random(1))
    full.tick(now=0.0)
    network.collect()
    network.run(until=lambda: full.view().register("mine") == 1, seconds=0.5)

    requests = [
        m for m in map(decode_untrusted, network.carried) if isinstance(m, Request)
    ]
    assert sum(len(r.wants) for r in requests) >= 1
    ours = [r for r in requests if len(r.wants) and r.wants[0].stretches == EVERYTHING]
    assert len(ours) <= 1 + 2_000 // 20  # only the empty one has much to ask


@pytest.mark.parametrize("loss", [0.0, 0.3, 0.5])
def test_a_fresh_node_gets_everything_through_a_bad_network(loss):
    full, fresh = Peer(0), Peer(1)
    for n in range(3_000):  # with as many dead runs as facts
        full.write(ROOT.map_field(n % 600).register("r").assign(n))
        full.sync_disk()
        full.outgoing.clear()
    _actors(full, 300)
    network = Network(full, fresh, rng=random.Random(3), loss=loss, repeat=0.1)

    assert network.run(until=lambda: are_equal(full, fresh), seconds=60)

    longest = max(map(len, network.carried))
    assert longest <= 1_400
    assert fresh.replica.anti_entropy.is_synchronised


def test_who_lost_its_disk_gets_everything_again_at_its_old_address():
    one, two, network = _pair(100, random.Random(1))
    one.publish(ROOT.register("r").assign(1))
    assert network.run(until=lambda: are_equal(one, two), seconds=10)

    two.disk = empty_tables()
    two.start()
    assert not len(two.store.facts)

    assert network.run(until=lambda: are_equal(one, two), seconds=5)
    assert len(two.store.facts) == 101


def test_dead_runs_alone_come_through_a_bad_network():
    """Nothing shows in the asker's context that such a part has arrived."""
    full, behind = Peer(0), Peer(1)
    for n in range(1_500):
        full.write(ROOT.map_field(n).register("r").assign(n))
        full.sync_disk()
    behind.store.merge(full.store.facts.as_delta(), wall=WALL)
    for n in range(0, 1_500, 2):
        full.write(ROOT.map_field(n).remove())
        full.sync_disk()
    full.outgoing.clear()
    network = Network(full, behind, rng=random.Random(3), loss=0.5)
    assert len(full.store.facts) == 750

    assert network.run(until=lambda: are_equal(full, behind), seconds=60)


def test_a_peer_that_falls_silent_is_given_up_and_the_next_is_asked():
    asker, silent, other = Peer(0), Peer(1), Peer(2)
    for peer in (silent, other):
        _actors(peer, 10)
    asker.hear_digest_of(silent, now=0.0)
    now, asks = 0.0, 0
    while not asker.replica.anti_entropy.failures:
        asker.tick(now=now)
        asks += len(asker.said())
        assert asks < 40
        now = max(now, min(asker.replica.anti_entropy.next_wakeup(), now + 2))

    assert now < 15.0
    network = Network(asker, other, rng=random.Random(1))
    network.now = now
    assert network.run(until=lambda: are_equal(asker, other), seconds=5)


def test_a_peer_that_walks_and_then_falls_silent_is_given_up():
    asker, peer = Peer(0), Peer(1)
    _actors(peer, 10)
    asker.hear_digest_of(peer, now=0.0)
    asker.tick(now=0.0)
    for message in asker.said():
        peer.hear(message, now=0.0)
    for message in peer.said():
        asker.hear(message, now=0.0)
    sent, now = len(asker.said()), 0.0
    assert sent == 1

    while not asker.replica.anti_entropy.failures:
        now = asker.replica.anti_entropy.next_wakeup()
        asker.tick(now=now)
        sent += len(asker.said())

    assert sent == ATTEMPTS
    assert now < 10.0
    assert asker.replica.anti_entropy.next_wakeup() == float("inf")


def test_a_peer_that_answers_without_saying_anything_is_given_up_too():
    asker, liar = Peer(0), Peer(1)
    _actors(liar, 1)
    asker.hear_digest_of(liar, now=0.0)
    now, sent = 0.0, 0
    while not asker.replica.anti_entropy.failures and sent < 100:
        asker.tick(now=now)
        for message in asker.said():
            sent += 1
            match decode_untrusted(message[2]):
                case Request(number):
                    empty = encode(Part(number, 0, 1, Delta(), ()))
                    asker.hear((asker.address, liar.address, empty), now=now)
                case _:
                    liar.hear(message, now=now)
        for message in liar.said():
            asker.hear(message, now=now)
        now = max(now + 0.01, min(asker.replica.anti_entropy.next_wakeup(), now + 30))

    assert asker.replica.anti_entropy.failures == 1
    assert sent < 20


def test_answers_of_others_and_to_nothing_change_nothing():
    asker, peer = Peer(0), Peer(1)
    _actors(peer, 3)
    asker.hear_digest_of(peer, now=0.0)
    asker.tick(now=0.0)
    stranger = ("10.9.9.9", 1)
    listing = encode(Answer(pack([0, b"x" * 16, 1])))

    asker.hear((asker.address, stranger, listing), now=0.0)
    part = encode(Part(77, 0, 1, Delta(), ((b"z" * 8, EVERYTHING),)))  # type: ignore[arg-type]
    asker.hear((asker.address, peer.address, part), now=0.0)

    exchange = asker.replica.anti_entropy._exchange
    assert exchange is not None
    assert not exchange.todo


def test_late_parts_of_a_request_that_was_repeated_count():
    full, asker = Peer(0), Peer(1)
    for n in range(400):
        full.write(ROOT.map_field(n).register("r").assign("v" * 30))
        full.sync_disk()
    full.outgoing.clear()
    asker.hear_digest_of(full, now=0.0)
    asker.tick(now=0.0)
    for _ in range(2):
        for message in asker.said():
            full.hear(message, now=0.0)
        late = full.said()
        if len(late) == 1:  # the walk's answer
            asker.hear(late[0], now=0.0)
    assert len(late) == 16

    asker.tick(now=0.5)
    repeated = asker.said()
    for message in late:
        asker.hear(message, now=0.6)

    assert repeated
    exchange = asker.replica.anti_entropy._exchange
    assert exchange is not None
    [left] = exchange.todo.values()
    assert left[0][0] > 200


def test_who_is_behind_by_a_context_only_catches_up():
    one, two = Peer(0), Peer(1)
    gone = CausalContext(Dot(b"longgone", n) for n in (1, 2, 3, 9))  # type: ignore[arg-type]
    one.store.merge(Delta({}, gone), wall=WALL)
    network = Network(one, two, rng=random.Random(1))

    assert network.run(until=lambda: are_equal(one, two), seconds=5)
    two.sync_disk()
    two.start()
    assert two.store.facts == one.store.facts


def test_a_context_of_very_many_runs_is_asked_about_bit_by_bit():
    one, two = Peer(0), Peer(1)
    sieve = CausalContext(Dot(b"sieved!!", n) for n in range(1, 4_000, 2))  # type: ignore[arg-type]
    two.store.merge(Delta({}, sieve), wall=WALL)
    full = CausalContext()
    full.add_run(b"sieved!!", 1, 4_000)  # type: ignore[arg-type]
    one.store.merge(Delta({}, full), wall=WALL)
    network = Network(one, two, rng=random.Random(1), loss=0.2)

    assert network.run(until=lambda: are_equal(one, two), seconds=30)

    requests = [c for c in network.carried if isinstance(decode_untrusted(c), Request)]
    assert max(map(len, requests)) <= 1_400


_RUN = """
import random, sys
from hashlib import sha256
from lashup.crdt import MapField
from tests.kv.vocabulary import Network, Peer, are_equal
rng = random.Random(5)
peers = [Peer(n) for n in range(3)]
for n in range(300):
    field = MapField().map_field("m%d" % rng.randrange(60))
    rng.choice(peers).publish(
        field.register("r").assign({"a": n}), field.add_wins_set("s").add("e%d" % n),
        *([field.remove()] if n % 5 == 0 else []), key=("key", "k%d" % (n % 7)))
for peer in peers:
    peer.outgoing.clear()
network = Network(*peers, rng=rng, loss=0.2, repeat=0.1)
assert network.run(until=lambda: are_equal(*peers), seconds=60)
shown = [repr(peer.view(key).plain()) for peer in peers for key in peer.replica.keys()]
digest = sha256(b"".join(network.carried) + repr((shown, network.now)).encode())
print(digest.hexdigest(), len(network.carried))
"""


def test_a_run_is_the_same_whatever_the_hash_seed():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _RUN],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(outputs) == 1
    assert int(outputs.pop().split()[1]) > 20


def test_a_delta_announced_and_the_same_by_exchange_are_one():
    one, two = Peer(0), Peer(1)
    delta = one.publish(ROOT.register("r").assign(1))
    one.said()
    network = Network(one, two, rng=random.Random(1))
    assert network.run(until=lambda: are_equal(one, two), seconds=5)
    root = two.replica.root

    two.take(
        two.replica.hear_announced_untrusted(encode_delta(delta), now=0.0, wall=WALL)
    )

    assert two.replica.root == root


def test_nodes_that_all_lost_their_disks_agree_without_being_informed():
    one, two = Peer(0), Peer(1)
    for peer in (one, two):
        peer.publish(ROOT.register(peer.address[1]).assign(1))
        peer.said()

    network = Network(one, two, rng=random.Random(1))
    assert network.run(until=lambda: are_equal(one, two), seconds=10)
    network.run(until=lambda: False, seconds=3)

    for peer in (one, two):
        assert peer.replica.anti_entropy.is_synchronised
        assert not peer.replica.anti_entropy.is_informed


def test_who_had_the_table_before_informs_those_who_become_equal_to_it():
    old, new, newest = Peer(0), Peer(1), Peer(2)
    old.publish(ROOT.register("x").assign(1))
    old.crash()
    old.said()

    network = Network(old, new, newest, rng=random.Random(1))
    told = [peer.replica.anti_entropy for peer in (new, newest)]

    assert network.run(until=lambda: all(a.is_informed for a in told), seconds=30)
    assert old.replica.rider.is_informed


def test_a_peer_with_an_empty_store_informs_nobody():
    fresh, empty = Peer(0), Peer(1)

    fresh.hear_digest_of(empty, now=0.0)
    fresh.tick(now=0.0)

    assert not fresh.replica.anti_entropy.is_synchronised
    assert not fresh.replica.anti_entropy.is_informed
