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

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lashup.crdt.branch import EMPTY, Branch, Leaf
from lashup.crdt.causal_context import CausalContext, Runs, includes
from lashup.crdt.cut import Cut
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact, PackedKey
from lashup.crdt.key_index import KeyIndex
from lashup.crdt.live import FactsOf, Live


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

    __slots__ = ("_branches", "_cuts", "_keys", "_live", "context")

    def __init__(self) -> None:
        self.context = CausalContext()
        self._live = Live()
        self._branches: dict[PackedKey, Branch] = {}
        self._keys = KeyIndex()
        #: Those that are being taken.
        self._cuts: list[Cut] = []

    def __len__(self) -> int:
        """How many facts are live."""
        return len(self._live)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FactSet):
            return NotImplemented
        return self.context == other.context and dict(iter(self)) == dict(iter(other))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __iter__(self) -> Iterator[tuple[Dot, Fact]]:
        for leaf in self._live:
            yield leaf.dot, leaf.fact

    def live(self, actor: Actor) -> Mapping[int, Fact]:
        """The live facts of one actor by counter, in order of arrival."""
        return FactsOf(self._live.of(actor))

    def leaves(self, actor: Actor) -> Collection[Leaf]:
        """The same, as the table has them."""
        return self._live.leaves(actor)

    def is_alive_in(self, actor: Actor, runs: Runs) -> bool:
        """Whether an actor has a live fact in some runs."""
        return bool(self._live.within(actor, runs))

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
        covered = (
            (leaf.dot, leaf)
            for actor, runs in delta.context.items()
            for leaf in self._live.within(actor, runs)
        )
        gone = [(dot, leaf) for dot, leaf in covered if dot not in delta.facts]
        added = [(d, f) for d, f in delta.facts.items() if d not in self.context]
        before = {leaf.key: self.branch(leaf.key) for _, leaf in gone}
        before |= {fact.key: self.branch(fact.key) for _, fact in added}
        for dot, leaf in gone:
            self._drop(dot, leaf)
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
        removed = tuple((dot, leaf.fact) for dot, leaf in gone)
        return Joined(tuple(added), removed, tuple(dict.fromkeys(actors)), before)

    def forget(self, actor: Actor) -> None:
        """Know nothing of an actor any more that has no live facts.

        It forgets that they were removed: whoever still has one brings it back.
        """
        if not self._live.leaves(actor):
            self.context.forget(actor)

    def restore(
        self, facts: Iterable[tuple[Dot, Fact]], context: CausalContext
    ) -> None:
        """Take over a state that was saved. Only for a set that is still empty."""
        for dot, fact in facts:
            self._put(dot, fact)
        self.context.update(context)

    def _put(self, dot: Dot, fact: Fact) -> None:
        leaf = self._live.put(dot, fact)
        branch = self._branches.get(leaf.key)
        if branch is None:
            branch = EMPTY
            self._keys.add(leaf.key)
        self._branches[leaf.key] = branch.put(leaf)

    def _drop(self, dot: Dot, leaf: Leaf) -> None:
        for cut in self._cuts:
            cut.hand_over(leaf)
        self._live.remove(leaf)
        branch = self._branches[leaf.key].drop(leaf.path, dot)
        if branch:
            self._branches[leaf.key] = branch
        else:
            del self._branches[leaf.key]
            self._keys.remove(leaf.key)
