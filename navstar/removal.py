"""Taking everything of ours out of the kernel, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from navstar.applied import Applied, Refused
from navstar.diff import Op, diff
from navstar.tables import Row


class Tables(Protocol):
    """The part of the kernel that is needed."""

    def dump(self) -> frozenset[Row]:
        """Every row that bears our mark."""
        ...

    def apply(self, ops: tuple[Op, ...], /) -> Applied:
        """Carry operations out."""
        ...


@dataclass(frozen=True, slots=True)
class Removed:
    """What came of it.

    Attributes:
        rows: How many rows are gone, those that went with their link included.
        writes: How many operations that took.
        refused: Operations that the kernel turned down.
    """

    rows: int
    writes: int
    refused: tuple[Refused, ...]


def remove_everything(kernel: Tables) -> Removed:
    """Remove every row of ours. Blocks.

    Raises:
        OSError: The kernel cannot be asked.
    """
    before = kernel.dump()
    applied = kernel.apply(diff(frozenset(), before))
    left = kernel.dump() if applied.refused else frozenset()
    return Removed(len(before - left), applied.writes, applied.refused)
