"""The time as a node goes by it, and how that lies to the wall clock.

A node counts in seconds of a clock that never jumps, and is told by how much the wall
clock is off it: that one is set, drifts, and goes on while the host is suspended.
"""

from __future__ import annotations

import math
import time

import anyio

from lashup.node import Node

#: Seconds between two looks at how the wall clock has drifted.
_PERIOD = 1.0
#: Seconds by which it has jumped, which is followed before anything else is done.
_JUMP = 60.0


class WallClock:
    """Keeps the offset of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._looked_at = -math.inf

    def now(self) -> float:
        """The time, once the node knows what the wall clock says."""
        now = anyio.current_time()
        offset = time.time() - now
        has_jumped = abs(offset - self._node.wall_offset) > _JUMP
        if has_jumped or now >= self._looked_at + _PERIOD:
            self._looked_at = now
            self._node.wall_offset = offset
        return now
