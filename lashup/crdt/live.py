"""The live facts of a table by dot: actor by actor, in order of arrival.

Most actors have one live fact, as most agents have one line. A dict for each of them
would take 232 bytes, more than the fact; so theirs stands there alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from lashup.crdt.branch import Leaf
from lashup.crdt.causal_context import Runs, holds
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact

#: The one live fact of an actor, or two and more by counter.
_Of: TypeAlias = "Leaf | dict[int, Leaf]"


class Live:
    """The live facts of one table."""

    __slots__ = ("_count", "_of")

    def __init__(self) -> None:
        self._count = 0
        self._of: dict[Actor, _Of] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Leaf]:
        for held in self._of.values():
            yield from (held,) if isinstance(held, Leaf) else held.values()

    def leaves(self, actor: Actor) -> Collection[Leaf]:
        """Those of one actor."""
        held = self._of.get(actor)
        if held is None:
            return ()
        return (held,) if isinstance(held, Leaf) else held.values()

    def of(self, actor: Actor) -> Mapping[int, Leaf]:
        """Those of one actor by counter."""
        held = self._of.get(actor)
        if held is None:
            return {}
        return {held.counter: held} if isinstance(held, Leaf) else held

    def put(self, dot: Dot, fact: Fact) -> Leaf:
        """Take one in, whose dot is not there."""
        self._count += 1
        held = self._of.get(dot.actor)
        # Every message brings its own copy of the actor; one of them is enough.
        if held is None:
            leaf = self._of[dot.actor] = Leaf(dot, fact)
        elif isinstance(held, Leaf):
            leaf = Leaf(dot, fact, actor=held.actor)
            self._of[dot.actor] = {held.counter: held, dot.counter: leaf}
        else:
            actor = next(iter(held.values())).actor
            leaf = held[dot.counter] = Leaf(dot, fact, actor=actor)
        return leaf

    def remove(self, leaf: Leaf) -> None:
        """Take one out, which must be there."""
        held = self._of[leaf.actor]
        if isinstance(held, Leaf):
            del self._of[leaf.actor]
        else:
            del held[leaf.counter]
            if len(held) == 1:
                [self._of[leaf.actor]] = held.values()
        self._count -= 1

    def within(self, actor: Actor, runs: Runs) -> list[Leaf]:
        """Those of an actor whose counters are in some runs."""
        held = self._of.get(actor)
        if held is None:
            return []
        if isinstance(held, Leaf):
            return [held] if holds(runs, held.counter) else []
        if len(runs) == 1 and runs[0][0] == runs[0][1]:  # as in a write's delta
            leaf = held.get(runs[0][0])
            return [] if leaf is None else [leaf]
        if sum(last - first + 1 for first, last in runs) > len(held):
            return [leaf for counter, leaf in held.items() if holds(runs, counter)]
        counters: Iterable[int] = (
            counter for first, last in runs for counter in range(first, last + 1)
        )
        return [held[counter] for counter in counters if counter in held]


class FactsOf(Mapping[int, Fact]):
    """The live facts of one actor by counter, each made when it is asked for."""

    __slots__ = ("_leaves",)

    def __init__(self, leaves: Mapping[int, Leaf]) -> None:
        self._leaves = leaves

    def __getitem__(self, counter: int) -> Fact:
        return self._leaves[counter].fact

    def __contains__(self, counter: object) -> bool:
        return counter in self._leaves

    def __iter__(self) -> Iterator[int]:
        return iter(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)
