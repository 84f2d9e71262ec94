"""What one pass over the kernel came to. Pure."""

from __future__ import annotations

import errno
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from navstar.applied import Applied, Refused
from navstar.diff import Put
from navstar.look import Look
from navstar.schedule import Cause
from navstar.tables import Link, Row, link_of, second_name


@dataclass(frozen=True, slots=True)
class PassReport:
    """One pass.

    Attributes:
        cause: Why it took place.
        look: What it found; empty if it could not look.
        applied: What became of the operations.
        took: Seconds.
        ended_at: On trio's clock.
        fault: Why it could not be done; empty if it could.
        retry_at: When the first of what had to wait may be done.
    """

    cause: Cause
    look: Look
    applied: Applied
    took: float
    ended_at: float
    fault: str = ""
    retry_at: float = math.inf

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Operations that the kernel turned down."""
        return self.applied.refused

    @property
    def complaints(self) -> tuple[str, ...]:
        """What was turned down, in words: a link that is missing is one thing.

        And not the thousands of rows that would be on it as well.
        """
        rows = (one.op.row for one in self.refused if _is_missing_link(one))
        links = {row.name for row in rows if isinstance(row, Link)}
        waiting = [one for one in self.refused if _waits_for(one, links)]
        causes = [one for one in self.refused if not _waits_for(one, links)]
        more = f"; {len(waiting)} other operations wait for it" if waiting else ""
        return tuple(f"{one}{more if _is_missing_link(one) else ''}" for one in causes)

    @property
    def look_again_at(self) -> float:
        """When what was held back or had to wait may be done."""
        return min(self.look.verdict.look_again_at, self.retry_at)

    @property
    def seconds(self) -> frozenset[str]:
        """Names of the links that stand now beside a VTEP's first one."""
        links = (row for row in self.standing if isinstance(row, Link))
        return frozenset(
            link.name for link in links if link.name == second_name(link.vni, link.port)
        )

    @property
    def has_links(self) -> bool:
        """Whether every link that should be there is: nobody's is in the way."""
        wanted = {row for row in self.look.desired.rows if isinstance(row, Link)}
        if self.fault or self.look.in_the_way:
            return False
        return wanted <= self.standing

    @property
    def standing(self) -> AbstractSet[Row]:
        """The rows of ours that are there now, as far as is known."""
        if self.fault:
            return self.look.actual
        undone = [*self.look.waiting, *(one.op for one in self.refused)]
        if not undone:
            return self.look.verdict.aim
        missing = {op.row for op in undone if isinstance(op, Put)}
        surplus = {op.row for op in undone if not isinstance(op, Put)}
        return self.look.verdict.aim - missing | surplus


def _is_missing_link(one: Refused) -> bool:
    return isinstance(one.op, Put) and isinstance(one.op.row, Link)


def _waits_for(one: Refused, links: AbstractSet[str]) -> bool:
    """Whether the operation is turned down only because a link is missing."""
    if not links or _is_missing_link(one):
        return False
    if one.errno == errno.ECANCELED:
        return True
    return one.errno == errno.ENODEV and link_of(one.op.row) in links
