"""Notices that somebody changed what navstar keeps in the kernel.

Theory of operation. One netlink socket hears of links, addresses, rules, neighbours,
FDB rows and routes of both families. What is heard is only a hint of what to look at
again, never a fact to act on: notifications get lost when the socket overflows, and
some changes send none (a link that goes down loses its IPv4 routes silently). So a
message is looked at just closely enough to drop what cannot concern us: other
protocols, other links, and our own writes, which carry the port of our socket. FDB
notifications carry no port; they are dropped when they tell what we last wrote.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from enum import StrEnum
from types import TracebackType
from typing import Self

from navstar.allocation import IpAddress
from navstar.netlink_codec import (
    ADDR_HEADER,
    AF_BRIDGE,
    LINK_HEADER,
    NEIGHBOUR_HEADER,
    RULE_HEADER,
    Message,
    Rtm,
    attributes,
    messages,
    text,
)
from navstar.netlink_links import get_by_name_body, read_link
from navstar.netlink_rows import mac_bytes
from navstar.netlink_socket import NetlinkSocket
from navstar.tables import PROTOCOL

#: RTNLGRP_*: link, neighbour, then address, route, rule of IPv4 and IPv6.
_GROUPS = (1, 3, 5, 7, 8, 9, 11, 19)

#: Room for the burst of 10,000 agents' rows; the default holds some 200 messages.
_RECEIVE_BUFFER = 8 << 20
_SO_RCVBUFFORCE = 33

#: Messages per drain, so that a storm cannot hold the caller for ever.
_MOST_RECEIVES = 4096
_RECEIVE_SIZE = 1 << 16

_IFLA_IFNAME = 3
_NDA_DST, _NDA_LLADDR = 1, 2
_FRA_PROTOCOL = 21
_ROUTE_PROTOCOL_AT = 5


class Changed(StrEnum):
    """What somebody else changed, or may have."""

    LINK = "link"
    ADDRESS = "address"
    NEIGHBOUR = "neighbour"
    ROUTE = "route"
    RULE = "rule"
    #: The kernel had to drop notifications: anything may have changed.
    OVERFLOW = "overflow"


class FdbWrites:
    """What navstar last wrote of each FDB row; a notification of it is an echo.

    Written by the worker thread, read by the watch. An entry per FDB row.
    """

    def __init__(self) -> None:
        self._agents: dict[tuple[int, bytes], bytes | None] = {}

    def note(self, index: int, mac: str, agent: IpAddress | None) -> None:
        """Remember a put, or with None a delete, before it is sent."""
        self._agents[index, mac_bytes(mac)] = agent.packed if agent else None

    def forget_link(self, index: int) -> None:
        """The link is gone, and its rows with it."""
        stale = [key for key in tuple(self._agents) if key[0] == index]
        for key in stale:
            self._agents.pop(key, None)

    def is_echo(self, index: int, mac: bytes, agent: bytes | None) -> bool:
        """Whether the row stands as navstar last wrote it."""
        return self._agents.get((index, mac), b"") == agent


class KernelWatch:
    """A socket to wait on, and `drain` for when it is readable.

    Never blocks, so it can be used in an event loop, e.g. with
    `trio.lowlevel.wait_readable(watch)`. It belongs to no thread, but serves one at a
    time. It hears the network namespace of the thread that opened it.

    Args:
        own_port: Port of the socket whose writes are ours.
        own_fdb: What was written of FDB rows.
    """

    def __init__(self, own_port: int, own_fdb: FdbWrites) -> None:
        self._own_port = own_port
        self._own_fdb = own_fdb
        self._names: frozenset[str] = frozenset()
        self._followed: dict[int, str] = {}
        self._questions = NetlinkSocket()
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            0,
        )
        try:
            self._enlarge(_RECEIVE_BUFFER)
            self._socket.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
        except OSError:
            self.close()
            raise

    def _enlarge(self, size: int) -> None:
        """A larger buffer than the host's limit needs CAP_NET_ADMIN over the host."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except OSError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def fileno(self) -> int:
        """What to wait on. The same for as long as the watch is open."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening; closing twice is fine."""
        self._socket.close()
        self._questions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def follow(self, names: Iterable[str]) -> None:
        """From now on, changes of these links matter, whether they exist or not.

        Those of the VTEPs and of the device below. Call it when the set may have
        changed; the same set costs nothing.
        """
        wanted = frozenset(names)
        if wanted == self._names:
            return
        self._names = wanted
        self._followed = {}
        for name in wanted:
            got = self._questions.get(Rtm.GETLINK, get_by_name_body(name))
            if got is not None:
                self._followed[read_link(got).number] = name

    def drain(self) -> frozenset[Changed]:
        """Take what has arrived; empty when none of it is of interest.

        After an overflow the socket goes on as before, and what was lost is covered
        by `Changed.OVERFLOW`: look at everything.
        """
        changed: set[Changed] = set()
        for _ in range(_MOST_RECEIVES):
            try:
                data = self._socket.recv(_RECEIVE_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                changed.add(Changed.OVERFLOW)
                # Names may have moved to other links meanwhile.
                names, self._names = self._names, frozenset()
                self.follow(names)
                continue
            changed.update(self._read(data))
        return frozenset(changed)

    def _read(self, data: bytes) -> Iterator[Changed]:
        for told in messages(data):
            match told.type:
                case Rtm.NEWLINK | Rtm.DELLINK if self._link_matters(told):
                    yield Changed.LINK
                case Rtm.NEWADDR | Rtm.DELADDR if self._addr_matters(told):
                    yield Changed.ADDRESS
                case Rtm.NEWNEIGH | Rtm.DELNEIGH if self._neighbour_matters(told):
                    yield Changed.NEIGHBOUR
                case Rtm.NEWROUTE | Rtm.DELROUTE if self._route_matters(told):
                    yield Changed.ROUTE
                case Rtm.NEWRULE | Rtm.DELRULE if self._rule_matters(told):
                    yield Changed.RULE
                case _:
                    continue

    def _link_matters(self, told: Message) -> bool:
        """Keeps track of which link has a name, too; our own writes included."""
        index = LINK_HEADER.unpack_from(told.body)[2]
        name = text(attributes(told.body, LINK_HEADER.size).get(_IFLA_IFNAME, b""))
        matters = name in self._names or index in self._followed
        self._followed.pop(index, None)
        if told.type == Rtm.NEWLINK and name in self._names:
            self._followed[index] = name
        elif matters:
            self._own_fdb.forget_link(index)
        return matters and told.port != self._own_port

    def _addr_matters(self, told: Message) -> bool:
        index = ADDR_HEADER.unpack_from(told.body)[4]
        return index in self._followed and told.port != self._own_port

    def _neighbour_matters(self, told: Message) -> bool:
        family, index, _, _, _ = NEIGHBOUR_HEADER.unpack_from(told.body)
        if index not in self._followed or told.port == self._own_port:
            return False
        if family != AF_BRIDGE:
            return True
        row = attributes(told.body, NEIGHBOUR_HEADER.size)
        agent = row.get(_NDA_DST) if told.type == Rtm.NEWNEIGH else None
        return not self._own_fdb.is_echo(index, row.get(_NDA_LLADDR, b""), agent)

    def _route_matters(self, told: Message) -> bool:
        ours = told.body[_ROUTE_PROTOCOL_AT] == PROTOCOL
        return ours and told.port != self._own_port

    def _rule_matters(self, told: Message) -> bool:
        protocol = attributes(told.body, RULE_HEADER.size).get(_FRA_PROTOCOL)
        return protocol == bytes((PROTOCOL,)) and told.port != self._own_port
