"""When the daemon's slow loops look: all at once.

A look takes microseconds, and to wake a process for it a hundred times as long: what it
needs is no longer in the processor's caches. So loops that look every so often wake on
common beats, and the kernel wakes the daemon once for all of them.
"""

from __future__ import annotations

import math

import trio


async def next_beat(period: float) -> None:
    """Wait until the clock next shows a multiple of the period.

    Not for the one that is less than half a period away, so whoever waits again and
    again waits for half a period at least, and for one in the mean.

    Args:
        period: Seconds. Loops share beats when one's period divides the other's.
    """
    number = math.floor(trio.current_time() / period + 0.5) + 1
    await trio.sleep_until(number * period)
