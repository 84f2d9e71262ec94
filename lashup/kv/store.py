"""One replica of the table: writes that wait for the disk, and what everybody sees.

Theory of operation
-------------------
What others may see is on disk first. So a local write goes through two steps. `write`
makes its delta, minting dots, and says what to put on disk; nothing is visible yet.
`commit`, once it is on disk, joins the delta like one of somebody else's. A second
write to the same key in between builds on the first: `_ahead` holds, for keys with
writes on their way, the value as it will be.

Deltas of others (`merge`) are visible at once and go to disk with the next batch.
If a crash loses them, reconciliation brings them back.

An actor is taken at the first write after each start, and never again after that. A
restored backup or a cloned disk cannot be told from the real one before anybody else
was heard, so no counter on disk is trusted for minting. If somebody is seen to know
more of our actor than we do (the machine was resumed from a snapshot), another is
taken at once, and writes on their way are minted again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.causal_context import CausalContext, within
from lashup.crdt.dot import ACTOR_SIZE, Actor, Dot
from lashup.crdt.facts import Delta, Fact, FactSet, Joined
from lashup.crdt.field import Key, Type, pack_key, step_kind
from lashup.crdt.hybrid_clock import DEFAULT_MAX_SKEW, HybridClock
from lashup.crdt.register import read_payload_untrusted
from lashup.crdt.writer import Operation, Writer
from lashup.errors import MalformedDatagram
from lashup.kv.delta_codec import (
    decode_dot_untrusted,
    decode_fact_untrusted,
    decode_runs_untrusted,
    encode_dot,
    encode_fact,
    encode_runs,
)
from lashup.kv.digest import Digest
from lashup.kv.limits import Limits

FACT_TABLE = "fact"
CONTEXT_TABLE = "context"

Puts = tuple[tuple[str, bytes, bytes], ...]
Deletes = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """What to put on disk and to delete from it, together."""

    puts: Puts
    deletes: Deletes


@dataclass(frozen=True, slots=True)
class Write:
    """A local write on its way to the disk.

    Attributes:
        key: Packed.
        actor: Who minted its dots.
        first: The first counter that it minted, or would have.
        delta: What it says; without effect it is empty.
        rows: What must be on disk before it is committed.
    """

    key: bytes
    actor: Actor
    first: int
    delta: Delta
    rows: Rows


@dataclass(frozen=True, slots=True)
class Merged:
    """What a delta of somebody else did.

    Attributes:
        before: Keys whose value changed, as they were.
        rows: What to put on disk some time.
        skew: Seconds by which the worst timestamp exceeds the permitted skew.
    """

    before: Mapping[bytes, Branch]
    rows: Rows
    skew: float


@dataclass(slots=True)
class _Ahead:
    """A key's value as it will be when the writes on their way are committed."""

    branch: Branch
    writes: int


class Store:
    """One replica of the table, in memory.

    Args:
        hash_key: The same on all members of a cluster.
        rng: Where actors come from; must be unpredictable in production.
        limits: Bounds on local writes.
        max_skew: Seconds that a peer's clock may be ahead.
    """

    def __init__(
        self,
        *,
        hash_key: bytes,
        rng: random.Random,
        limits: Limits | None = None,
        max_skew: float = DEFAULT_MAX_SKEW,
    ) -> None:
        self.facts = FactSet()
        self.digest = Digest(hash_key=hash_key)
        self.clock = HybridClock(max_skew=max_skew)
        self._rng = rng
        self._limits = limits if limits is not None else Limits()
        self._actor: Actor | None = None
        self._minted = 0
        self._ahead: dict[bytes, _Ahead] = {}
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many writes wait for the disk."""
        return self._waiting

    def load(self, tables: Mapping[str, Mapping[bytes, bytes]]) -> None:
        """Take over what an earlier life left on disk. Only for an empty store.

        Raises:
            MalformedDatagram: The rows are not what this version writes.
        """
        context = CausalContext()
        for actor, runs in tables.get(CONTEXT_TABLE, {}).items():
            if len(actor) != ACTOR_SIZE:
                raise MalformedDatagram("an actor of a wrong size")
            for first, last in decode_runs_untrusted(runs):
                context.add_run(Actor(actor), first, last)
        facts = [
            (decode_dot_untrusted(dot), decode_fact_untrusted(fact))
            for dot, fact in tables.get(FACT_TABLE, {}).items()
        ]
        for dot, _ in facts:
            context.add_run(dot.actor, dot.counter, dot.counter)
        self.facts.restore(facts, context)
        actors = tuple(actor for actor, _ in context.items())
        self.digest.note(Joined(tuple(facts), (), actors, {}), context)
        self.clock.last = max((_timestamp(f) for _, f in facts), default=0)

    def write(self, key: Key, operations: Iterable[Operation], *, wall: float) -> Write:
        """Make the delta of some operations on one key. Not visible before `commit`.

        Args:
            key: Which.
            operations: Carried out in order, seen by others all at once.
            wall: Seconds since 1970.

        Raises:
            UsageError: A key, name or value cannot be stored, or is too large, or
                too many writes wait. Nothing has changed.
        """
        self._limits.check_waiting(self._waiting)
        packed = pack_key(key)
        self._limits.check_key(packed)
        actor = self._actor_now()
        first = self._minted + 1
        writer = Writer(
            packed,
            self._branch_ahead(packed),
            actor=actor,
            counter=first,
            stamp=lambda: self.clock.stamp(wall=wall),
        )
        for operation in operations:
            operation.apply(writer)
        delta = writer.delta()
        self._limits.check_delta(delta)
        self._minted = writer.counter - 1
        self._waiting += 1
        ahead = self._ahead.setdefault(packed, _Ahead(writer.branch, 0))
        ahead.branch = writer.branch
        ahead.writes += 1
        return Write(packed, actor, first, delta, self._rows_of_write(delta))

    def commit(self, write: Write) -> Mapping[bytes, Branch] | Write:
        """Make a write visible: its rows are on disk.

        Returns:
            The keys whose value changed, as they were; or, where the write's actor
            had to be given up meanwhile, the same write by another actor, which is
            to be put on disk and committed instead.
        """
        if write.actor != self._actor:
            return self._mint_again(write)
        self._waiting -= 1
        ahead = self._ahead[write.key]
        ahead.writes -= 1
        if not ahead.writes:
            del self._ahead[write.key]
        joined = self.facts.join(write.delta)
        self.digest.note(joined, self.facts.context)
        return joined.before

    def merge(self, delta: Delta, *, wall: float) -> Merged:
        """Join somebody else's delta.

        Args:
            delta: What they say.
            wall: Seconds since 1970.
        """
        if self._actor is not None and delta.context.last(self._actor) > self._minted:
            self._actor = None  # Somebody has seen a life of ours that we have not.
        joined = self.facts.join(delta)
        self.digest.note(joined, self.facts.context)
        self._follow_ahead(joined)
        skews = (self._observe(fact, wall=wall) for _, fact in joined.added)
        rows = Rows(
            tuple(
                (FACT_TABLE, encode_dot(dot), encode_fact(fact))
                for dot, fact in joined.added
            )
            + tuple(self._context_row(actor) for actor in joined.actors),
            tuple((FACT_TABLE, encode_dot(dot)) for dot, _ in joined.removed),
        )
        return Merged(joined.before, rows, max(skews, default=0.0))

    def _actor_now(self) -> Actor:
        if self._actor is None:
            self._actor = Actor(self._rng.randbytes(ACTOR_SIZE))
            self._minted = 0
        return self._actor

    def _branch_ahead(self, key: bytes) -> Branch:
        ahead = self._ahead.get(key)
        return self.facts.branch(key) if ahead is None else ahead.branch

    def _follow_ahead(self, joined: Joined) -> None:
        """Let writes on their way build on what has just come in."""
        for dot, fact in joined.removed:
            ahead = self._ahead.get(fact.key)
            place = None if ahead is None else ahead.branch.at(fact.path)
            if ahead and place and any(there == dot for there, _ in place.facts):
                ahead.branch = ahead.branch.drop(fact.path, dot)
        for dot, fact in joined.added:
            ahead = self._ahead.get(fact.key)
            if ahead:
                ahead.branch = ahead.branch.put(fact.path, dot, fact.payload)

    def _mint_again(self, write: Write) -> Write:
        actor = self._actor_now()
        first = self._minted + 1
        context = CausalContext()
        for theirs, runs in write.delta.context.items():
            # Of the lost actor, what this write minted names facts of its other life.
            known = within(runs, 1, write.first - 1) if theirs == write.actor else runs
            for start, end in known:
                context.add_run(theirs, start, end)
        facts: dict[Dot, Fact] = {}
        for fact in write.delta.facts.values():
            self._minted += 1
            facts[Dot(actor, self._minted)] = fact
            context.add_run(actor, self._minted, self._minted)
        delta = Delta(facts, context)
        return Write(write.key, actor, first, delta, self._rows_of_write(delta))

    def _rows_of_write(self, delta: Delta) -> Rows:
        puts = [
            (FACT_TABLE, encode_dot(dot), encode_fact(fact))
            for dot, fact in delta.facts.items()
        ]
        if self._actor is not None and delta.facts:
            puts.append(self._context_row(self._actor))
        dropped = (
            Dot(actor, counter)
            for actor, runs in delta.context.items()
            for first, last in runs
            for counter in range(first, last + 1)
        )
        return Rows(
            tuple(puts),
            tuple((FACT_TABLE, encode_dot(d)) for d in dropped if d not in delta.facts),
        )

    def _context_row(self, actor: Actor) -> tuple[str, bytes, bytes]:
        runs = self.facts.context.runs(actor)
        if actor == self._actor and self._minted:
            # Rows reach the disk in order, so those of writes on their way are there.
            runs = ((1, self._minted),)
        return CONTEXT_TABLE, actor, encode_runs(runs)

    def _observe(self, fact: Fact, *, wall: float) -> float:
        timestamp = _timestamp(fact)
        return self.clock.observe(timestamp, wall=wall) if timestamp else 0.0


def _timestamp(fact: Fact) -> int:
    """The hybrid timestamp in a fact, 0 when its type has none."""
    if step_kind(fact.path[-1]) != Type.REGISTER:
        return 0
    try:
        return read_payload_untrusted(fact.payload)[0]
    except MalformedDatagram:
        return 0
