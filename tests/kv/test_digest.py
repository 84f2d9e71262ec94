"""Equal digests mean equal stores, and nothing else."""

from __future__ import annotations

import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lashup.crdt import Actor, CausalContext, Delta, Dot, Fact, FactSet
from lashup.crdt.dot import COUNTER_LIMIT
from lashup.crdt.field import Type, pack_step
from lashup.errors import MalformedDatagram
from lashup.kv.delta_codec import decode_delta_untrusted, encode_delta
from lashup.kv.digest import Digest
from lashup.kv.store import Store
from tests.kv.vocabulary import HASH_KEY, WALL, digest_from_scratch
from tests.strategies import histories

STEP = pack_step("x", Type.SET)
PLACES = [
    "key",
    "path",
    "payload",
    "dot's actor",
    "dot's counter",
    "context's actor",
    "context's counter",
]


def _store(*deltas: Delta) -> Store:
    store = Store(hash_key=HASH_KEY, rng=random.Random(0))
    for delta in deltas:
        store.merge(delta, wall=WALL)
    return store


def _root(facts: dict[Dot, Fact], context: CausalContext) -> int:
    return _store(Delta(facts, context)).digest.root


@given(histories())
def test_roots_are_equal_just_when_states_are(history):
    stores = [_store(site.facts.as_delta()) for site in history.sites]
    stores += [_store(*history.deltas[:n]) for n in range(len(history.deltas))]
    for one in stores:
        for two in stores:
            assert (one.digest.root == two.digest.root) == (one.facts == two.facts)


@given(histories())
def test_the_root_depends_on_the_state_and_not_on_the_way_there(history):
    one = _store(*history.deltas)
    two = _store(*reversed(history.deltas))

    assert one.digest.root == two.digest.root == digest_from_scratch(one)
    assert (one.digest.root == 0) == (not len(one.facts.context))


@given(histories(), st.data())
@settings(max_examples=300)
def test_one_flipped_bit_anywhere_changes_the_root(history, data):
    store = _store(*history.deltas)
    live, context = dict(iter(store.facts)), store.facts.context.copy()
    assume(live)
    dot = data.draw(st.sampled_from(sorted(live)))
    fact = live[dot]

    def flipped(some: bytes) -> bytes:
        at = data.draw(st.integers(0, 8 * len(some) - 1))
        number = int.from_bytes(some, "big") ^ int(1 << at)
        return number.to_bytes(len(some), "big")

    def flipped_counter(counter: int) -> int:
        other = int.from_bytes(flipped(counter.to_bytes(8, "big")), "big")
        assume(0 < other < COUNTER_LIMIT)
        return other

    match data.draw(st.sampled_from(PLACES)):
        case "key":
            live[dot] = Fact(flipped(fact.key), fact.path, fact.payload)
        case "path":
            steps = list(fact.path)
            depth = data.draw(st.integers(0, len(steps) - 1))
            steps[depth] = flipped(steps[depth])
            live[dot] = Fact(fact.key, tuple(steps), fact.payload)
        case "payload":
            assume(fact.payload)
            live[dot] = Fact(fact.key, fact.path, flipped(fact.payload))
        case "dot's actor":
            other = Dot(Actor(flipped(dot.actor)), dot.counter)
            assume(other not in live)
            live[other] = live.pop(dot)
            context.add_run(*other, other.counter)
        case "dot's counter":
            other = Dot(dot.actor, flipped_counter(dot.counter))
            assume(other not in live)
            live[other] = live.pop(dot)
            context.add_run(*other, other.counter)
        case "context's actor":
            context = CausalContext()
            for actor, runs in store.facts.context.items():
                is_it = actor == dot.actor
                context.add_runs(Actor(flipped(actor)) if is_it else actor, runs)
        case "context's counter":
            context = CausalContext()
            for actor, runs in store.facts.context.items():
                bounds = [bound for run in runs for bound in run]
                if actor == dot.actor:
                    at = data.draw(st.integers(0, len(bounds) - 1))
                    bounds[at] = flipped_counter(bounds[at])
                assume(bounds == sorted(bounds))
                for first, last in zip(bounds[::2], bounds[1::2], strict=True):
                    context.add_run(actor, first, last)
            assume(context != store.facts.context)

    assert _root(live, context) != store.digest.root


@given(histories(), st.data())
@settings(max_examples=300)
def test_a_state_that_came_with_a_flipped_bit_is_noticed_or_the_same(history, data):
    store = _store(*history.deltas)
    assume(len(store.facts.context))
    encoded = bytearray(encode_delta(store.facts.as_delta()))
    at = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[at // 8] ^= 1 << at % 8

    try:
        other = _store(decode_delta_untrusted(bytes(encoded)))
    except MalformedDatagram:
        return

    assert (other.digest.root == store.digest.root) == (other.facts == store.facts)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12))
def test_the_sum_of_an_actors_facts_follows_as_they_grow_and_shrink(steps):
    store = _store()
    actor = Actor(b"a" * 8)
    live: list[Dot] = []
    for counter, (comes, which) in enumerate(steps, start=1):
        dot = Dot(actor, counter)
        facts = {dot: Fact(b"k", (STEP,), b"%d" % counter)} if comes else {}
        gone = [live.pop(which % len(live))] if live and which else []
        live += facts
        store.merge(Delta(facts, CausalContext([dot, *gone])), wall=WALL)

        assert store.digest.root == digest_from_scratch(store)
        # What one fact costs to hash again is not kept.
        assert (actor in store.digest._live_sums) == (len(live) > 1)


def test_a_fact_that_is_gone_is_not_a_fact_that_was_never_there():
    dot, fact = Dot(b"a" * 8, 1), Fact(b"k", (STEP,), b"")  # type: ignore[arg-type]

    alive = _root({dot: fact}, CausalContext([dot]))
    dead = _root({}, CausalContext([dot]))

    assert len({alive, dead, 0}) == 3


def test_digests_under_another_key_tell_nothing():
    dot, fact = Dot(b"a" * 8, 1), Fact(b"k", (STEP,), b"")  # type: ignore[arg-type]
    facts = FactSet()
    joined = facts.join(Delta({dot: fact}, CausalContext([dot])))
    roots = set()
    for hash_key in (b"one", b"two"):
        digest = Digest(hash_key=hash_key)
        digest.note(joined, facts)
        roots.add(digest.root)

    assert len(roots) == 2
