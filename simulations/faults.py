"""What cuts nodes off from each other: partitions, deaf ears, broken links.

A fault says of two nodes whether what one sends reaches the other at all. The
network holds any number of them; each is put in and taken out by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Fault(Protocol):
    """Something that is broken."""

    def stops(self, source: str, to: str) -> bool:
        """Whether nothing that `source` sends reaches `to`."""
        ...


class Partition:
    """The nodes are in parts, and nothing passes between two parts.

    Args:
        parts: Names of nodes. A node in none of them hears, and is heard by, all:
            so M of "A hears M, B hears M, A and B do not hear each other".
    """

    def __init__(self, parts: Sequence[Iterable[str]]) -> None:
        self._part_of = {
            name: index for index, part in enumerate(parts) for name in part
        }

    def stops(self, source: str, to: str) -> bool:
        """Whether the two are in different parts."""
        ours = self._part_of.get(source)
        theirs = self._part_of.get(to)
        return ours is not None and theirs is not None and ours != theirs


class OneWay:
    """What some send does not reach some others; the other way all is well.

    Args:
        sources: Names of those that are not heard.
        deaf: Names of those that do not hear them.
    """

    def __init__(self, sources: Iterable[str], deaf: Iterable[str]) -> None:
        self._sources = frozenset(sources)
        self._deaf = frozenset(deaf)

    def stops(self, source: str, to: str) -> bool:
        """Whether `to` is deaf to `source`."""
        return source in self._sources and to in self._deaf


@dataclass(frozen=True, slots=True)
class BrokenLinks:
    """Some pairs of nodes do not hear each other, or one not the other.

    Attributes:
        ways: (source, destination) of what is lost; both orders for a whole link.
    """

    ways: frozenset[tuple[str, str]]

    def stops(self, source: str, to: str) -> bool:
        """Whether this way is broken."""
        return (source, to) in self.ways
