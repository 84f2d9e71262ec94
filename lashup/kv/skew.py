"""Clocks further ahead of ours than is followed: counted, and told now and then."""

from __future__ import annotations

import math

from lashup.kv.effects import ClockSkewed

#: Seconds between two reports.
_TOLD_AGAIN = 60.0


class Skew:
    """What one replica has seen of such clocks."""

    def __init__(self) -> None:
        self._count = 0
        self._latest = 0.0
        self._told_at = -math.inf

    def found_on_disk(self, seconds: float) -> None:
        """An earlier life has left such a timestamp, if it is more than 0."""
        self._latest = seconds
        self._count += seconds > 0

    def note(self, seconds: float, *, wall: float) -> list[ClockSkewed]:
        """A write's timestamp exceeds the permitted skew by so much."""
        self._count += 1
        self._latest = seconds
        # A wall clock that was set back must not silence it for longer.
        if 0 <= wall - self._told_at < _TOLD_AGAIN:
            return []
        self._told_at = wall
        return [ClockSkewed(seconds)]

    def statistics(self) -> dict[str, int | float]:
        """How many there were, and by how much the last one was ahead."""
        return {"clock_skews": self._count, "clock_skew": self._latest}
