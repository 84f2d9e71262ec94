"""`navstar diff`: what should be in the kernel against what is, row by row. Pure.

`plan` shows operations, in their order; this shows the disagreement itself: which row
is missing, is another than it should be, or is too many, and who published it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from navstar.line import Line
from navstar.look import Look
from navstar.provenance import Publishers
from navstar.tables import Row, kernel_key


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One place in the kernel's tables.

    Attributes:
        state: "missing", "different", "surplus", or "held": surplus, but kept now.
        desired: What should be there, if anything.
        actual: What is there, if anything.
        line: Who published it: the desired row if there is one, else the actual.
    """

    state: str
    desired: Row | None
    actual: Row | None
    line: Line | None


def disagreements(look: Look, lines: Iterable[Line]) -> tuple[Disagreement, ...]:
    """Every place where kernel and table disagree, sorted as rows read."""
    publishers = Publishers(lines)
    found = _found(look, publishers)
    return tuple(sorted(found, key=lambda one: str(one.desired or one.actual)))


def _found(look: Look, publishers: Publishers) -> Iterator[Disagreement]:
    desired, actual = look.desired.rows, look.actual
    surplus = {kernel_key(row): row for row in actual - desired}
    for row in desired - actual:
        there = surplus.pop(kernel_key(row), None)
        state = "missing" if there is None else "different"
        yield Disagreement(state, row, there, publishers.near(row))
    for row in surplus.values():
        state = "held" if row in look.verdict.held else "surplus"
        yield Disagreement(state, None, row, publishers.near(row))
