"""The kernel's tables: read what is ours, carry out what `diff` says.

Theory of operation. No decision is taken here. Operations go to the kernel in their
order, in batches on one netlink socket; a refused one is reported by itself and stops
nothing. What is put on a link is put only when the link bears our mark, so a stranger
with our name loses nothing.

Three things are more than one message. A link is made and marked in one send (see
`navstar.netlink_links`). An IPv6 address that is there in another form goes first,
because the kernel would keep its old prefix. A route is first put so that it cannot
replace anything, because the kernel tells routes apart by prefix and metric only;
what is in its way is then looked at: ours is replaced, a stranger's stays.

What a link that the kernel refuses was to replace stays too: see `_Pass._is_needed`.

pyroute2 is the oracle of the tests, and no more. It filters links on this side of
the socket (60 ms for 200 of them, at every look), ties its objects to one thread,
and cannot put two requests into one send.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from navstar.allocation import IpAddress
from navstar.applied import Applied, Refused
from navstar.changed import Changed
from navstar.diff import Delete, Op, Put, Rename
from navstar.kernel_tables import KernelTables, UnderlayDevice
from navstar.kernel_watch import KernelWatch, NeighbourWrites
from navstar.link_surgery import LinkSurgery
from navstar.netlink_codec import Request
from navstar.netlink_rows import (
    PackedRow,
    delete_request,
    put_request,
    replace_request,
)
from navstar.netlink_socket import NetlinkSocket, Refusal
from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    Rule,
    kernel_key,
    link_of,
)

__all__ = [
    "Applied",
    "Changed",
    "Kernel",
    "KernelWatch",
    "LinkInTheWay",
    "Refused",
    "UnderlayDevice",
]

#: What the kernel answers when the row, its link or its address is not there.
_GONE = {errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL}


@dataclass(frozen=True, slots=True)
class LinkInTheWay:
    """A link that is not ours where one of ours should be.

    Attributes:
        name: Of ours.
        problem: What is in its way, in words.
        by: Name of the link that is in the way.
    """

    name: str
    problem: str
    by: str


class Kernel:
    """The tables of the network namespace it was opened in.

    Calls block: use it from a worker thread. It belongs to no thread, but serves one
    at a time. Every method raises OSError when the netlink socket itself fails; it
    can be closed and a new one opened then.
    """

    def __init__(self) -> None:
        self._netlink = NetlinkSocket()
        self._tables = KernelTables(self._netlink)
        self._echoes = NeighbourWrites()

    def watch(self) -> KernelWatch:
        """Open an event source that keeps quiet about what this object writes."""
        return KernelWatch(self._netlink.port, self._echoes)

    def close(self) -> None:
        """Close the socket. What is in the kernel stays."""
        self._netlink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def dump(self) -> frozenset[Row]:
        """Every row that bears our mark, also those of VTEPs that are no more.

        `navstar down` is `apply(diff(frozenset(), dump()))`.
        """
        return self._tables.rows()

    def links_in_the_way(self, desired: Iterable[Row]) -> tuple[LinkInTheWay, ...]:
        """Links of others that have the name, or the VXLAN, of a desired one."""
        wanted = [row for row in desired if isinstance(row, Link)]
        return tuple(
            LinkInTheWay(row.name, *found)
            for row in sorted(wanted, key=str)
            if (found := self._tables.problem_with(row)) is not None
        )

    def apply(self, ops: Iterable[Op]) -> Applied:
        """Carry out operations in order; each is done or reported."""
        run = _Pass(self._netlink, self._tables, self._echoes)
        return run.carry_out(ops)

    def underlay(self, agent_ip: IpAddress) -> UnderlayDevice | None:
        """The device that has the address, or None."""
        index = self._tables.addresses().get(agent_ip)
        link = self._tables.link_at(index) if index is not None else None
        return UnderlayDevice(link.name, link.mtu) if link else None

    def local_address(self, toward: IpAddress) -> IpAddress | None:
        """The address that packets to `toward` leave from; None without a route."""
        return self._tables.local_address(toward)

    def host_addresses(self) -> frozenset[IpAddress]:
        """All addresses of the host but loopback, link-local ones and its VTEPs'."""
        vteps = {link.number for link in self._tables.own_links().values()}
        return frozenset(
            address
            for address, index in self._tables.addresses().items()
            if index not in vteps and not (address.is_loopback or address.is_link_local)
        )


class _Pass:
    """One run of `apply`."""

    def __init__(
        self, netlink: NetlinkSocket, tables: KernelTables, echoes: NeighbourWrites
    ) -> None:
        self._netlink = netlink
        self._tables = tables
        self._echoes = echoes
        self._surgery = LinkSurgery(netlink, tables)
        self._batch: list[tuple[Op, Request]] = []
        self._contested: list[tuple[Op, Route | Rule]] = []
        self._refused: list[Refused] = []
        #: Underlay families of links that could not be made or changed.
        self._missing: set[int] = set()
        self._done = self._writes = 0

    def carry_out(self, ops: Iterable[Op]) -> Applied:
        for op in ops:
            if isinstance(op, Delete) and self._is_needed(op.row):
                text = "what is to take its place could not be made"
                self._refused.append(Refused(op, errno.ECANCELED, text))
                continue
            match op.row:
                case Link() if isinstance(op, Rename):
                    self._flush()
                    self._note(op, self._surgery.rename(op.row, op.name))
                case Link() | Addr() as row:
                    self._flush()
                    outcome = (
                        self._surgery.put(row)
                        if isinstance(op, Put)
                        else self._surgery.delete(row)
                    )
                    self._note(op, outcome)
                case row:
                    if self._batch and type(op) is not type(self._batch[-1][0]):
                        self._flush()
                    self._queue(op, row)
        self._flush()
        return Applied(self._done, self._writes, tuple(self._refused))

    def _is_needed(self, row: Row) -> bool:
        """Whether it is, or is on, a link whose successor does not stand.

        A stranger may have come since the look, or a process have the UDP port: then
        traffic still goes by the former link, as the routes do that nothing replaced.
        """
        name = link_of(row) if self._missing else None
        return name is not None and self._surgery.former_family(name) in self._missing

    def _queue(self, op: Op, row: PackedRow) -> None:
        name = link_of(row)
        index = self._surgery.own_index(name) if name else 0
        if index is None and isinstance(op, Delete) and isinstance(row, Route):
            # Marked as ours on a link that is not: the mark is on the route.
            index = self._surgery.any_index(row.link)
        if index is None:
            text = f"{name} is not there, or not navstar's"
            self._note(op, Refusal(errno.ENODEV, text))
            return
        if isinstance(row, Neighbour | Fdb):
            self._echoes.note(index, op, row)
        if isinstance(op, Put):
            self._batch.append((op, put_request(row, index)))
        else:
            self._batch.append((op, delete_request(row, index)))

    def _flush(self) -> None:
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        refused = self._netlink.transact([request for _, request in batch])
        for position, (op, _) in enumerate(batch):
            refusal = refused.get(position)
            if (
                refusal is not None
                and refusal.errno == errno.EEXIST
                and isinstance(op.row, Route | Rule)
            ):
                self._contested.append((op, op.row))
            else:
                self._note(op, refusal)
        self._settle_contested()

    def _note(self, op: Op, refusal: Refusal | None) -> None:
        if refusal is None:
            self._done += 1
            self._writes += 1
        elif isinstance(op, Delete) and refusal.errno in _GONE:
            self._done += 1
        else:
            self._refused.append(Refused(op, refusal.errno, str(refusal)))
            if isinstance(op, Put) and isinstance(op.row, Link):
                self._missing.add(op.row.local.version)

    def _settle_contested(self) -> None:
        """Rows that were there already: ours to replace, or a stranger's to leave."""
        if not self._contested:
            return
        contested, self._contested = self._contested, []
        ours = {kernel_key(row): row for row in self._tables.routes_and_rules()}
        replaced: list[tuple[Op, Request]] = []
        for op, row in contested:
            found = ours.get(kernel_key(row))
            if found == row:
                self._done += 1
            elif isinstance(row, Route) and isinstance(found, Route):
                index = self._surgery.own_index(row.link) or 0
                replaced.append((op, replace_request(row, index)))
            else:
                text = "one with this prefix and metric exists that is not navstar's"
                self._refused.append(Refused(op, errno.EEXIST, text))
        refused = self._netlink.transact([request for _, request in replaced])
        for position, (op, _) in enumerate(replaced):
            self._note(op, refused.get(position))
