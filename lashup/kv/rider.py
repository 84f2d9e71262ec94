"""What a store says of itself on every probe and ack."""

from __future__ import annotations

from dataclasses import dataclass

from lashup.errors import MalformedDatagram

_ROOT_SIZE = 8
_INFORMED = 1


@dataclass(frozen=True, slots=True)
class Rider:
    """A store in nine bytes.

    Attributes:
        root: The digest: 64 bits, equal where stores are equal, 0 for the empty one.
        is_informed: Whether it knows the table from before: from its disk when it
            started, or as it has been equal to one that was informed. Nodes that
            all lost their disks agree with each other, and none knows anything.
    """

    root: int
    is_informed: bool

    def encode(self) -> bytes:
        """The bytes that ride."""
        flags = _INFORMED if self.is_informed else 0
        return self.root.to_bytes(_ROOT_SIZE, "big") + bytes((flags,))


def rider_untrusted(data: bytes) -> Rider:
    """What a member's store says of itself; what a later version appends is skipped.

    Raises:
        MalformedDatagram: Too short.
    """
    if len(data) <= _ROOT_SIZE:
        raise MalformedDatagram(f"a rider of {len(data)} bytes")
    root = int.from_bytes(data[:_ROOT_SIZE], "big")
    return Rider(root, bool(data[_ROOT_SIZE] & _INFORMED))
