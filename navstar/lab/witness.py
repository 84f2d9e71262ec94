"""Hears every change of a namespace's kernel, while somebody else works there.

The kernel announces each link, address, route, rule, neighbour and FDB row that
changes. So it hears as well what two looks cannot show: a row that goes and comes
back. A put that changes nothing is mostly silent in the kernel; those are only in
navstar's own count.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from pyroute2 import IPRoute
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from navstar.lab import namespaces
from navstar.lab.kernel_view import NUD_PERMANENT, describe, device_names
from navstar.lab.topology import VTEP_NAME

# Groups by their number. Source: enum rtnetlink_groups, linux/rtnetlink.h.
_LINK, _NEIGH = 1, 3
_IPV4_IFADDR, _IPV4_ROUTE, _IPV4_RULE = 5, 7, 8
_IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE = 9, 11, 19
_GROUPS = (
    _LINK,
    _NEIGH,
    _IPV4_IFADDR,
    _IPV4_ROUTE,
    _IPV4_RULE,
    _IPV6_IFADDR,
    _IPV6_ROUTE,
    _IPV6_RULE,
)
_RECEIVE_BUFFER = 4 << 20


class Witness:
    """A context manager that listens in a namespace from its beginning to its end."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._socket = namespaces.inside(namespace, _listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def heard(self) -> tuple[str, ...]:
        """Every change since the last call, a line each: `new route inet ...`.

        A change that the kernel made by itself, like a learnt neighbour, is left out.
        """
        names = namespaces.inside(self.namespace, _device_names)
        marshal = MarshalRtnl()
        lines: list[str] = []
        while True:
            try:
                data = self._socket.recv(1 << 17)
            except BlockingIOError:
                return tuple(lines)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lines.append("more changes than the socket could hold")
                continue
            for message in marshal.parse(data):
                line = _heard_line(message, names)
                if line is not None:
                    verb = "del" if "_DEL" in message["event"] else "new"
                    lines.append(f"{verb} {line}")


def _heard_line(message: nlmsg, names: dict[int, str]) -> str | None:
    """The line of an announcement; None if it tells of the kernel's own doing."""
    if message["event"] == "RTM_DELNEIGH" and message["family"] != socket.AF_BRIDGE:
        # The kernel fails a neighbour before it deletes it, so that a permanent one
        # no longer says that it was; but the VTEP asks nobody, and learns none.
        target = ip_address(message.get_attr("NDA_DST"))
        if names.get(message["ifindex"]) == VTEP_NAME and not target.is_multicast:
            message["state"] = NUD_PERMANENT
    return describe(message, names)


def _listen() -> socket.socket:
    listener = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    try:
        listener.settimeout(0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        listener.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
    except BaseException:
        listener.close()
        raise
    return listener


def _device_names() -> dict[int, str]:
    with IPRoute() as kernel:
        return device_names(kernel)
