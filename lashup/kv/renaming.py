"""New dots for writes on their way, when their actor turns out to have another life.

Somebody knows dots of our actor that we have not committed. So the dots that writes
on their way have minted may name other facts elsewhere. Nobody has seen ours: each
gets a dot of a new actor, and writes that build on earlier ones follow.
"""

from __future__ import annotations

from lashup.crdt.causal_context import CausalContext, within
from lashup.crdt.dot import COUNTER_LIMIT, Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta


class Renaming:
    """From the lost actor's dots to the new one's, write by write, the oldest first.

    Args:
        lost: The actor with another life.
        actor: The new one, which has minted nothing yet.
        context: What is committed. A later write may have been committed before an
            earlier one; what it dropped of that is dead already, and gets no name.

    Attributes:
        facts: What is live of all writes together, under the new dots.
        lost: The old dots, which must go from the disk.
        minted: The last counter of the new actor.
    """

    def __init__(self, lost: Actor, actor: Actor, *, context: CausalContext) -> None:
        self.actor = actor
        self.minted = 0
        self.facts: dict[Dot, Fact] = {}
        self.lost: list[Dot] = []
        self._lost_actor = lost
        self._committed = context
        self._renamed: dict[Dot, Dot] = {}

    def apply(self, delta: Delta, *, first: int) -> Delta:
        """The delta of one write under new dots; the same when it has none to rename.

        Args:
            delta: As it was.
            first: The first counter that the write minted.
        """
        runs = delta.context.runs(self._lost_actor)
        minted = within(runs, first, COUNTER_LIMIT)
        earlier = [Dot(self._lost_actor, c) for c in _counters(runs) if c < first]
        if not minted and not any(dot in self._renamed for dot in earlier):
            return delta
        context = CausalContext()
        for actor, others in delta.context.items():
            if actor != self._lost_actor:
                context.add_runs(actor, others)
        for dot in earlier:  # Committed ones keep their names.
            seen = self._renamed.get(dot, dot)
            context.add_run(seen.actor, seen.counter, seen.counter)
            self.facts.pop(seen, None)
        facts: dict[Dot, Fact] = {}
        for counter in _counters(minted):
            # What the write itself dropped again needs no name.
            old = Dot(self._lost_actor, counter)
            self.lost.append(old)
            if old in delta.facts and old not in self._committed:
                new = self._rename(old)
                facts[new] = delta.facts[old]
                context.add_run(new.actor, new.counter, new.counter)
        self.facts.update(facts)
        return Delta(facts, context)

    def _rename(self, old: Dot) -> Dot:
        self.minted += 1
        new = self._renamed[old] = Dot(self.actor, self.minted)
        return new


def _counters(runs: tuple[tuple[int, int], ...]) -> list[int]:
    return [c for first, last in runs for c in range(first, last + 1)]
