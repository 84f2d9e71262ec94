"""Equal digests mean equal stores, and nothing else."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import CausalContext, Delta, Dot, Fact, FactSet
from lashup.crdt.field import Type, pack_step
from lashup.kv.digest import Digest
from lashup.kv.store import Store
from tests.kv.vocabulary import HASH_KEY, WALL, digest_from_scratch
from tests.strategies import histories

STEP = pack_step("x", Type.SET)


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
def test_one_flipped_bit_in_one_fact_changes_the_root(history, data):
    store = _store(*history.deltas)
    live = dict(iter(store.facts))
    if not live:
        return
    dot = data.draw(st.sampled_from(sorted(live)))
    fact = live[dot]
    where = data.draw(st.sampled_from(["key", "path", "payload", "dot", "context"]))
    context = store.facts.context.copy()

    def flipped(some: bytes) -> bytes:
        at = data.draw(st.integers(0, 8 * len(some) - 1))
        return bytes(
            byte ^ (1 << at % 8 if n == at // 8 else 0) for n, byte in enumerate(some)
        )

    match where:
        case "key":
            live[dot] = Fact(flipped(fact.key), fact.path, fact.payload)
        case "path":
            live[dot] = Fact(fact.key, (flipped(fact.path[0]),), fact.payload)
        case "payload":
            live[dot] = Fact(fact.key, fact.path, flipped(fact.payload or b"\0"))
        case "dot":
            del live[dot]
            live[Dot(dot.actor, dot.counter + 1_000)] = fact
            context.add_run(dot.actor, dot.counter + 1_000, dot.counter + 1_000)
        case _:
            context.add_run(dot.actor, dot.counter + 1_000, dot.counter + 1_000)

    assert _root(live, context) != store.digest.root


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
        digest.note(joined, facts.context)
        roots.add(digest.root)

    assert len(roots) == 2
