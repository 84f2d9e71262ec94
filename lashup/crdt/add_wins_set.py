"""The add-wins set: in it is what was added and not since seen and removed.

    fact     empty, at the element's place below the set's
    read     the elements with a live fact
    add      drop the facts seen of the element, add one
    discard  drop the facts seen of the element

An addition concurrent with a removal wins, as the remover could not have seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.fact import Path
from lashup.crdt.field import Name, Type, pack_step, step_kind, step_name
from lashup.crdt.writer import Remove, Writer


@dataclass(frozen=True, slots=True)
class SetField:
    """A set's place in a key."""

    path: Path

    def add(self, *elements: Name) -> Add:
        """The operation that adds some elements."""
        return Add(self.path, elements)

    def discard(self, *elements: Name) -> Discard:
        """The operation that removes some elements; absent ones are no error."""
        return Discard(self.path, elements)

    def remove(self) -> Remove:
        """The operation that removes every element seen here."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class Add:
    """Add elements to a set."""

    path: Path
    elements: tuple[Name, ...]

    def apply(self, writer: Writer) -> None:
        """Renew each element: one fact, whatever was seen.

        Raises:
            UsageError: An element is not a name.
        """
        for element in self.elements:
            place = (*self.path, pack_step(element, Type.ELEMENT))
            writer.drop(place)
            writer.put(place, b"")


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove elements from a set."""

    path: Path
    elements: tuple[Name, ...]

    def apply(self, writer: Writer) -> None:
        """Drop what was seen of each.

        Raises:
            UsageError: An element is not a name.
        """
        for element in self.elements:
            writer.drop((*self.path, pack_step(element, Type.ELEMENT)))


def elements(branch: Branch | None) -> frozenset[Name]:
    """The elements of a set."""
    if branch is None:
        return frozenset()
    return frozenset(
        step_name(step)
        for step, _ in branch.children()
        if step_kind(step) == Type.ELEMENT
    )
