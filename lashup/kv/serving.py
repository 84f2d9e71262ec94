"""What a peer lacks, cut into deltas that each stand alone. The answering side.

A peer says, actor by actor, which stretches of counters it wants to be told about,
and which counters in them it has seen. The answer for a stretch is a delta: the facts
in it that are live here and that the peer has not seen, and as context the counters
that were seen and are dead here. What is live on both sides is not mentioned. Joined
by the plain rule, it makes the peer equal there, whether or not other parts arrive.

Each part says which stretches it has dealt with, so the peer knows what is left to
ask for, whichever parts were lost, and progress is kept however bad the network is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lashup.crdt.causal_context import CausalContext, Runs, holds, within
from lashup.crdt.dot import COUNTER_LIMIT, Actor, Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta, FactSet

#: Datagrams of one answer: what a receive buffer holds however small it was left.
BURST = 16

#: Every counter there can be.
EVERYTHING: Runs = ((1, COUNTER_LIMIT - 1),)

# Most bytes that something takes packed, beside the bytes of its own.
_PER_PART = 28
_PER_STRETCH = 30
_PER_RUN = 18
_PER_FACT = 21
_PER_STEP = 3
_PER_KEY = 3
_PER_ACTOR = 17

#: Stretches of counters, by actor.
Stretches: TypeAlias = tuple[tuple[Actor, Runs], ...]


@dataclass(frozen=True, slots=True)
class Want:
    """What a peer asks for of one actor.

    Attributes:
        actor: Whose facts.
        seen: Counters that the peer has in its context.
        stretches: The counters of interest.
    """

    actor: Actor
    seen: Runs
    stretches: Runs = EVERYTHING


@dataclass(frozen=True, slots=True)
class Served:
    """One part of an answer.

    Attributes:
        delta: Fits one datagram, unless a single fact does not.
        dealt: About these stretches nothing is left to say.
    """

    delta: Delta
    dealt: Stretches


def serve(
    facts: FactSet, wants: Iterable[Want], *, size: int, burst: int = BURST
) -> tuple[Served, ...]:
    """Answer some wants, as far as one burst goes.

    Args:
        facts: Ours.
        wants: In the order in which they are to be answered.
        size: Bytes that one part, as a message, should not exceed.
        burst: Parts, at most.
    """
    answer = _Answer(size, burst)
    for want, (first, last) in ((w, s) for w in wants for s in w.stretches):
        start, is_open = first, False
        for piece in _pieces(facts, want, first, last):
            if answer.part.is_full_with(want.actor, piece):
                # What a part has not carried itself it must not call dealt with.
                if is_open:
                    answer.part.deal(want.actor, start, piece.first - 1)
                    start, is_open = piece.first, False
                answer.flush()
                if answer.is_over:
                    return tuple(answer.parts)
            answer.part.add(want.actor, piece)
            is_open = True
        if answer.part.is_full and not is_open:
            answer.flush()
            if answer.is_over:
                return tuple(answer.parts)
        answer.part.deal(want.actor, start, last)
    answer.flush()
    return tuple(answer.parts)


class _Answer:
    """The parts of one burst."""

    def __init__(self, size: int, burst: int) -> None:
        self.parts: list[Served] = []
        self.part = _Part(size)
        self._size = size
        self._burst = burst
        self._spent = 0

    @property
    def is_over(self) -> bool:
        """Whether the burst is used up: facts of many datagrams count as such."""
        return len(self.parts) >= self._burst or self._spent >= self._burst * self._size

    def flush(self) -> None:
        self.parts.append(self.part.served())
        self._spent += self.part.used
        self.part = _Part(self._size)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Counters of one actor: one with its fact, or a run of dead ones."""

    first: int
    last: int
    fact: Fact | None


class _Part:
    """A part that fills up."""

    def __init__(self, size: int) -> None:
        self.used = _PER_PART
        self._size = size
        self._facts: dict[Dot, Fact] = {}
        self._context = CausalContext()
        self._keys: set[bytes] = set()
        self._dealt: list[tuple[Actor, Runs]] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room to say what has been dealt with."""
        is_empty = not len(self._context) and not self._dealt
        return not is_empty and self.used + _PER_STRETCH > self._size

    def is_full_with(self, actor: Actor, piece: _Piece) -> bool:
        """Whether a piece is too much; an empty part takes any."""
        is_empty = not len(self._context) and not self._dealt
        # Behind it the stretch that has been dealt with must have room.
        cost = self._cost(actor, piece) + _PER_STRETCH
        return not is_empty and self.used + cost > self._size

    def add(self, actor: Actor, piece: _Piece) -> None:
        self.used += self._cost(actor, piece)
        self._context.add_run(actor, piece.first, piece.last)
        if piece.fact is not None:
            self._keys.add(piece.fact.key)
            self._facts[Dot(actor, piece.first)] = piece.fact

    def deal(self, actor: Actor, first: int, last: int) -> None:
        if first <= last:
            self.used += _PER_STRETCH
            self._dealt.append((actor, ((first, last),)))

    def served(self) -> Served:
        return Served(Delta(self._facts, self._context), tuple(self._dealt))

    def _cost(self, actor: Actor, piece: _Piece) -> int:
        cost = 0 if self._context.runs(actor) else _PER_ACTOR
        if piece.fact is None:
            return cost + _PER_RUN
        fact = piece.fact
        steps = sum(len(step) + _PER_STEP for step in fact.path)
        key = 0 if fact.key in self._keys else len(fact.key) + _PER_KEY
        return cost + _PER_FACT + key + steps + len(fact.payload)


def _pieces(facts: FactSet, want: Want, first: int, last: int) -> Iterator[_Piece]:
    """What a peer needs of one stretch, in order of counters."""
    live = facts.live(want.actor)
    for start, end in within(facts.context.runs(want.actor), first, last):
        after = start
        for counter in _live_between(live, start, end):
            if counter > after:
                yield _Piece(after, counter - 1, None)
            if not holds(want.seen, counter):
                yield _Piece(counter, counter, live[counter])
            after = counter + 1
        if after <= end:
            yield _Piece(after, end, None)


def _live_between(live: Mapping[int, Fact], first: int, last: int) -> Iterator[int]:
    """Live counters in a run, rising; lazily where they are dense."""
    if last - first < 8 * len(live):
        return (c for c in range(first, last + 1) if c in live)
    return iter(sorted(c for c in live if first <= c <= last))
