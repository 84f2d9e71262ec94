"""The live facts below one place, as an immutable tree: what the types read.

A branch has the facts that sit right here, and a child for each step down. No branch
is empty except the root of a key without facts; a branch that loses its last fact
goes, and so does the path to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lashup.crdt.dot import Dot
from lashup.crdt.trie import Trie, differing


class Branch:
    """One place in a key's value. Never changes: `put` and `drop` make new ones."""

    __slots__ = ("_children", "facts")

    def __init__(
        self,
        facts: tuple[tuple[Dot, bytes], ...] = (),
        children: Trie[Branch] | None = None,
    ) -> None:
        #: (dot, payload) of the facts right here.
        self.facts = facts
        self._children = children

    def __bool__(self) -> bool:
        return bool(self.facts or self._children)

    def __len__(self) -> int:
        """How many children there are."""
        return len(self._children) if self._children is not None else 0

    def child(self, step: bytes) -> Branch | None:
        """The branch one step down."""
        return None if self._children is None else self._children.get(step)

    def children(self) -> Iterator[tuple[bytes, Branch]]:
        """Every step down, sorted, with its branch."""
        if self._children is not None:
            yield from self._children.items()

    def at(self, path: tuple[bytes, ...]) -> Branch | None:
        """The branch at the end of a path."""
        branch: Branch | None = self
        for step in path:
            if branch is None:
                return None
            branch = branch.child(step)
        return branch

    def places(
        self, path: tuple[bytes, ...] = ()
    ) -> Iterator[tuple[tuple[bytes, ...], Dot]]:
        """Every fact here and below: the path to it, and its dot.

        Args:
            path: Goes in front of every path.
        """
        for dot, _ in self.facts:
            yield path, dot
        for step, branch in self.children():
            yield from branch.places((*path, step))

    def put(self, path: tuple[bytes, ...], dot: Dot, payload: bytes) -> Branch:
        """This branch with one more fact at the end of a path."""
        if not path:
            return Branch((*self.facts, (dot, payload)), self._children)
        children = self._children if self._children is not None else Trie()
        child = children.get(path[0]) or EMPTY
        grown = child.put(path[1:], dot, payload)
        return Branch(self.facts, children.set(path[0], grown))

    def drop(self, path: tuple[bytes, ...], dot: Dot) -> Branch:
        """This branch less one fact, which must be there."""
        if not path:
            left = tuple(entry for entry in self.facts if entry[0] != dot)
            return Branch(left, self._children)
        children = self._children
        child = None if children is None else children.get(path[0])
        if children is None or child is None:
            raise KeyError(dot)
        smaller = child.drop(path[1:], dot)
        if smaller:
            return Branch(self.facts, children.set(path[0], smaller))
        left_children = children.without(path[0])
        return Branch(self.facts, left_children if len(left_children) else None)

    def differing(self, other: Branch) -> Iterator[bytes]:
        """The steps down at which two branches are not the very same."""
        yield from differing(self._children or Trie(), other._children or Trie())


EMPTY = Branch()
