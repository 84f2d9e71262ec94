"""Put and delete links and their addresses: what is rare and needs a look first."""

from __future__ import annotations

import errno
import secrets
import socket
from pathlib import Path

from navstar.allocation import Interface
from navstar.diff import needs_recreation
from navstar.kernel_tables import KernelTables
from navstar.netlink_addresses import delete_addr_request, put_addr_request
from navstar.netlink_codec import Request
from navstar.netlink_links import (
    LOOSE,
    FoundLink,
    change_requests,
    create_requests,
    delete_request,
    rename_request,
)
from navstar.netlink_socket import NetlinkSocket, Refusal
from navstar.tables import Addr, Link, is_loose

#: New links get an index from here up. The kernel's own start at 1.
_FIRST_INDEX, _INDICES = 1 << 24, 1 << 30


class LinkSurgery:
    """Changes links of ours, and never another; one `apply` long.

    Methods return None when the kernel did it, and its refusal otherwise.
    """

    def __init__(self, netlink: NetlinkSocket, tables: KernelTables) -> None:
        self._netlink = netlink
        self._tables = tables
        self._own: dict[str, FoundLink] | None = None

    def own_index(self, name: str) -> int | None:
        """The index of the link, if it is ours."""
        if self._own is None:
            self._own = self._tables.own_links()
        found = self._own.get(name)
        return found.number if found else None

    def former_family(self, name: str) -> int | None:
        """The underlay family of a link of ours that is called as former ones are."""
        if self.own_index(name) is None or self._own is None:
            return None
        link = self._own[name].link
        return link.local.version if link and link.receives_only else None

    def any_index(self, name: str) -> int | None:
        """The index of the link, whosever it is."""
        found = self._tables.link_named(name)
        return found.number if found else None

    def put(self, row: Link | Addr) -> Refusal | None:
        """Make or change the link, or give it the address."""
        match row:
            case Link():
                return self._put_link(row)
            case Addr():
                return self._put_addr(row)

    def delete(self, row: Link | Addr) -> Refusal | None:
        """Remove the link with all that is on it, or the address."""
        index = self.own_index(row.name if isinstance(row, Link) else row.link)
        if index is None:
            return Refusal(errno.ENODEV, "")
        match row:
            case Link():
                self._own = None
                return self._ask(delete_request(index))
            case Addr():
                return self._ask(delete_addr_request(row, index))

    def rename(self, link: Link, name: str) -> Refusal | None:
        """Give the link another name; where the kernel cannot, it goes."""
        index = self.own_index(link.name)
        if index is None:
            return Refusal(errno.ENODEV, "")
        self._own = None
        rp_filter = LOOSE if is_loose(link, name) else _default_rp_filter()
        refused = self._ask(rename_request(index, name, rp_filter=rp_filter))
        if refused is not None and refused.errno == errno.EBUSY:
            # Before kernel 6.2. What follows makes it anew: break before make.
            return self._ask(delete_request(index))
        return refused

    def _put_link(self, link: Link) -> Refusal | None:
        found_foreign = self._tables.problem_with(link)
        if found_foreign is not None:
            return Refusal(errno.EEXIST, found_foreign[0])
        self._own = None
        found = self._tables.link_named(link.name)
        if found is None:
            return self._taken_port(link) or self._create(link)
        if found.link is not None and needs_recreation(found.link, link):
            text = "VNI, port and underlay family cannot change in place"
            return Refusal(errno.EOPNOTSUPP, text)
        return self._ask(*change_requests(found, link))

    def _taken_port(self, link: Link) -> Refusal | None:
        """What the kernel would answer where a process has the UDP port.

        It says so only when the link is there and is to go up. To make one and take it
        away again at each try is news to everybody, and to ourselves a reason to try.
        """
        family = link.local.version
        for found in self._tables.vxlan_links():
            other = found.link
            # The kernel's own socket, which VXLANs share; it may be that of a VXLAN
            # without a local address, too.
            if other is None or (
                (other.port, other.local.version) == (link.port, family)
            ):
                return None
        try:
            with socket.socket(
                socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM
            ) as probe:
                if family == 6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(("", link.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                text = f"a process has UDP port {link.port}; 'navstar doctor' names it"
                return Refusal(errno.EADDRINUSE, text)
        return None

    def _create(self, link: Link) -> Refusal | None:
        index = _FIRST_INDEX + secrets.randbelow(_INDICES)
        requests = create_requests(link, index)
        refused = self._netlink.transact(requests)
        if 0 not in refused and refused:
            # Made but not marked: it would be a stranger's for ever.
            self._netlink.transact([delete_request(index)])
        return refused.get(0) or refused.get(1)

    def _put_addr(self, row: Addr) -> Refusal | None:
        index = self.own_index(row.link)
        if index is None:
            text = f"{row.link} is not there, or not navstar's"
            return Refusal(errno.ENODEV, text)
        in_the_way: tuple[Interface, ...] = ()
        if row.address.version == 6:
            _enable_ipv6(row.link)
            # The kernel replaces everything of a v6 address but its prefix.
            there = self._tables.interfaces_on(index)
            in_the_way = tuple(each for each in there if each.ip == row.address.ip)
        deletes = (
            delete_addr_request(Addr(row.link, each), index) for each in in_the_way
        )
        return self._ask(*deletes, put_addr_request(row, index))

    def _ask(self, *requests: Request) -> Refusal | None:
        refused = self._netlink.transact(requests)
        return next(iter(refused.values()), None)


def _default_rp_filter() -> int:
    """What the host wants of a link that is made now."""
    try:
        return int(Path("/proc/sys/net/ipv4/conf/default/rp_filter").read_text())
    except (OSError, ValueError):
        return 0


def _enable_ipv6(link: str) -> None:
    """Undo `disable_ipv6` on one link of ours; hosts often set it for all new ones.

    A host whose /proc/sys is read-only keeps it; the kernel then refuses the address,
    which is reported.
    """
    switch = Path("/proc/sys/net/ipv6/conf") / link / "disable_ipv6"
    try:
        if switch.read_text().strip() != "0":
            switch.write_text("0")
    except OSError:
        return
