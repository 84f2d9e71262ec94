"""What a peer lacks, cut into deltas that each stand alone. The answering side.

A peer says, actor by actor, which counters it has seen. For a stretch of counters the
answer is a delta: the facts in it that are live here and that the peer has not seen,
and as context the counters that were seen and are dead here. What is live on both
sides is not mentioned. Joined by the plain rule, it makes the peer equal there,
whether or not the stretches before and after it arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lashup.crdt.causal_context import CausalContext, Runs, within
from lashup.crdt.dot import COUNTER_LIMIT, Actor, Dot
from lashup.crdt.facts import Delta, Fact, FactSet

#: Datagrams of one answer: what a receive buffer holds however small it was left.
BURST = 16

# Packed sizes beside the payload, rounded up.
_PER_RUN = 18
_PER_FACT = 16
_PER_ACTOR = 12


@dataclass(frozen=True, slots=True)
class Want:
    """What a peer asks for of one actor.

    Attributes:
        actor: Whose facts.
        seen: Counters that the peer has in its context.
        start: The first counter of interest: those before have been answered.
    """

    actor: Actor
    seen: Runs
    start: int = 1


@dataclass(frozen=True, slots=True)
class Served:
    """The answer to some wants.

    Attributes:
        deltas: Each fits one datagram, unless a single fact does not.
        rest: What did not fit in the burst: actor, and the counter to go on at.
    """

    deltas: tuple[Delta, ...]
    rest: tuple[tuple[Actor, int], ...]


def serve(facts: FactSet, wants: Iterable[Want], *, size: int) -> Served:
    """Answer some wants, as far as one burst goes.

    Args:
        facts: Ours.
        wants: In the order in which they are to be answered.
        size: Bytes of payload that one delta should not exceed.
    """
    deltas: list[Delta] = []
    part = _Part(size)
    left = list(wants)
    while left:
        want = left[0]
        for piece in _pieces(facts, want):
            if part.is_full_with(piece):
                deltas.append(part.delta())
                part = _Part(size)
                if len(deltas) == BURST:
                    rest = [(want.actor, piece.first)]
                    rest += [(w.actor, w.start) for w in left[1:]]
                    return Served(tuple(deltas), tuple(rest))
            part.add(want.actor, piece)
        del left[0]
    if part.used:
        deltas.append(part.delta())
    return Served(tuple(deltas), ())


@dataclass(frozen=True, slots=True)
class _Piece:
    """Counters of one actor: one with its fact, or a run of dead ones."""

    first: int
    last: int
    fact: Fact | None


class _Part:
    """A delta that fills up."""

    def __init__(self, size: int) -> None:
        self.used = 0
        self._size = size
        self._facts: dict[Dot, Fact] = {}
        self._context = CausalContext()
        self._keys: set[bytes] = set()
        self._actors: set[Actor] = set()

    def is_full_with(self, piece: _Piece) -> bool:
        return self.used > 0 and self.used + self._cost(piece) > self._size

    def add(self, actor: Actor, piece: _Piece) -> None:
        self.used += self._cost(piece)
        self._context.add_run(actor, piece.first, piece.last)
        if actor not in self._actors:
            self._actors.add(actor)
            self.used += _PER_ACTOR
        if piece.fact is not None:
            self._keys.add(piece.fact.key)
            self._facts[Dot(actor, piece.first)] = piece.fact

    def delta(self) -> Delta:
        return Delta(self._facts, self._context)

    def _cost(self, piece: _Piece) -> int:
        if piece.fact is None:
            return _PER_RUN
        fact = piece.fact
        steps = sum(len(step) + 2 for step in fact.path)
        key = 0 if fact.key in self._keys else len(fact.key) + 2
        return _PER_FACT + key + steps + len(fact.payload)


def _pieces(facts: FactSet, want: Want) -> Iterator[_Piece]:
    """What a peer needs of one actor, in order of counters."""
    live = facts.live(want.actor)
    ours = facts.context.runs(want.actor)
    for first, last in within(ours, want.start, COUNTER_LIMIT):
        after = first
        for counter in _live_between(live, first, last):
            if counter > after:
                yield _Piece(after, counter - 1, None)
            if not any(a <= counter <= b for a, b in want.seen):
                yield _Piece(counter, counter, live[counter])
            after = counter + 1
        if after <= last:
            yield _Piece(after, last, None)


def _live_between(live: Mapping[int, Fact], first: int, last: int) -> Iterator[int]:
    """Live counters in a run, rising; lazily where they are dense."""
    if last - first < 8 * len(live):
        return (c for c in range(first, last + 1) if c in live)
    return iter(sorted(c for c in live if first <= c <= last))
