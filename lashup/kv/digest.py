"""The store's digest: one hash of all facts and contexts, kept up to date.

The records are actors: what must agree of one is its part of the context and its
live facts, of which the sum of hashes is kept. So a write costs a few hashes,
whatever the store holds.
"""

from __future__ import annotations

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import ACTOR_SIZE, Actor, Dot
from lashup.crdt.facts import Fact, Joined
from lashup.kv.delta_codec import encode_dot, encode_fact, encode_runs
from lashup.reconcile import Summary, keyed_hash

_MASK = (1 << 64) - 1


class Digest:
    """Hashes of one store.

    Args:
        hash_key: The same on all members of a cluster.
    """

    def __init__(self, *, hash_key: bytes) -> None:
        self.summary = Summary(key_size=ACTOR_SIZE, hash_key=hash_key)
        self._hash_key = hash_key
        self._live_sums: dict[Actor, int] = {}

    @property
    def root(self) -> int:
        """64 bits. Equal roots mean equal stores; 0 is the empty store's."""
        return self.summary.root

    def note(self, joined: Joined, context: CausalContext) -> None:
        """Follow a join.

        Args:
            joined: What it changed.
            context: The store's, after it.
        """
        for dot, fact in joined.added:
            self._add(dot.actor, self._fact_hash(dot, fact))
        for dot, fact in joined.removed:
            self._add(dot.actor, -self._fact_hash(dot, fact))
        for actor in joined.actors:
            live = self._live_sums.get(actor, 0).to_bytes(8, "big")
            runs = encode_runs(context.runs(actor))
            self.summary.put(actor, keyed_hash(self._hash_key, actor, runs, live))

    def forget(self, actor: Actor) -> None:
        """Leave out an actor that the context does not have any more."""
        self._live_sums.pop(actor, None)
        self.summary.discard(actor)

    def _add(self, actor: Actor, difference: int) -> None:
        total = (self._live_sums.get(actor, 0) + difference) & _MASK
        self._live_sums[actor] = total

    def _fact_hash(self, dot: Dot, fact: Fact) -> int:
        return keyed_hash(self._hash_key, encode_dot(dot), encode_fact(fact))
