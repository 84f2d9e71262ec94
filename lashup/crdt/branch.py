"""The live facts below one place, as an immutable tree: what the types read.

A branch has the facts that sit right here, and a child for each step down. No branch
is empty except the root of a key without facts; a branch that loses its last fact
goes, and so does the path to it.

Most branches have one fact and nothing else, or one child and nothing else: a table of
maps of one register is made of these alone. So there are three forms, of which
`_smallest` chooses, and they behave alike:

    Leaf   one fact; it is also the only record of it that the table has
    _Link  one child
    _Fork  everything else
"""

from __future__ import annotations

from collections.abc import Iterator

from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact, Path
from lashup.crdt.trie import Trie, differing


class Branch:
    """One place in a key's value. Never changes: `put` and `drop` make new ones.

    This class itself is the empty one; whatever has something is of a class below.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return self is not EMPTY

    def __len__(self) -> int:
        """How many children there are."""
        return 0

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The facts right here, in order of arrival."""
        return ()

    @property
    def facts(self) -> tuple[tuple[Dot, bytes], ...]:
        """(dot, payload) of the facts right here."""
        return tuple((leaf.dot, leaf.payload) for leaf in self.leaves)

    def child(self, step: bytes) -> Branch | None:
        """The branch one step down."""
        return None

    def children(self) -> Iterator[tuple[bytes, Branch]]:
        """Every step down, sorted, with its branch."""
        yield from self._trie().items()

    def at(self, path: Path) -> Branch | None:
        """The branch at the end of a path."""
        branch: Branch | None = self
        for step in path:
            if branch is None:
                return None
            branch = branch.child(step)
        return branch

    def places(self, path: Path = ()) -> Iterator[tuple[Path, Dot]]:
        """Every fact here and below: the path to it, and its dot.

        Args:
            path: Goes in front of every path.
        """
        for leaf in self.leaves:
            yield path, leaf.dot
        for step, branch in self.children():
            yield from branch.places((*path, step))

    def put(self, leaf: Leaf) -> Branch:
        """This branch with one more fact at the end of the fact's path."""
        return self.grown(leaf, leaf.path)

    def drop(self, path: Path, dot: Dot) -> Branch:
        """This branch less one fact, which must be there."""
        if not path:
            left = tuple(leaf for leaf in self.leaves if not leaf.is_named(dot))
            return _smallest(left, self._trie())
        child = self.child(path[0])
        if child is None:
            raise KeyError(dot)
        smaller = child.drop(path[1:], dot)
        if smaller is EMPTY:
            return self._without(path[0])
        return self._with(path[0], smaller)

    def differing(self, other: Branch) -> Iterator[bytes]:
        """The steps down at which two branches are not the very same."""
        yield from differing(self._trie(), other._trie())

    def grown(self, leaf: Leaf, path: Path) -> Branch:
        """This branch with one more fact at the end of a path, the rest of its own."""
        if not path:
            return _smallest((*self.leaves, leaf), self._trie())
        child = self.child(path[0])
        if child is not None:
            return self._with(path[0], child.grown(leaf, path[1:]))
        chain: Branch = leaf
        for step in reversed(path[1:]):
            chain = _Link(step, chain)
        return self._with(path[0], chain)

    def _with(self, step: bytes, child: Branch) -> Branch:
        if self is EMPTY:
            return _Link(step, child)  # What `_smallest` would find, the long way.
        return _smallest(self.leaves, self._trie().set(step, child))

    def _without(self, step: bytes) -> Branch:
        return _smallest(self.leaves, self._trie().without(step))

    def _trie(self) -> Trie[Branch]:
        return _NO_CHILDREN


_NO_CHILDREN: Trie[Branch] = Trie()
EMPTY = Branch()


class Leaf(Branch):
    """One live fact, and the branch of a place where there is nothing else.

    Args:
        dot: Its name.
        fact: What is taken over of it, so that nobody need keep it.
        actor: The dot's, as an object that others have too.
    """

    __slots__ = ("actor", "counter", "key", "path", "payload")

    def __init__(self, dot: Dot, fact: Fact, *, actor: Actor | None = None) -> None:
        self.actor = dot.actor if actor is None else actor
        self.counter = dot.counter
        self.key = fact.key
        self.path = fact.path
        self.payload = fact.payload

    @property
    def dot(self) -> Dot:
        """Names it."""
        return Dot(self.actor, self.counter)

    @property
    def fact(self) -> Fact:
        """What the dot names."""
        return Fact(self.key, self.path, self.payload)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Itself."""
        return (self,)

    def is_named(self, dot: Dot) -> bool:
        """Whether this is a dot's fact."""
        return self.counter == dot.counter and self.actor == dot.actor

    def drop(self, path: Path, dot: Dot) -> Branch:
        """The empty branch, where it is this fact's."""
        return super().drop(path, dot) if path or not self.is_named(dot) else EMPTY


class _Link(Branch):
    """A place with one child and nothing else."""

    __slots__ = ("_child", "_step")

    def __init__(self, step: bytes, child: Branch) -> None:
        self._step = step
        self._child = child

    def __len__(self) -> int:
        return 1

    def child(self, step: bytes) -> Branch | None:
        return self._child if self._step == step else None

    def children(self) -> Iterator[tuple[bytes, Branch]]:
        yield self._step, self._child

    def _with(self, step: bytes, child: Branch) -> Branch:
        return _Link(step, child) if step == self._step else super()._with(step, child)

    def _without(self, step: bytes) -> Branch:
        return EMPTY  # Only ever asked to go without a child that is there.

    def _trie(self) -> Trie[Branch]:
        return _NO_CHILDREN.set(self._step, self._child)


class _Fork(Branch):
    """A place with several facts or children, or some of both."""

    __slots__ = ("_children", "_leaves")

    def __init__(self, leaves: tuple[Leaf, ...], children: Trie[Branch]) -> None:
        self._leaves = leaves
        self._children = children

    def __len__(self) -> int:
        return len(self._children)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self._leaves

    def child(self, step: bytes) -> Branch | None:
        return self._children.get(step)

    def _trie(self) -> Trie[Branch]:
        return self._children


def _smallest(leaves: tuple[Leaf, ...], children: Trie[Branch]) -> Branch:
    if len(children) > 1 or len(leaves) > 1 or (leaves and len(children)):
        return _Fork(leaves, children)
    if leaves:
        return leaves[0]
    for step, child in children.items():
        return _Link(step, child)
    return EMPTY
