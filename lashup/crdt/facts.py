"""The fact set: a replica's whole state, and the one join of everything.

Theory of operation
-------------------
A replica is (F, C): the live facts, each under the dot that names it, and the causal
context, every dot it has ever seen. A delta has the same shape. The join with
(F', C') keeps

    d in F and F'
    d in F  only, unless d in C'    (they saw it and no longer have it: removed)
    d in F' only, unless d in C     (we saw it and no longer have it: removed)

and the contexts' union. It is commutative, associative and idempotent, so deltas may
come in any order and any number of times; a removal leaves nothing behind but its
dot in the context. Because a dot names one immutable fact for ever, the nested
joins of the literature collapse into this one, whatever the types above it.

The live facts are also kept as a persistent tree per key (`branch`), which the
types in `views` read. Only this file changes them.

Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types",
arXiv:1603.01529, section 7.3 (causal CRDTs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from lashup.crdt.branch import EMPTY, Branch
from lashup.crdt.causal_context import CausalContext, Runs, holds, includes
from lashup.crdt.cut import Cut
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.key_index import KeyIndex

#: A packed key, and packed steps of a path: bytes, so that equal means identical.
PackedKey: TypeAlias = bytes
Path: TypeAlias = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a dot names: a payload at a place. Never changes, only goes.

    Attributes:
        key: The packed key that it belongs to.
        path: Packed steps from the key's root down.
        payload: Packed; what is in it is the business of the type above.
    """

    key: PackedKey
    path: Path
    payload: bytes


@dataclass(frozen=True, slots=True)
class Delta:
    """A small state: what one operation, or one repair, says. Join it to apply it.

    The context holds the dots of all its facts, and those of the facts it removes.
    """

    facts: Mapping[Dot, Fact] = field(default_factory=dict)
    context: CausalContext = field(default_factory=CausalContext)


@dataclass(frozen=True, slots=True)
class Joined:
    """What a join changed.

    Attributes:
        added: Facts that were not there.
        removed: Facts that are gone.
        actors: Those whose part of the context, or facts, changed.
        before: The keys whose value may have changed, as they were.
    """

    added: tuple[tuple[Dot, Fact], ...]
    removed: tuple[tuple[Dot, Fact], ...]
    actors: tuple[Actor, ...]
    before: Mapping[PackedKey, Branch]


class FactSet:
    """The facts and the context of one replica."""

    __slots__ = ("_branches", "_count", "_cuts", "_keys", "_live", "context")

    def __init__(self) -> None:
        self.context = CausalContext()
        self._count = 0
        self._live: dict[Actor, dict[int, Fact]] = {}
        self._branches: dict[PackedKey, Branch] = {}
        self._keys = KeyIndex()
        #: Those that are being taken.
        self._cuts: list[Cut] = []

    def __len__(self) -> int:
        """How many facts are live."""
        return self._count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FactSet):
            return NotImplemented
        return self.context == other.context and self._live == other._live

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __iter__(self) -> Iterator[tuple[Dot, Fact]]:
        for actor, live in self._live.items():
            for counter, fact in live.items():
                yield Dot(actor, counter), fact

    def live(self, actor: Actor) -> Mapping[int, Fact]:
        """The live facts of one actor by counter, in order of arrival."""
        return self._live.get(actor, {})

    def is_alive_in(self, actor: Actor, runs: Runs) -> bool:
        """Whether an actor has a live fact in some runs."""
        return bool(self._covered(actor, runs))

    def branch(self, key: PackedKey) -> Branch:
        """The value of a key as it is now; it never changes, a join makes a new one."""
        return self._branches.get(key, EMPTY)

    def keys(self) -> Iterator[PackedKey]:
        """Every key that has a live fact."""
        yield from self._branches

    def keys_beginning(self, elements: bytes, sizes: range) -> Iterator[PackedKey]:
        """Those of `keys` with some first elements, in order (`KeyIndex.beginning`)."""
        return self._keys.beginning(elements, sizes)

    def as_delta(self) -> Delta:
        """The whole state, for those who have nothing."""
        # Not dict(self): having `keys`, that would be taken for a mapping.
        return Delta(dict(iter(self)), self.context.copy())

    @contextmanager
    def cut(self) -> Iterator[Cut]:
        """The state of this moment, to be taken within, while the table goes on."""
        cut = Cut(self._live, self.context)
        self._cuts.append(cut)
        try:
            yield cut
        finally:
            self._cuts.remove(cut)

    def join(self, delta: Delta) -> Joined:
        """Apply a delta. Twice is as good as once."""
        gone = [
            (dot, self._live[actor][dot.counter])
            for actor, runs in delta.context.items()
            for dot in self._covered(actor, runs)
            if dot not in delta.facts
        ]
        added = [(d, f) for d, f in delta.facts.items() if d not in self.context]
        before = {fact.key: self.branch(fact.key) for _, fact in (*gone, *added)}
        for dot, _ in gone:
            self._drop(dot)
        for dot, fact in added:
            self._put(dot, fact)
        actors = [
            actor
            for actor, runs in delta.context.items()
            if not includes(self.context.runs(actor), runs)
        ]
        if actors:
            self.context.update(delta.context)
        actors += [dot.actor for dot, _ in gone]
        return Joined(tuple(added), tuple(gone), tuple(dict.fromkeys(actors)), before)

    def forget(self, actor: Actor) -> None:
        """Know nothing of an actor any more that has no live facts.

        It forgets that they were removed: whoever still has one brings it back.
        """
        if actor not in self._live:
            self.context.forget(actor)

    def restore(
        self, facts: Iterable[tuple[Dot, Fact]], context: CausalContext
    ) -> None:
        """Take over a state that was saved. Only for a set that is still empty."""
        for dot, fact in facts:
            self._put(dot, fact)
        self.context.update(context)

    def _covered(self, actor: Actor, runs: Runs) -> list[Dot]:
        """Our live dots of an actor that some runs hold."""
        live = self._live.get(actor)
        if not live:
            return []
        if sum(last - first + 1 for first, last in runs) <= len(live):
            counters: Iterable[int] = (
                counter
                for first, last in runs
                for counter in range(first, last + 1)
                if counter in live
            )
        else:
            counters = (c for c in live if holds(runs, c))
        return [Dot(actor, counter) for counter in counters]

    def _put(self, dot: Dot, fact: Fact) -> None:
        self._count += 1
        self._live.setdefault(dot.actor, {})[dot.counter] = fact
        branch = self._branches.get(fact.key)
        if branch is None:
            branch = EMPTY
            self._keys.add(fact.key)
        self._branches[fact.key] = branch.put(fact.path, dot, fact.payload)

    def _drop(self, dot: Dot) -> None:
        live = self._live[dot.actor]
        fact = live.pop(dot.counter)
        self._count -= 1
        for cut in self._cuts:
            cut.hand_over(dot, fact)
        if not live:
            del self._live[dot.actor]
        branch = self._branches[fact.key].drop(fact.path, dot)
        if branch:
            self._branches[fact.key] = branch
        else:
            del self._branches[fact.key]
            self._keys.remove(fact.key)
