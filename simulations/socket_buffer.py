"""What has arrived for a process that has not read it yet. Bounded, like a kernel's."""

from __future__ import annotations

from collections import deque

from lashup.machine import Address

#: Bytes that a socket holds; what lashup asks the kernel for.
ROOM = 4 << 20
#: What the kernel charges for a datagram beside its bytes.
_CHARGE = 512


class SocketBuffer:
    """The datagrams that wait, oldest first.

    Attributes:
        used: Bytes, as the kernel counts them.
        overflowed: Datagrams for which there was no room.
    """

    def __init__(self) -> None:
        self.used = 0
        self.overflowed = 0
        self._waiting: deque[tuple[bytes, Address]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes, sender: Address) -> None:
        """Keep a datagram, or drop it where there is no room."""
        cost = len(data) + _CHARGE
        if self.used + cost > ROOM:
            self.overflowed += 1
            return
        self._waiting.append((data, sender))
        self.used += cost

    def take(self) -> tuple[bytes, Address]:
        """The oldest datagram; there must be one."""
        data, sender = self._waiting.popleft()
        self.used -= len(data) + _CHARGE
        return data, sender

    def clear(self) -> None:
        """The process has ended, and the socket with it."""
        self._waiting.clear()
        self.used = 0
