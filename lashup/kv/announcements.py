"""When writes are told to the others: the first at once, those close behind together.

Theory of operation
-------------------
A write is announced as soon as it is on disk. One that comes within `GAP` of an
announcement waits until that is over, and whatever else comes meanwhile is joined with
it: one delta, in which a field that was written ten times stands once. So a writer
that never stops costs every other member 20 messages a second, not thousands, and
keeps its own core for writing; one that writes now and then is not held up. After a gap
in which `MANY` writes came, the next is `LONG_GAP`.

A group that would not fit a datagram any more is announced at once, as fragments are
lost together. Who waits for others to have a write has it announced at once, too, and
with it what came before.

Source: delta-groups, Almeida, Shoker, Baquero, arXiv:1603.01529, section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from lashup.crdt.delta_group import DeltaGroup, size_of
from lashup.crdt.facts import Delta
from lashup.machine import NEVER

#: Seconds between two announcements, while each fits a datagram.
GAP = 0.02
#: The same after so many writes in one of them: hundreds of writes a second.
LONG_GAP, MANY = 0.05, 16


class Announcements:
    """What this node has written and not told yet.

    Args:
        room: Says how many bytes of a datagram a delta may take: as many as pass on
            all paths.
    """

    def __init__(self, *, room: Callable[[], int]) -> None:
        self._room = room
        self._group = DeltaGroup()
        self._next_at = -math.inf
        self._waiting = 0
        self._told = 0
        self._sent = 0

    def next_wakeup(self) -> float:
        """When `tick` has something to announce."""
        return self._next_at if self._group else NEVER

    def put(self, delta: Delta, *, now: float) -> list[Delta]:
        """What is to be announced now that this has been written."""
        told: list[Delta] = []
        if self._group and self._group.size + size_of(delta) > self._room():
            told = self.take(now=now)
        self._group.put(delta)
        self._waiting += 1
        if now >= self._next_at:
            told += self.take(now=now)
        return told

    def tick(self, *, now: float) -> list[Delta]:
        """What has waited long enough."""
        return self.take(now=now) if now >= self.next_wakeup() else []

    def take(self, *, now: float) -> list[Delta]:
        """Whatever waits, however short it has."""
        if not self._group:
            return []
        group, self._group = self._group, DeltaGroup()
        self._next_at = now + (LONG_GAP if self._waiting >= MANY else GAP)
        self._told, self._waiting = self._told + self._waiting, 0
        self._sent += 1
        return [group.delta()]

    def drop(self) -> None:
        """Leave what waits to reconciliation."""
        self._group, self._waiting = DeltaGroup(), 0

    def statistics(self) -> dict[str, int | float]:
        """Writes, but for what a stop left to reconciliation; and announcements."""
        return {"announced_writes": self._told, "announcements": self._sent}
