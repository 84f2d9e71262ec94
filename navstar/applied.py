"""What became of operations on the kernel, whatever kernel it was."""

from __future__ import annotations

from dataclasses import dataclass

from navstar.diff import Op


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation that the kernel turned down.

    Attributes:
        op: The operation.
        errno: The kernel's error number.
        text: What it means here, or the kernel's own words.
    """

    op: Op
    errno: int
    text: str

    def __str__(self) -> str:
        return f"{self.op}: {self.text}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the operations.

    Attributes:
        done: How many hold now, those that held before included.
        writes: How many of them changed the kernel.
        refused: The others.
    """

    done: int = 0
    writes: int = 0
    refused: tuple[Refused, ...] = ()
