"""Timestamps that follow the wall clock and still never contradict causality.

A timestamp is milliseconds since 1970 in the upper 48 bits and a count in the lower
16. Each write's is greater than every one seen before, whatever the clocks do.

A peer whose clock runs ahead by more than the permitted skew does not drag ours
along: its facts are kept as they are, so that replicas stay equal, and the skew is
told to the caller.

Source: Kulkarni et al., "Logical Physical Clocks", OPODIS 2014.
"""

from __future__ import annotations

COUNT_BITS = 16
_COUNTS_PER_SECOND = 1000 << COUNT_BITS

#: Seconds that a peer's clock may be ahead before it is not followed any more. NTP
#: keeps hosts within milliseconds; a minute is a broken clock or a wrong time zone.
DEFAULT_MAX_SKEW = 60.0


class HybridClock:
    """One replica's clock.

    Args:
        max_skew: Seconds ahead of our wall clock that a peer is followed to.
    """

    def __init__(self, *, max_skew: float = DEFAULT_MAX_SKEW) -> None:
        self.last = 0
        self._max_skew = max_skew

    def stamp(self, *, wall: float) -> int:
        """The timestamp for a new write.

        Args:
            wall: Seconds since 1970 by this host's clock, which may jump.
        """
        self.last = max(self.last + 1, _at(wall))
        return self.last

    def observe(self, timestamp: int, *, wall: float) -> float:
        """Take note of a timestamp by somebody else.

        Returns:
            Seconds by which it exceeds the permitted skew; 0.0 when it does not.
        """
        ahead = (timestamp - _at(wall)) / _COUNTS_PER_SECOND
        if ahead > self._max_skew:
            return ahead - self._max_skew
        self.last = max(self.last, timestamp)
        return 0.0


def seconds(timestamp: int) -> float:
    """The wall time of a timestamp, in seconds since 1970."""
    return timestamp / _COUNTS_PER_SECOND


def _at(wall: float) -> int:
    return int(max(wall, 0.0) * 1000) << COUNT_BITS
