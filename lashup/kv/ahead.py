"""Values as they will be once the writes that wait for the disk are committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lashup.crdt.branch import Branch, Leaf
from lashup.crdt.facts import Delta, FactSet, Joined


@dataclass(slots=True)
class _Value:
    """One key's, and how many writes to it wait."""

    branch: Branch
    writes: int


class Ahead:
    """The keys with writes on their way. A second write to a key builds on the first.

    Args:
        facts: What is committed; only read here.
    """

    def __init__(self, facts: FactSet) -> None:
        self._facts = facts
        self._values: dict[bytes, _Value] = {}

    def __iter__(self) -> Iterator[bytes]:
        """The keys."""
        return iter(self._values)

    def branch(self, key: bytes) -> Branch:
        """The value of any key, with what is on its way."""
        value = self._values.get(key)
        return self._facts.branch(key) if value is None else value.branch

    def begin(self, key: bytes, branch: Branch) -> None:
        """One more write is on its way, which makes the value this."""
        value = self._values.setdefault(key, _Value(branch, 0))
        value.branch = branch
        value.writes += 1

    def end(self, key: bytes) -> None:
        """A write is committed."""
        value = self._values[key]
        value.writes -= 1
        if not value.writes:
            del self._values[key]

    def follow(self, joined: Joined) -> None:
        """Let writes on their way build on what has just come in."""
        for dot, fact in joined.removed:
            value = self._values.get(fact.key)
            place = None if value is None else value.branch.at(fact.path)
            if value and place and any(leaf.is_named(dot) for leaf in place.leaves):
                value.branch = value.branch.drop(fact.path, dot)
        for dot, fact in joined.added:
            value = self._values.get(fact.key)
            if value:
                value.branch = value.branch.put(Leaf(dot, fact))

    def start_again(self, writes: Iterable[tuple[bytes, Delta]]) -> None:
        """The writes on their way are now these, with their keys, the oldest first."""
        for key, value in self._values.items():
            value.branch = self._facts.branch(key)
        for key, delta in writes:
            value = self._values[key]
            for path, dot in list(value.branch.places()):
                if dot in delta.context:
                    value.branch = value.branch.drop(path, dot)
            for dot, fact in delta.facts.items():
                if dot not in self._facts.context:
                    value.branch = value.branch.put(Leaf(dot, fact))
