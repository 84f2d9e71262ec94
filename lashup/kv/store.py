"""One replica of the table: writes that wait for the disk, and what everybody sees.

Theory of operation
-------------------
What others may see is on disk first. So a local write goes through two steps. `write`
makes its delta, minting dots, and says what to put on disk; nothing is visible yet.
`commit`, once it is on disk, joins the delta like one of somebody else's. A second
write to the same key in between builds on the first (`ahead`).

Deltas of others (`merge`) are visible at once and go to disk with the next batch.
If a crash loses them, reconciliation brings them back.

An actor is taken at the first write after each start, and never again after that. A
restored backup or a cloned disk cannot be told from the real one before anybody else
was heard, so no counter on disk is trusted for minting. If somebody is seen to know
a dot of our actor that we have not committed (the machine was resumed from a
snapshot), another is taken at once, and what writes on their way have minted gets new
dots (`renaming`). Their new rows go to disk with the delta that betrayed the other
life, before those of any later write; such a write needs one more trip to the disk
only to know that they are there. It is the same where this process was stopped for
so long that the others may have forgotten the actor (`absence`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lashup.crdt.causal_context import CausalContext, includes
from lashup.crdt.dot import ACTOR_SIZE, Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta, FactSet, Joined
from lashup.crdt.field import Key, pack_key
from lashup.crdt.hybrid_clock import DEFAULT_MAX_SKEW, HybridClock
from lashup.crdt.token import Token
from lashup.crdt.writer import Operation, Writer
from lashup.errors import ConcurrentUpdate
from lashup.kv.ahead import Ahead
from lashup.kv.digest import Digest
from lashup.kv.limits import Limits
from lashup.kv.renaming import Renaming
from lashup.kv.rows import (
    Rows,
    context_delete,
    context_put,
    fact_delete,
    fact_put,
    state_untrusted,
)
from lashup.kv.stamps import timestamp_of
from lashup.kv.write import Committed, Merged, Write


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
        self._ahead = Ahead(self.facts)
        #: Writes that wait for the disk, the oldest first.
        self._in_flight: dict[int, Write] = {}
        self._number = 0
        #: Facts by which the table grows when these are on disk.
        self._growth = 0
        #: Seconds by which what an earlier life has left exceeds the permitted skew.
        self.skew_at_load = 0.0

    @property
    def waiting(self) -> int:
        """How many writes wait for the disk."""
        return len(self._in_flight)

    def load(self, tables: Mapping[str, Mapping[bytes, bytes]], *, wall: float) -> None:
        """Take over what an earlier life left on disk. Only for an empty store.

        Args:
            tables: By name.
            wall: Seconds since 1970. Timestamps on disk that are too far ahead of it
                are not followed, as those of a peer are not.

        Raises:
            MalformedDatagram: The rows are not what this version writes.
        """
        state = state_untrusted(tables)
        facts = tuple(state.facts.items())
        self.facts.restore(facts, state.context)
        actors = tuple(actor for actor, _ in state.context.items())
        self.digest.note(Joined(facts, (), actors, {}), self.facts)
        skews = [self._observe(fact, wall=wall) for _, fact in facts]
        self.skew_at_load = max(skews, default=0.0)

    def write(
        self,
        key: Key,
        operations: Iterable[Operation],
        *,
        wall: float,
        expect: Token | None = None,
    ) -> Write:
        """Make the delta of some operations on one key. Not visible before `commit`.

        Args:
            key: Which.
            operations: Carried out in order, seen by others all at once.
            wall: Seconds since 1970.
            expect: What the writer has read of the key; None if it does not matter.

        Raises:
            ConcurrentUpdate: Something else is there, or on its way to the disk.
            UsageError: A key, name or value cannot be stored, or is too large, or
                too many writes wait. Nothing has changed.
        """
        self._limits.check_waiting(self.waiting)
        packed = pack_key(key)
        self._limits.check_key(packed)
        if expect is not None and not expect.is_of(self._ahead.branch(packed)):
            raise ConcurrentUpdate(f"{key!r} has changed since it was read")
        actor = self._actor_now()
        first = self._minted + 1
        writer = Writer(
            packed,
            self._ahead.branch(packed),
            actor=actor,
            counter=first,
            stamp=lambda: self.clock.stamp(wall=wall),
        )
        for operation in operations:
            operation.apply(writer)
        delta = writer.delta()
        dots = self._limits.check_delta(delta)
        # What an update drops of its own was in no table.
        removed = dots - (writer.counter - first)
        growth = len(delta.facts) - removed
        self._limits.check_store(len(self.facts) + self._growth, growth=growth)
        self._minted = writer.counter - 1
        self._number += 1
        rows = self._rows_of_write(delta)
        write = Write(self._number, packed, first, delta, growth, rows)
        self._in_flight[write.number] = write
        self._growth += growth
        self._ahead.begin(packed, writer.branch)
        return write

    def commit(self, write: Write) -> Committed | Write:
        """Make a write visible: its rows are on disk.

        Returns:
            What it did; or, where the write's actor had to be given up meanwhile, the
            same write by another actor, which is to be put on disk and committed
            instead.
        """
        current = self._in_flight[write.number]
        if current is not write:
            return current
        del self._in_flight[write.number]
        self._growth -= write.growth
        self._ahead.end(write.key)
        delta = self._without_forgotten(write.delta)
        joined = self.facts.join(delta)
        self.digest.note(joined, self.facts)
        return Committed(joined.before, delta)

    def merge(self, delta: Delta, *, wall: float) -> Merged:
        """Join somebody else's delta.

        Args:
            delta: What they say.
            wall: Seconds since 1970.
        """
        is_ours = self.has_another_life(delta)
        again = self.take_another_actor() if is_ours else Rows()
        joined = self.facts.join(delta)
        self.digest.note(joined, self.facts)
        self._ahead.follow(joined)
        skews = [self._observe(fact, wall=wall) for _, fact in joined.added]
        rows = Rows(
            tuple(fact_put(dot, fact) for dot, fact in joined.added)
            + tuple(self._context_row(actor) for actor in joined.actors)
            + again.puts,
            tuple(fact_delete(dot) for dot, _ in joined.removed) + again.deletes,
        )
        return Merged(joined.before, rows, max(skews, default=0.0))

    def forget(self, actors: Iterable[Actor]) -> tuple[list[Actor], Rows]:
        """Know nothing of some actors any more, where they have no facts.

        Returns:
            Those that are forgotten, and the rows that go. An actor of ours is kept
            while a write is on its way to the disk.
        """
        forgotten = []
        for actor in actors:
            if self.facts.live(actor) or (actor == self._actor and self._in_flight):
                continue
            if actor == self._actor:
                self._actor = None  # The next write takes another.
            self.facts.forget(actor)
            self.digest.forget(actor)
            forgotten.append(actor)
        return forgotten, Rows(deletes=tuple(map(context_delete, forgotten)))

    def has_another_life(self, delta: Delta) -> bool:
        """Whether somebody has seen a dot of our actor that we have not committed."""
        if self._actor is None:
            return False
        # What we mint nobody sees before it is committed, and so in our context.
        theirs = delta.context.runs(self._actor)
        return not includes(self.facts.context.runs(self._actor), theirs)

    def _without_forgotten(self, delta: Delta) -> Delta:
        """A write without what it removed of actors that were forgotten meanwhile."""
        known, gone = CausalContext(), False
        for actor, runs in delta.context.items():
            if actor == self._actor or self.facts.context.runs(actor):
                known.add_runs(actor, runs)
            else:
                gone = True
        return Delta(delta.facts, known) if gone else delta

    def _actor_now(self) -> Actor:
        # Only a poor source of randomness can give one that was there before.
        while self._actor is None or (
            not self._minted and self.facts.context.runs(self._actor)
        ):
            self._actor = Actor(self._rng.randbytes(ACTOR_SIZE))
            self._minted = 0
        return self._actor

    def take_another_actor(self) -> Rows:
        """Let go of the present actor; writes on their way get dots of another one.

        Returns:
            Their rows, which must reach the disk before those of any later write.
        """
        lost, self._actor = self._actor, None
        if lost is None or not self._in_flight:
            return Rows()
        renaming = Renaming(lost, self._actor_now(), context=self.facts.context)
        for write in self._in_flight.values():
            first = renaming.minted + 1
            delta = renaming.apply(write.delta, first=write.first)
            if delta is not write.delta:
                again = replace(write, first=first, delta=delta, rows=Rows())
                self._in_flight[write.number] = again
        self._minted = renaming.minted
        self._ahead.start_again((w.key, w.delta) for w in self._in_flight.values())
        puts = [fact_put(dot, fact) for dot, fact in renaming.facts.items()]
        if self._minted:
            puts.append(self._context_row(renaming.actor))
        gone = tuple(map(fact_delete, renaming.lost))
        return Rows(tuple(puts), gone)

    def _rows_of_write(self, delta: Delta) -> Rows:
        puts = [fact_put(dot, fact) for dot, fact in delta.facts.items()]
        # Not only with facts: an update may have dropped what it minted itself.
        if self._actor is not None and delta.context.runs(self._actor):
            puts.append(self._context_row(self._actor))
        dropped = (
            Dot(actor, counter)
            for actor, runs in delta.context.items()
            for first, last in runs
            for counter in range(first, last + 1)
        )
        return Rows(
            tuple(puts),
            tuple(fact_delete(dot) for dot in dropped if dot not in delta.facts),
        )

    def _context_row(self, actor: Actor) -> tuple[str, bytes, bytes]:
        runs = self.facts.context.runs(actor)
        if actor == self._actor and self._minted:
            # Rows reach the disk in order, so those of writes on their way are there.
            runs = ((1, self._minted),)
        return context_put(actor, runs)

    def _observe(self, fact: Fact, *, wall: float) -> float:
        timestamp = timestamp_of(fact)
        return self.clock.observe(timestamp, wall=wall) if timestamp else 0.0
