"""Verbs for tests of replicated state: sites that write and hear, without a disk."""

from __future__ import annotations

from collections.abc import Iterable

from lashup.crdt import Actor, CausalContext, Delta, Dot, FactSet, Joined, Key, MapView
from lashup.crdt.branch import Branch
from lashup.crdt.field import pack_key
from lashup.crdt.hybrid_clock import HybridClock
from lashup.crdt.writer import Operation, Writer

KEY: Key = ("k",)


class Site:
    """A replica as the theory has it: facts, a clock, and an actor of its own."""

    def __init__(self, number: int) -> None:
        self.actor = Actor(bytes([number + 1]) * 8)
        self.facts = FactSet()
        self.clock = HybridClock()

    def operate(
        self, *operations: Operation, key: Key = KEY, wall: float = 0.0
    ) -> tuple[Delta, Branch]:
        """What some operations amount to, and what the writer sees after them."""
        packed = pack_key(key)
        writer = Writer(
            packed,
            self.facts.branch(packed),
            actor=self.actor,
            counter=self.facts.context.last(self.actor) + 1,
            stamp=lambda: self.clock.stamp(wall=wall),
        )
        for operation in operations:
            operation.apply(writer)
        return writer.delta(), writer.branch

    def write(self, *operations: Operation, key: Key = KEY, wall: float = 0.0) -> Delta:
        """Carry operations out here; returns what the others are to hear."""
        delta, _ = self.operate(*operations, key=key, wall=wall)
        self.facts.join(delta)
        return delta

    def hear(self, *deltas: Delta) -> list[Joined]:
        """Join what others wrote."""
        return [self.facts.join(delta) for delta in deltas]

    def view(self, key: Key = KEY) -> MapView:
        """The value of a key here."""
        return MapView(self.facts.branch(pack_key(key)))


def joined(*deltas: Delta) -> FactSet:
    """What somebody has who heard just these."""
    facts = FactSet()
    for delta in deltas:
        facts.join(delta)
    return facts


def facts_in(branch: Branch) -> set[tuple[tuple[bytes, ...], Dot, bytes]]:
    """Every fact of a branch, whatever order they came in."""
    return {
        (path, dot, payload)
        for path, place in _places(branch, ())
        for dot, payload in place.facts
    }


def dots_in(facts: Iterable[tuple[Dot, object]]) -> set[Dot]:
    """Just the dots."""
    return {dot for dot, _ in facts}


def all_dots(context: CausalContext) -> set[Dot]:
    """Every dot of a context, one by one."""
    return {
        Dot(actor, counter)
        for actor, runs in context.items()
        for first, last in runs
        for counter in range(first, last + 1)
    }


def _places(
    branch: Branch, path: tuple[bytes, ...]
) -> Iterable[tuple[tuple[bytes, ...], Branch]]:
    yield path, branch
    for step, child in branch.children():
        yield from _places(child, (*path, step))
