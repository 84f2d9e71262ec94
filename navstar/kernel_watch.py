"""Notices that somebody changed what navstar keeps in the kernel.

Theory of operation. One netlink socket hears of links, addresses, rules, neighbours,
FDB rows and routes of both families. What is heard is only a hint of what to look at
again, never a fact to act on: notifications get lost when the socket overflows, and
some changes send none (a link that goes down loses its IPv4 routes silently). So a
message is looked at just closely enough to drop what cannot concern us: other
protocols, other links, and our own writes, which carry the port of our socket. FDB
rows and neighbours that go carry no port; they are dropped when they tell what we
last wrote.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from navstar.changed import Changed
from navstar.diff import Op, Put
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
from navstar.netlink_rows import mac_bytes, vxlan_of
from navstar.netlink_socket import NetlinkSocket
from navstar.tables import PROTOCOL, Fdb, Neighbour

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
_IFA_PROTO = 11
_NUD_PERMANENT = 0x80
_RT_SCOPE_LINK = 253
_ROUTE_PROTOCOL_AT = 5


class NeighbourWrites:
    """What navstar last wrote of each neighbour and FDB row: their echoes are known.

    Written by the worker thread, read by the watch. An entry per row.
    """

    def __init__(self) -> None:
        # A row is known by its link and its VTEP address (4 or 16 bytes) or MAC (6).
        self._values: dict[tuple[int, bytes], bytes | None] = {}

    def note(self, index: int, op: Op, row: Neighbour | Fdb) -> None:
        """Remember a put or a delete, before it is sent."""
        match row:
            case Neighbour(_, address, mac):
                key, value = address.packed, mac_bytes(mac)
            case Fdb(_, mac, agent, vni, port):
                key, value = mac_bytes(mac), _fdb_value(agent.packed, vni, port)
        self._values[index, key] = value if isinstance(op, Put) else None

    def forget_link(self, index: int) -> None:
        """The link is gone, and its rows with it."""
        stale = [key for key in tuple(self._values) if key[0] == index]
        for key in stale:
            self._values.pop(key, None)

    def is_ours(self, index: int, key: bytes) -> bool:
        """Whether navstar put such a row."""
        return self._values.get((index, key)) is not None

    def is_echo(self, index: int, key: bytes, value: bytes | None) -> bool:
        """Whether the row stands as navstar last wrote it; None: it is gone."""
        return self._values.get((index, key), b"") == value


def _fdb_value(agent: bytes, vni: int | None, port: int | None) -> bytes:
    """Where an FDB row leads, as one value."""
    return agent if vni is port is None else b"%b %d %d" % (agent, vni or 0, port or 0)


class KernelWatch:
    """A socket to wait on, and `drain` for when it is readable.

    Never blocks, so it can be used in an event loop, e.g. with
    `trio.lowlevel.wait_readable(watch)`. It belongs to no thread, but serves one at a
    time. It hears the network namespace of the thread that opened it.

    Args:
        own_port: Port of the socket whose writes are ours.
        writes: What was written of neighbours and FDB rows.
    """

    def __init__(self, own_port: int, writes: NeighbourWrites) -> None:
        self._own_port = own_port
        self._writes = writes
        #: Netlink port of who last changed something of a kind, where the kernel told.
        self.ports: dict[Changed, int] = {}
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
            changed = self._changed(told)
            if changed is None:
                continue
            if told.port:
                self.ports[changed] = told.port
            yield changed

    def _changed(self, told: Message) -> Changed | None:
        """What a notice tells of; None if it does not matter."""
        match told.type:
            case Rtm.NEWLINK | Rtm.DELLINK if self._link_matters(told):
                return Changed.LINK
            case Rtm.NEWADDR | Rtm.DELADDR if self._addr_matters(told):
                return Changed.ADDRESS
            case Rtm.NEWNEIGH | Rtm.DELNEIGH if self._neighbour_matters(told):
                return Changed.NEIGHBOUR
            case Rtm.NEWROUTE | Rtm.DELROUTE if self._route_matters(told):
                return Changed.ROUTE
            case Rtm.NEWRULE | Rtm.DELRULE if self._rule_matters(told):
                return Changed.RULE
            case _:
                return None

    def _link_matters(self, told: Message) -> bool:
        """Keeps track of which link has a name, too; our own writes included."""
        index = LINK_HEADER.unpack_from(told.body)[2]
        name = text(attributes(told.body, LINK_HEADER.size).get(_IFLA_IFNAME, b""))
        matters = name in self._names or index in self._followed
        self._followed.pop(index, None)
        if told.type == Rtm.NEWLINK and name in self._names:
            self._followed[index] = name
        elif matters:
            self._writes.forget_link(index)
        return matters and told.port != self._own_port

    def _addr_matters(self, told: Message) -> bool:
        _, _, _, scope, index = ADDR_HEADER.unpack_from(told.body)
        # The kernel gives the VTEP a link-local address by itself, some time after,
        # and tells of a new v6 address of ours once more when it is ready.
        if index not in self._followed or scope == _RT_SCOPE_LINK:
            return False
        if told.type == Rtm.NEWADDR:
            mark = attributes(told.body, ADDR_HEADER.size).get(_IFA_PROTO)
            return mark != bytes((PROTOCOL,)) and told.port != self._own_port
        return told.port != self._own_port

    def _neighbour_matters(self, told: Message) -> bool:
        family, index, state, _, _ = NEIGHBOUR_HEADER.unpack_from(told.body)
        if index not in self._followed or told.port == self._own_port:
            return False
        row = attributes(told.body, NEIGHBOUR_HEADER.size)
        to, mac = row.get(_NDA_DST, b""), row.get(_NDA_LLADDR, b"")
        key, value = to, mac
        if family == AF_BRIDGE:
            key, value = mac, _fdb_value(to, *vxlan_of(row))
        stands = told.type == Rtm.NEWNEIGH
        if stands and not state & _NUD_PERMANENT:
            # Containers that ask for addresses of nobody make such; they must not be
            # able to keep us busy. One that took the place of ours is another matter.
            return self._writes.is_ours(index, key)
        return not self._writes.is_echo(index, key, value if stands else None)

    def _route_matters(self, told: Message) -> bool:
        ours = told.body[_ROUTE_PROTOCOL_AT] == PROTOCOL
        return ours and told.port != self._own_port

    def _rule_matters(self, told: Message) -> bool:
        protocol = attributes(told.body, RULE_HEADER.size).get(_FRA_PROTOCOL)
        return protocol == bytes((PROTOCOL,)) and told.port != self._own_port
