"""Many deadlines, one of them next: a heap in which entries may change."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

from lashup.machine import NEVER

KeyT = TypeVar("KeyT")


class Deadlines(Generic[KeyT]):
    """At most one deadline for each key.

    Setting and discarding cost O(log n), asking for the next one O(1) in the long
    run: entries of the heap that no longer hold are dropped when they surface.
    """

    def __init__(self) -> None:
        self._at: dict[KeyT, float] = {}
        # The counter keeps equal deadlines in the order they were set.
        self._heap: list[tuple[float, int, KeyT]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._at

    def set(self, key: KeyT, at: float) -> None:
        """Set the deadline of a key, whether or not it had one."""
        self._at[key] = at
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, key))
        if len(self._heap) > 4 * len(self._at) + 64:
            self._rebuild()

    def discard(self, key: KeyT) -> None:
        """Take the deadline of a key away; none is no error."""
        self._at.pop(key, None)

    def next_at(self) -> float:
        """The earliest deadline, NEVER if there is none."""
        heap = self._heap
        while heap:
            at, _, key = heap[0]
            if self._at.get(key) == at:
                return at
            heapq.heappop(heap)
        return NEVER

    def take_due(self, now: float) -> Iterator[KeyT]:
        """The keys whose deadline has come, the earliest first; they lose it."""
        while self.next_at() <= now:
            key = heapq.heappop(self._heap)[2]
            del self._at[key]
            yield key

    def _rebuild(self) -> None:
        # Keys whose deadline is pushed back again and again would fill the heap.
        self._heap = [
            entry for entry in self._heap if self._at.get(entry[2]) == entry[0]
        ]
        heapq.heapify(self._heap)
