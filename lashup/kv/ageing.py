"""What a replica does as days pass: it forgets, notices stops, drops what is outdated.

`retirement` says which actors are to be forgotten, `absence` what is outdated. Here it
is carried out, and brought to disk in an order in which a crash does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.facts import Delta
from lashup.kv.absence import Absence
from lashup.kv.anti_entropy import AntiEntropy
from lashup.kv.dropped import put_aside
from lashup.kv.effects import KvEffect, Outdated, Save
from lashup.kv.retirement import Retirement
from lashup.kv.rows import Rows
from lashup.kv.store import Store


class Ageing:
    """The days of one replica.

    Args:
        store: Its facts.
        absence: Whether it was away.
        retirement: What it may forget.
        exchange: What it asks of others.
        merge: Joins a delta, and says what that does.

    Attributes:
        dropped: Facts that were dropped as outdated, since the start.
    """

    def __init__(
        self,
        store: Store,
        absence: Absence,
        retirement: Retirement,
        exchange: AntiEntropy,
        *,
        merge: Callable[[Delta, float], list[KvEffect]],
    ) -> None:
        self.dropped = 0
        self._store = store
        self._absence = absence
        self._retirement = retirement
        self._exchange = exchange
        self._merge = merge

    def was_stopped(self, *, now: float, wall: float) -> bool:
        """Whether the replica was stopped for long, and so is as one that was off."""
        context = self._store.facts.context
        if not self._absence.was_stopped(context, now=now, wall=wall):
            return False
        self._exchange.give_up()
        return True

    def take_another_actor(self) -> list[Save]:
        """Let what is written from now on be of another actor."""
        rows = self._store.take_another_actor()
        return [Save(rows, None)] if rows.puts or rows.deletes else []

    def retire(self, *, now: float, wall: float) -> list[Save]:
        """Forget what is due, and keep on disk since when actors have no facts."""
        saves = []
        if due := self._retirement.tick(now=now, wall=wall):
            saves.append(self.forget(due))
        rows = self._retirement.rows()
        if rows.puts or rows.deletes:
            saves.append(Save(rows, None))
        return saves

    def forget(self, actors: Iterable[Actor]) -> Save:
        """Forget actors that have no facts."""
        forgotten, rows = self._store.forget(actors)
        for actor in forgotten:
            self._retirement.forgot(actor)
        # With the horizon: a crash between the two would forget that it has forgotten.
        return Save(Rows(self._absence.puts(), rows.deletes), None)

    def drop_outdated(self, *, wall: float) -> list[KvEffect]:
        """Drop what a disk brought that was away for too long."""
        actors = self._exchange.take_outdated()
        if not actors:
            return []
        facts = self._store.facts
        gone, context = [], CausalContext()
        for actor in actors:
            context.add_runs(actor, facts.context.runs(actor))
            gone += [(Dot(actor, n), fact) for n, fact in facts.live(actor).items()]
        self.dropped += len(gone)
        effects: list[KvEffect] = []
        if gone:
            effects += [Save(put_aside(gone), None), Outdated(len(gone))]
        effects += self._merge(Delta({}, context), wall)
        return [*effects, self.forget(actors)]

    def bring(self, actors: Iterable[Actor], *, as_of: int) -> list[Save]:
        """Facts of some actors are about to be loaded that are of an earlier day."""
        self._absence.bring(actors, as_of=as_of)
        # Saved first: a crash must not leave facts whose day is not known.
        puts = self._absence.puts()
        return [Save(Rows(puts), None)] if puts else []
