"""How wide one path is: a search by halving, and what it has to tell. Pure.

A path counts as wide until a size has failed. Then the least width that any path has
is used, and the greatest that passes is found between that and what failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lashup.machine import NEVER, Address, NodeId
from lashup.wire.frames import LEAST_DATAGRAM

#: What each IPv6 link carries, and any sound IPv4 one: 1,280 less the headers. Tried
#: first where the path is narrow.
_USUAL = 1_232
#: The width is found to so many bytes.
_GRAIN = 16
#: Seconds until a narrow path is tried at the full width again.
_WIDE_AGAIN = 300.0


@dataclass(frozen=True, slots=True)
class PathNarrow:
    """Datagrams of the configured width do not reach a member; shorter ones do.

    Attributes:
        node: The member.
        address: Where it was sent to.
        width: Bytes of UDP payload that pass, to within 16. What is longer now goes
            in fragments.
    """

    node: NodeId
    address: Address
    width: int


@dataclass(frozen=True, slots=True)
class PathWide:
    """Datagrams of the configured width reach a member again.

    Attributes:
        node: The member.
        address: Where it was sent to.
        width: Bytes of UDP payload: the configured ones.
    """

    node: NodeId
    address: Address
    width: int


PathNews: TypeAlias = PathNarrow | PathWide


class PathWidth:
    """What is known of the path to one member.

    Args:
        node: The member.
        address: Where it is.
        size: Bytes of one datagram, as configured.
    """

    __slots__ = ("_address", "_fails", "_passes", "_searched_at", "_size", "_told",
                 "node")  # fmt: skip

    def __init__(self, node: NodeId, address: Address, size: int) -> None:
        self.node = node
        self._address = address
        self._size = size
        #: The greatest size that passed, and the least that did not.
        self._passes = self._fails = size
        self._told = size
        self._searched_at = -NEVER

    @property
    def narrow(self) -> int | None:
        """The width to use where it is not the configured one."""
        return self._passes if self._passes < self._size else None

    def size_to_test(self, *, now: float) -> int:
        """What a new test is to begin with: what passed, or all of it once more."""
        if self._passes < self._size and now >= self._searched_at + _WIDE_AGAIN:
            self._searched_at = now
            return self._size
        return self._passes

    def passed(self, size: int) -> int | None:
        """A size was acknowledged. What is to be tested next; None: all is known."""
        if size == self._size:
            self._passes = self._fails = size
            return None
        self._passes = max(self._passes, size)
        return self._next()

    def failed(self, size: int, *, now: float) -> int | None:
        """A size never came, and a bare datagram did. What is to be tested next."""
        if size <= self._passes:  # It is narrower than it was.
            self._passes = LEAST_DATAGRAM
            self._searched_at = now
        self._fails = size
        return self._next()

    def news(self) -> list[PathNews]:
        """What the search that has ended says, if that was not told before."""
        if self._told == self._passes:
            return []
        self._told = self._passes
        kind = PathNarrow if self._passes < self._size else PathWide
        return [kind(self.node, self._address, self._passes)]

    def _next(self) -> int | None:
        if self._fails - self._passes <= _GRAIN:
            return None
        usual = self._passes < _USUAL < self._fails
        return _USUAL if usual else (self._passes + self._fails) // 2
