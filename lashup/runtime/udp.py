"""UDP sockets that are drained, not awaited datagram by datagram.

One wait for all sockets, then plain non-blocking reads until they are empty: the
cost per datagram is that of the system call. The wait is on an epoll descriptor
that holds the sockets, and is the same on trio and on asyncio.

ICMP answers are read from the sockets' error queues (`IP_RECVERR`). "Port unreachable"
is evidence about the peer; anything else is counted.

Sending never waits. What the own host refuses (a firewall, full buffers, no
route) is a result and a count, never an exception: it is no evidence about the
peer, and no reason to stop. A lost datagram is the protocols' business.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from types import TracebackType

import anyio

from lashup.errors import ConfigError
from lashup.machine import Address
from lashup.runtime.forked import blank, own
from lashup.runtime.udp_socket import (
    IP_RECVERR,
    IPV6_RECVERR,
    canonical,
    drops_of,
    family_of,
    in_the_way,
    keep_port,
    open_socket,
    share_port,
)

#: Datagrams taken per socket and wake-up, so that timers and other tasks get their
#: turn: 256 at 50 us each are 13 ms.
MOST_PER_WAKEUP = 256

_LARGEST = 1 << 16
#: struct sock_extended_err, include/uapi/linux/errqueue.h: errno, origin, type, code.
_EXTENDED_ERROR = struct.Struct("=IBBB")
#: (origin, type, code) of "port unreachable": RFC 792 and RFC 4443.
_PORT_UNREACHABLE = frozenset(((2, 3, 3), (3, 1, 4)))


class SendResult(Enum):
    """What became of one datagram on this host. None of it tells about the peer."""

    SENT = "sent"
    #: A local firewall, full buffers, an interface that is down: may pass later.
    REFUSED = "refused"
    #: This host has no route, or no socket of that family.
    NO_ROUTE = "no route"
    #: Larger than the path is known to carry.
    TOO_LARGE = "too large"


_NO_ROUTE = frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT,
                       errno.EADDRNOTAVAIL, errno.EINVAL))  # fmt: skip


_OF_ANOTHER = frozenset((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH,
                         errno.EPROTO, errno.EHOSTDOWN))  # fmt: skip
_ERROR_MESSAGES = frozenset(
    ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
)


class UdpEndpoint:
    """The sockets of one node: one address per family.

    Args:
        bind: Addresses to listen at and send from. Port 0 takes a free one.

    Raises:
        ConfigError: An address cannot be bound, or is none. Names it. Nothing stays
            open.
    """

    def __init__(self, bind: Sequence[Address]) -> None:
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._counts: Counter[str] = Counter()
        self._refusals: dict[Address, None] = {}
        #: By sockets that are closed now.
        self._dropped = 0
        self._epoll = select.epoll()
        own(self)
        try:
            self.move(bind)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that are bound, with their true ports, in the given order."""
        return tuple(s.getsockname()[:2] for s in self._sockets.values())

    def move(self, bind: Sequence[Address]) -> None:
        """Listen at these addresses from now on, and at no others.

        Sockets that are at one of them stay. What has come to the others and was not
        drained is lost. Somebody may be waiting.

        Raises:
            ConfigError: An address cannot be bound, or is none. Names it. All stays
                as it was.
        """
        if not bind:
            raise ConfigError("bind", "there is no address to listen at")
        before = {sock.getsockname()[:2]: sock for sock in self._sockets.values()}
        wanted: dict[socket.AddressFamily, socket.socket] = {}
        opened: list[socket.socket] = []
        try:
            for index, address in enumerate(bind):
                field = "bind" if len(bind) == 1 else f"bind[{index}]"
                sock = before.pop(canonical(address), None)
                if sock is None:
                    beside = in_the_way(before, address)
                    if beside is not None:
                        share_port(beside)
                    sock = open_socket(address, field, shares=beside is not None)
                    opened.append(sock)
                if sock.family in wanted:
                    raise ConfigError(field, "a second address of the same family")
                wanted[sock.family] = sock
        except BaseException:
            for sock in opened:
                sock.close()
            for sock in self._sockets.values():
                keep_port(sock)
            raise
        for sock in before.values():
            self._dropped += drops_of(sock)
            self._epoll.unregister(sock)
            sock.close()
        for sock in opened:
            keep_port(sock)
            self._epoll.register(sock, select.EPOLLIN)
        self._sockets = wanted

    async def wait_readable(self) -> None:
        """Return when a datagram may be there. Safe to cancel: nothing is taken."""
        await anyio.wait_readable(self._epoll.fileno())

    def drain(self, *, most: int = MOST_PER_WAKEUP) -> list[tuple[bytes, Address]]:
        """The datagrams that have come, at most `most` of each socket.

        What is left over keeps the endpoint readable.
        """
        taken: list[tuple[bytes, Address]] = []
        for sock in self._sockets.values():
            self._drain_errors(sock, most)
            self._drain_one(sock, taken, most)
        self._counts["received"] += len(taken)
        self._counts["received_bytes"] += sum(len(data) for data, _ in taken)
        return taken

    def take_refusals(self) -> list[Address]:
        """Where we have sent to and nobody listens, as `drain` has found by the way.

        Its host has said so by ICMP; the kernel has checked that it answers something
        that this socket sent.
        """
        refusals, self._refusals = list(self._refusals), {}
        return refusals

    def _drain_one(
        self, sock: socket.socket, taken: list[tuple[bytes, Address]], most: int
    ) -> None:
        for _ in range(most):
            try:
                data, sender = sock.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP answer to what we sent: taken with it
                self._counts[f"receive_{_name_of(error)}"] += 1
                self._drain_errors(sock, most)
                continue
            taken.append((data, (sender[0], sender[1])))

    def _drain_errors(self, sock: socket.socket, most: int) -> None:
        for _ in range(most):
            try:
                _, extras, _, to = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:  # nothing is there
                return
            for level, kind, data in extras:
                if (level, kind) not in _ERROR_MESSAGES or len(data) < 7:
                    continue
                number, *what = _EXTENDED_ERROR.unpack_from(data)
                self._counts[f"icmp_{errno.errorcode.get(number, 'EOTHER')}"] += 1
                if tuple(what) in _PORT_UNREACHABLE and to:
                    self._refusals[to[0], to[1]] = None

    def send(self, data: bytes, to: Address) -> SendResult:
        """Hand one datagram to the kernel, at once or not at all.

        Raises:
            UsageError: The host is no IP literal. Names are never looked up here:
                that would stop everything else meanwhile.
        """
        sock = self._sockets.get(family_of(to[0]))
        if sock is None:
            self._counts["send_EAFNOSUPPORT"] += 1
            return SendResult.NO_ROUTE
        try:
            self._send(sock, data, to)
        except OSError as error:
            self._counts[f"send_{_name_of(error)}"] += 1
            if error.errno == errno.EMSGSIZE:
                return SendResult.TOO_LARGE
            if error.errno in _NO_ROUTE:
                return SendResult.NO_ROUTE
            return SendResult.REFUSED
        self._counts["sent"] += 1
        self._counts["sent_bytes"] += len(data)
        return SendResult.SENT

    def _send(self, sock: socket.socket, data: bytes, to: Address) -> None:
        try:
            sock.sendto(data, to)
        except OSError as error:
            if error.errno not in _OF_ANOTHER:
                raise
            # The kernel hands the ICMP answer to an earlier datagram to whoever uses
            # the socket next. This one has not been tried yet.
            sock.sendto(data, to)

    def statistics(self) -> dict[str, int]:
        """Counts since the start.

        `sent`, `received` and both with `_bytes`; `send_EPERM` and the like for what
        this host refused, by the kernel's name of the reason; `dropped` datagrams
        that came while the receive buffer was full; `receive_buffer` in bytes.
        """
        totals = dict.fromkeys(("sent", "sent_bytes", "received", "received_bytes"), 0)
        totals |= self._counts
        dropped = sum(map(drops_of, self._sockets.values()))
        totals["dropped"] = self._dropped + dropped
        totals["receive_buffer"] = min(
            (
                s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
                for s in self._sockets.values()
            ),
            default=0,
        )
        return totals

    def leave_to_parent(self) -> None:
        """In a child that was forked: it hears nothing, and sends nothing."""
        if not self._epoll.closed:
            blank(self._epoll.fileno())
        for sock in self._sockets.values():
            blank(sock.fileno())

    def close(self) -> None:
        """Close the sockets. Nobody may be waiting. Once more does nothing."""
        self._epoll.close()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def __enter__(self) -> UdpEndpoint:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EOTHER")
