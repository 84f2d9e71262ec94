"""Rows that somebody undoes again and again, and how navstar keeps its temper. Pure.

Theory of operation. A row that stood after the last pass and is gone now was undone
by somebody. That is repaired at once, for nearly always it is an accident. But a
manager that takes our rows for its own garbage does the same thing again whenever
the row comes back, and two daemons that answer each other within milliseconds can
keep a host busy for ever. So what was done is remembered, as the operation that repairs
it and what was found in the row's place. When the same is needed for the fourth time
without `CALM` between, the row is contested: the repair waits, twice as long each
time, up to the audit period. Other rows do not wait. The row is contested no more
when it has been left alone for `CALM`.

What falls with a link or an address (neighbours, routes) is no struggle of its own:
only the link or the address is counted, and while that waits, what is on it waits too.

The kernel tells with some notices from which netlink port the change came; the last
port for each kind of row is kept, so that whoever it is can be named.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from navstar.changed import Changed, kind_of
from navstar.diff import Op, Put, Rename
from navstar.tables import Addr, Link, Row, family_of, kernel_key, link_of

#: Repairs of the same damage that do not wait.
PATIENCE = 3
#: Seconds that the first repair after that waits.
FIRST_WAIT = 1.0
#: Seconds, or three audit periods if those are longer.
CALM = 60.0
#: Struggles remembered at once. A flush of all rows is one event, not 60,000.
MOST = 1_000

_Damage: TypeAlias = tuple[Op, Row | None]


@dataclass(frozen=True, slots=True)
class Contested:
    """A row that somebody undoes again and again.

    Attributes:
        row: Ours; or one that bears our mark and is not wanted.
        found: What was in its place, if anything.
        repairs: How often it was repaired.
        port: Netlink port of who last changed a row of this kind; 0 if the kernel
            did not tell.
        waits: Seconds until the next repair; 0 if it was right at the last look.
        by: Who that is, in words, if somebody has looked it up.
    """

    row: Row
    found: Row | None
    repairs: int
    port: int
    waits: float
    by: str = ""

    def __str__(self) -> str:
        return f"{self.row}: undone again and again by {self.by or 'somebody'}"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What may be done now.

    Attributes:
        ops: Those operations that need not wait.
        held: Those that wait.
        contested: Every row that somebody keeps undoing.
        look_again_at: When the first of `held` may go; infinite if there is none.
    """

    ops: tuple[Op, ...]
    held: tuple[Op, ...] = ()
    contested: tuple[Contested, ...] = ()
    look_again_at: float = math.inf


@dataclass(slots=True)
class _Struggle:
    repairs: int
    seen_at: float
    due_at: float
    port: int = 0
    is_contested: bool = False


class Contest:
    """What was undone lately. One pass at a time: `judge`, then `ended`.

    Args:
        longest_wait: Seconds that a repair waits at most: the audit period.
    """

    def __init__(self, *, longest_wait: float) -> None:
        self.longest_wait = longest_wait
        self._standing: AbstractSet[Row] = frozenset()
        self._struggles: dict[_Damage, _Struggle] = {}
        self._waiting: frozenset[Op] = frozenset()

    def judge(
        self,
        ops: tuple[Op, ...],
        actual: AbstractSet[Row],
        *,
        ports: Mapping[Changed, int],
        now: float,
    ) -> Ruling:
        """Say which operations of a pass may go, and which rows are contested.

        Args:
            ops: What the pass would do.
            actual: What it found.
            ports: Of those who changed something since the last pass, where told.
            now: Seconds, of any clock that does not go back.
        """
        self._forget(now)
        waiting: list[_Damage] = []
        again_at = math.inf
        for damage in self._undone(ops, actual):
            struggle = self._meet(damage, now)
            struggle.port = ports.get(kind_of(damage[0].row), struggle.port)
            if now < struggle.due_at:
                again_at = min(again_at, struggle.due_at)
                waiting.append(damage)
            else:
                self._repair(struggle, now)
        self._waiting = frozenset(op for op, _ in waiting)
        held = tuple(op for op in ops if self._has_to_wait(op, waiting))
        if held:
            kept = frozenset(held)
            ops = tuple(op for op in ops if op not in kept)
        return Ruling(ops, held, tuple(self._contested(now)), again_at)

    def ended(self, standing: AbstractSet[Row]) -> None:
        """Take note of what stands after a pass; empty if that is not known."""
        self._standing = standing

    def _undone(self, ops: Iterable[Op], actual: AbstractSet[Row]) -> list[_Damage]:
        """What somebody did to what stood, and what waits since then."""
        # What moves from one link of ours to another is nobody's doing but ours.
        moved = {op.name for op in ops if isinstance(op, Rename)}
        struck = [
            op
            for op in ops
            if link_of(op.row) not in moved and self._is_undone(op, actual)
        ]
        if not struck:
            return []
        keys = {kernel_key(op.row) for op in struck}
        found = {key: row for row in actual if (key := kernel_key(row)) in keys}
        links = {op.row.name for op in struck if isinstance(op.row, Link)}
        shaken = {op.row.link for op in struck if isinstance(op.row, Addr)}

        def falls_with_another(row: Row) -> bool:
            match row:
                case Link():
                    return False
                case Addr(link):
                    return link in links
                case _:
                    return link_of(row) in links | shaken

        return [
            (op, found.get(kernel_key(op.row)))
            for op in struck
            if not falls_with_another(op.row)
        ][:MOST]

    def _is_undone(self, op: Op, actual: AbstractSet[Row]) -> bool:
        if op in self._waiting:
            return True
        if isinstance(op, Put):
            return op.row in self._standing and op.row not in actual
        return bool(self._standing) and op.row not in self._standing

    def _has_to_wait(self, op: Op, waiting: Iterable[_Damage]) -> bool:
        return op in self._waiting or any(_stands_on(op.row, one) for one in waiting)

    def _meet(self, damage: _Damage, now: float) -> _Struggle:
        struggle = self._struggles.get(damage)
        if struggle is None:
            struggle = _Struggle(repairs=0, seen_at=now, due_at=now)
            if len(self._struggles) < MOST:
                self._struggles[damage] = struggle
        struggle.seen_at = now
        struggle.is_contested |= struggle.repairs >= PATIENCE
        return struggle

    def _repair(self, struggle: _Struggle, now: float) -> None:
        struggle.repairs += 1
        beyond = struggle.repairs - PATIENCE
        if beyond >= 0:
            # More than 30 doublings are longer than any audit period.
            wait = FIRST_WAIT * 2.0 ** min(beyond, 30)
            struggle.due_at = now + min(wait, self.longest_wait)

    def _forget(self, now: float) -> None:
        calm = max(CALM, 3 * self.longest_wait)
        over = [
            damage
            for damage, struggle in self._struggles.items()
            if now - struggle.seen_at >= calm
        ]
        for damage in over:
            del self._struggles[damage]

    def _contested(self, now: float) -> Iterable[Contested]:
        for (op, found), struggle in self._struggles.items():
            if struggle.is_contested:
                is_wrong = struggle.seen_at == now and struggle.due_at > now
                waits = struggle.due_at - now if is_wrong else 0.0
                yield Contested(op.row, found, struggle.repairs, struggle.port, waits)


def _stands_on(row: Row, damage: _Damage) -> bool:
    """Whether the row can only be put when the damage is repaired."""
    op, found = damage
    match op.row:
        case Link(name):
            is_there = isinstance(found, Link) and found.up
            return not is_there and link_of(row) == name
        case Addr(link, address):
            return link_of(row) == link and family_of(row) == address.version
        case _:
            return False
