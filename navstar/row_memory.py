"""Rows by the bytes with which the kernel tells them. Pure.

An audit reads thousands of rows and hardly ever a new one. Taking a message apart
costs ten times as much as finding its bytes in a dict, and a set of rows that is the
same object as before needs no comparing. What is not told any more is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from navstar.netlink_codec import ATTRIBUTE, NEIGHBOUR_HEADER

RowT = TypeVar("RowT")

_NDA_CACHEINFO = 3


class RowMemory(Generic[RowT]):
    """What the messages of one table said the last time.

    Args:
        key: The part of a message that tells the row; the rest may differ each time.
    """

    def __init__(self, key: Callable[[bytes], bytes] = bytes) -> None:
        self._key = key
        self._known: dict[bytes, RowT | None] = {}
        self._rows: frozenset[RowT] = frozenset()

    def rows(
        self, bodies: Iterable[bytes], read: Callable[[bytes], RowT | None]
    ) -> frozenset[RowT]:
        """The rows that these messages tell; the same object when they are the same.

        Args:
            bodies: Of all messages of the table.
            read: Reads one, if it is not known. None: it tells nothing of ours.
        """
        known, now, key_of = self._known, dict[bytes, RowT | None](), self._key
        for body in bodies:
            key = key_of(body)
            now[key] = known[key] if key in known else read(body)
        if now.keys() != known.keys():
            self._rows = frozenset(row for row in now.values() if row is not None)
        self._known = now
        return self._rows

    def forget(self) -> None:
        """Read everything anew: what the messages mean has changed."""
        self._known = {}
        self._rows = frozenset()


def ageless(body: bytes) -> bytes:
    """A neighbour or FDB row without the times of its last use."""
    at, end, unpack = NEIGHBOUR_HEADER.size, len(body), ATTRIBUTE.unpack_from
    while at + 4 <= end:
        length, kind = unpack(body, at)
        if length < 4:
            break
        after = at + (length + 3 & ~3)
        if kind == _NDA_CACHEINFO:
            return body[:at] + body[after:]
        at = after
    return body
