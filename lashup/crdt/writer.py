"""Operations on one key become one delta."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from lashup.crdt.branch import EMPTY, Branch, Leaf
from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Actor, Dot
from lashup.crdt.fact import Fact, PackedKey, Path
from lashup.crdt.facts import Delta


class Operation(Protocol):
    """A wish to change one key. Built by the fields in `register`, `map` and so on."""

    def apply(self, writer: Writer) -> None:
        """Carry it out on the key as the operations before it left it."""
        ...


class Writer:
    """Collects what some operations on one key do.

    Args:
        key: The packed key.
        branch: Its value, as the writer sees it.
        actor: Whose dots are minted.
        counter: The first counter to mint.
        stamp: Gives the timestamp for a write, rising with each call.
    """

    def __init__(
        self,
        key: PackedKey,
        branch: Branch,
        *,
        actor: Actor,
        counter: int,
        stamp: Callable[[], int],
    ) -> None:
        self.branch = branch
        self.stamp = stamp
        #: The next counter that nobody has.
        self.counter = counter
        #: Whose dots are minted here.
        self.actor = actor
        self._key = key
        self._facts: dict[Dot, Fact] = {}
        self._context = CausalContext()

    def put(self, path: Path, payload: bytes) -> None:
        """Mint a fact."""
        dot = Dot(self.actor, self.counter)
        self.counter += 1
        self._context.add_run(dot.actor, dot.counter, dot.counter)
        fact = self._facts[dot] = Fact(self._key, path, payload)
        self.branch = self.branch.put(Leaf(dot, fact))

    def drop(self, path: Path) -> None:
        """Remove every fact at a place and below that the writer can see."""
        below = self.branch.at(path) or EMPTY
        for place, dot in list(below.places(path)):
            self._drop(place, dot)

    def drop_dots(self, path: Path, dots: Iterable[Dot]) -> None:
        """Remove some facts that are right at a place."""
        for dot in dots:
            self._drop(path, dot)

    def delta(self) -> Delta:
        """What the operations so far amount to; without effect it is empty."""
        return Delta(self._facts, self._context)

    def _drop(self, path: Path, dot: Dot) -> None:
        # A fact of this very update leaves its dot behind as seen and gone.
        self._facts.pop(dot, None)
        self._context.add_run(dot.actor, dot.counter, dot.counter)
        self.branch = self.branch.drop(path, dot)


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a field away with everything seen below it.

    What others write there at the same time survives.
    """

    path: Path

    def apply(self, writer: Writer) -> None:
        """Drop everything seen."""
        writer.drop(self.path)
