"""What is in the kernel: rows of ours, links, addresses of the host. Reads only.

Filters are given to the kernel where it takes them (link kind, link, protocol), so
that a host with a full routing table or a thousand containers costs nothing here,
and are checked again on what comes back, because older kernels ignore them.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from navstar.allocation import Interface, IpAddress
from navstar.diff import vxlan_identity
from navstar.netlink_addresses import (
    local_address_request,
    read_addr,
    read_any_address,
    read_interface,
    read_local_address,
)
from navstar.netlink_codec import (
    ADDR_HEADER,
    AF_BRIDGE,
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    NEIGHBOUR_HEADER,
    ROUTE_HEADER,
    RULE_HEADER,
    Message,
    Rtm,
    attribute_u32,
)
from navstar.netlink_links import (
    FoundLink,
    dump_vxlan_body,
    get_by_index_body,
    get_by_name_body,
    read_link,
)
from navstar.netlink_rows import read_neighbour, read_route, read_rule
from navstar.netlink_socket import NetlinkSocket
from navstar.row_memory import RowMemory, ageless
from navstar.tables import PROTOCOL, Addr, Fdb, Link, Neighbour, Route, Row, Rule

_NDA_IFINDEX = 8

#: The kernel that first keeps the protocol of an address (IFA_PROTO).
_MARKS_ADDRESSES = (5, 18)


@dataclass(frozen=True, slots=True)
class UnderlayDevice:
    """The device that has an address of this agent.

    Attributes:
        name: Its name.
        mtu: Bytes.
    """

    name: str
    mtu: int


class KernelTables:
    """Reads the tables through one socket. Not for two threads at once."""

    def __init__(self, netlink: NetlinkSocket) -> None:
        self._netlink = netlink
        self._marks_addresses = _kernel_version() >= _MARKS_ADDRESSES
        self._names: dict[int, str] = {}
        self._neighbours: RowMemory[Neighbour | Fdb] = RowMemory(ageless)
        self._routes: RowMemory[Route] = RowMemory()
        self._parts: tuple[AbstractSet[Row], ...] = ()
        self._rows: frozenset[Row] = frozenset()

    def own_links(self) -> dict[str, FoundLink]:
        """The links that navstar made, by name."""
        return {link.name: link for link in self.vxlan_links() if link.is_ours}

    def vxlan_links(self) -> list[FoundLink]:
        """Every VXLAN device, whosever it is."""
        return self._netlink.dump(Rtm.GETLINK, dump_vxlan_body(), read_link)

    def link_named(self, name: str) -> FoundLink | None:
        """The link with that name, whosever it is."""
        return self._link(get_by_name_body(name))

    def link_at(self, index: int) -> FoundLink | None:
        """The link with that index, whosever it is."""
        return self._link(get_by_index_body(index))

    def problem_with(self, link: Link) -> tuple[str, str] | None:
        """Why a link of ours cannot be there, and the name of the one to blame.

        A stranger has its name or its VXLAN.
        """
        named = self.link_named(link.name)
        if named is not None and not named.is_ours:
            text = f"a link named {link.name} exists that navstar did not make"
            return text, link.name
        for other in self.vxlan_links():
            if other.link is None or other.is_ours:
                continue
            if vxlan_identity(other.link) == vxlan_identity(link):
                text = (
                    f"{other.name} has VNI {link.vni} and port {link.port}, and "
                    "navstar did not make it"
                )
                return text, other.name
        return None

    def _link(self, body: bytes) -> FoundLink | None:
        got = self._netlink.get(Rtm.GETLINK, body)
        return read_link(got) if got else None

    def rows(self) -> frozenset[Row]:
        """Every row that bears our mark, whatever the allocation says today.

        The very same object as the last time when nothing has changed meanwhile.
        """
        links, names = self._links_and_names()
        rare: set[Row] = {link.link for link in links.values() if link.link}
        if names:
            rare.update(self._addrs(names))
        rare.update(self._rules())
        parts = rare, self._neighbour_rows(names), self._route_rows(names)
        if parts != self._parts:
            self._parts = parts
            self._rows = frozenset[Row]().union(*parts)
        return self._rows

    def routes_and_rules(self) -> frozenset[Route | Rule]:
        """The rows that are ours by their protocol."""
        _, names = self._links_and_names()
        return frozenset((*self._route_rows(names), *self._rules()))

    def _links_and_names(self) -> tuple[dict[str, FoundLink], dict[int, str]]:
        """Our links, and their names by index, on which all other rows depend."""
        links = self.own_links()
        names = {link.number: link.name for link in links.values()}
        if names != self._names:
            self._names = names
            self._neighbours.forget()
            self._routes.forget()
        return links, names

    def _addrs(self, names: Mapping[int, str]) -> list[Addr]:
        marked = self._marks_addresses
        return self._netlink.dump(
            Rtm.GETADDR,
            ADDR_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0),
            lambda got: read_addr(got, names, marked=marked),
        )

    def _neighbour_rows(self, names: Mapping[int, str]) -> frozenset[Neighbour | Fdb]:
        bodies: list[bytes] = []
        for index in names:
            plain = NEIGHBOUR_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0)
            plain += attribute_u32(_NDA_IFINDEX, index)
            bridge = NEIGHBOUR_HEADER.pack(AF_BRIDGE, index, 0, 0, 0)
            for body in (plain, bridge):
                bodies += self._netlink.dump_bodies(Rtm.GETNEIGH, body)

        def read(body: bytes) -> Neighbour | Fdb | None:
            return read_neighbour(Message(Rtm.NEWNEIGH, 0, 0, 0, body), names)

        return self._neighbours.rows(bodies, read)

    def _route_rows(self, names: Mapping[int, str]) -> frozenset[Route]:
        """Also those, marked as ours, on links that are not."""
        bodies: list[bytes] = []
        for family in (AF_INET, AF_INET6):
            filtered = ROUTE_HEADER.pack(family, 0, 0, 0, 0, PROTOCOL, 0, 0, 0)
            bodies += self._netlink.dump_bodies(Rtm.GETROUTE, filtered)
        strangers: dict[int, str | None] = {}

        def name_of(index: int) -> str | None:
            if index in names:
                return names[index]
            if index not in strangers:
                link = self.link_at(index)
                strangers[index] = link.name if link else None
            return strangers[index]

        def read(body: bytes) -> Route | None:
            return read_route(Message(Rtm.NEWROUTE, 0, 0, 0, body), name_of)

        rows = self._routes.rows(bodies, read)
        if strangers:
            # A link that is not ours may get another name without our notice.
            self._routes.forget()
        return rows

    def _rules(self) -> Iterator[Rule]:
        for family in (AF_INET, AF_INET6):
            body = RULE_HEADER.pack(family, 0, 0, 0, 0, 0, 0)
            yield from self._netlink.dump(Rtm.GETRULE, body, read_rule)

    def addresses(self) -> dict[IpAddress, int]:
        """All addresses of the host, each with the index of its link."""
        body = ADDR_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0)
        return dict(self._netlink.dump(Rtm.GETADDR, body, read_any_address))

    def interfaces_on(self, index: int) -> tuple[Interface, ...]:
        """All addresses of one link with their prefixes, whosever they are."""
        body = ADDR_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0)
        return tuple(
            self._netlink.dump(
                Rtm.GETADDR, body, lambda got: read_interface(got, index)
            )
        )

    def local_address(self, toward: IpAddress) -> IpAddress | None:
        """The address a packet to `toward` leaves from; None without a route."""
        request = local_address_request(toward)
        got = self._netlink.get(request.type, request.body)
        return read_local_address(got) if got else None


def _kernel_version() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(found[1]), int(found[2])) if found else (0, 0)
