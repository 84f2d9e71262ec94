"""The store's digest: one hash of all facts and contexts, kept up to date.

The records are actors: what must agree of one is its part of the context and its
live facts, as the sum of their hashes. So that a write costs a few hashes, whatever
the store holds, the sum is kept where there are two facts or more. The sum of one is
made again at the price of one hash, less than to follow what came and went; most
actors have just one, and an entry of a dict for each would take 88 bytes.
"""

from __future__ import annotations

from collections.abc import Collection

from lashup.crdt.branch import Leaf
from lashup.crdt.dot import ACTOR_SIZE, Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import FactSet, Joined
from lashup.kv.delta_codec import encode_dot, encode_fact, encode_runs
from lashup.reconcile import Summary, keyed_hash

_MASK = (1 << 64) - 1
#: Live facts of an actor from which on the sum of their hashes is kept.
_KEPT_FROM = 2


class Digest:
    """Hashes of one store.

    Args:
        hash_key: The same on all members of a cluster.
    """

    def __init__(self, *, hash_key: bytes) -> None:
        self.summary = Summary(key_size=ACTOR_SIZE, hash_key=hash_key)
        self._hash_key = hash_key
        #: Of the actors with so many live facts.
        self._live_sums: dict[Actor, int] = {}

    @property
    def root(self) -> int:
        """64 bits. Equal roots mean equal stores; 0 is the empty store's."""
        return self.summary.root

    def note(self, joined: Joined, facts: FactSet) -> None:
        """Follow a join.

        Args:
            joined: What it changed.
            facts: The store's, after it.
        """
        for change, sign in ((joined.added, 1), (joined.removed, -1)):
            for dot, fact in change:
                if dot.actor in self._live_sums:
                    self._live_sums[dot.actor] += sign * self._fact_hash(dot, fact)
        for actor in joined.actors:
            live = self._live_sum(actor, facts.leaves(actor)).to_bytes(8, "big")
            runs = encode_runs(facts.context.runs(actor))
            self.summary.put(actor, keyed_hash(self._hash_key, actor, runs, live))

    def forget(self, actor: Actor) -> None:
        """Leave out an actor that the context does not have any more."""
        self._live_sums.pop(actor, None)
        self.summary.discard(actor)

    def _live_sum(self, actor: Actor, leaves: Collection[Leaf]) -> int:
        kept = self._live_sums.pop(actor, None)
        if kept is None or len(leaves) < _KEPT_FROM:
            kept = sum(self._fact_hash(leaf.dot, leaf) for leaf in leaves)
        kept &= _MASK
        if len(leaves) >= _KEPT_FROM:
            self._live_sums[actor] = kept
        return kept

    def _fact_hash(self, dot: Dot, fact: Fact | Leaf) -> int:
        return keyed_hash(self._hash_key, encode_dot(dot), encode_fact(fact))
