"""What a store says of itself on every probe and ack."""

from __future__ import annotations

from dataclasses import dataclass

from lashup.errors import MalformedDatagram

#: Days since 1970 take two bytes: until the year 2149.
DAY_LIMIT = 1 << 16

_ROOT_SIZE = 8
_SIZE_WITH_DAYS = _ROOT_SIZE + 5
_INFORMED = 1
_DAYS = 2


@dataclass(frozen=True, slots=True)
class Rider:
    """A store in nine bytes, or thirteen where there are days to tell.

    Attributes:
        root: The digest: 64 bits, equal where stores are equal, 0 for the empty one.
        is_informed: Whether it knows the table from before: from its disk when it
            started, or as it has been equal to one that was informed. Nodes that
            all lost their disks agree with each other, and none knows anything.
        horizon: Days since 1970: removals before it may be forgotten (`retirement`); 0:
            none is.
        away_since: The day on which it was switched off, while it may lack what was
            removed since; 0: it lacks nothing.
    """

    root: int
    is_informed: bool
    horizon: int = 0
    away_since: int = 0

    def encode(self) -> bytes:
        """The bytes that ride."""
        has_days = bool(self.horizon or self.away_since)
        flags = _INFORMED * self.is_informed | _DAYS * has_days
        encoded = self.root.to_bytes(_ROOT_SIZE, "big") + bytes((flags,))
        if not has_days:
            return encoded
        days = self.horizon, self.away_since
        return encoded + b"".join(day.to_bytes(2, "big") for day in days)


def rider_untrusted(data: bytes) -> Rider:
    """What a member's store says of itself; what a later version appends is skipped.

    Raises:
        MalformedDatagram: Too short.
    """
    if len(data) <= _ROOT_SIZE:
        raise MalformedDatagram(f"a rider of {len(data)} bytes")
    root = int.from_bytes(data[:_ROOT_SIZE], "big")
    flags = data[_ROOT_SIZE]
    horizon = away_since = 0
    if flags & _DAYS:
        if len(data) < _SIZE_WITH_DAYS:
            raise MalformedDatagram(f"a rider with days of {len(data)} bytes")
        horizon = int.from_bytes(data[_ROOT_SIZE + 1 : _ROOT_SIZE + 3], "big")
        away_since = int.from_bytes(data[_ROOT_SIZE + 3 : _SIZE_WITH_DAYS], "big")
    return Rider(root, bool(flags & _INFORMED), horizon, away_since)
