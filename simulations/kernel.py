"""A kernel that keeps one row per kernel key, and does to rows what Linux does.

It passes the same behaviour tests as the real backend (test_overlay_backend.py).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

from navstar.applied import Applied, Refused
from navstar.diff import Delete, Op, Put, Rename, needs_recreation, vxlan_identity
from navstar.moved_rows import renamed
from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    family_of,
    kernel_key,
    link_of,
)


class FakeKernel:
    """Rows in memory, oldest first.

    Args:
        rows: What it holds at the beginning.

    Attributes:
        foreign_links: Names of links that somebody else has.
        foreign_routes: Kernel keys of routes that somebody else has.
        writes: Operations that have changed it, since the beginning.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[tuple[object, ...], Row]
        self.foreign_links: set[str] = set()
        self.foreign_routes: set[tuple[object, ...]] = set()
        self.writes = 0
        self.reset(rows)

    def reset(self, rows: Iterable[Row]) -> None:
        """Hold exactly these rows."""
        self._rows = {kernel_key(row): row for row in rows}

    def dump(self) -> frozenset[Row]:
        """All rows."""
        return frozenset(self._rows.values())

    def apply(self, ops: Iterable[Op]) -> Applied:
        """Carry out operations in order; each is done or refused."""
        done, writes, refused = 0, 0, []
        missing: set[int] = set()
        for op in ops:
            before = dict(self._rows)
            match op:
                case Put(row):
                    number = self._put(row)
                case Rename(link, name):
                    number = self._rename(link, name)
                case Delete(row):
                    is_needed = self._former_family(row) in missing
                    number = errno.ECANCELED if is_needed else self._delete(row)
            if number:
                if isinstance(op, Put) and isinstance(op.row, Link):
                    missing.add(op.row.local.version)
                refused.append(Refused(op, number, errno.errorcode[number]))
            else:
                done += 1
                writes += not isinstance(op, Delete) or before != self._rows
        self.writes += writes
        return Applied(done, writes, tuple(refused))

    def _put(self, row: Row) -> int:
        if isinstance(row, Link):
            return self._put_link(row)
        link = self._rows.get(("link", link_of(row)))
        if link_of(row) is not None and not isinstance(link, Link):
            return errno.ENODEV
        if isinstance(link, Link):
            if isinstance(row, Fdb) and row.agent.version != link.local.version:
                return errno.EAFNOSUPPORT
            if isinstance(row, Route) and not link.up:
                return errno.ENETDOWN
        key = kernel_key(row)
        if key in self.foreign_routes and key not in self._rows:
            return errno.EEXIST
        self._rows[key] = row
        return 0

    def _put_link(self, link: Link) -> int:
        if link.name in self.foreign_links:
            return errno.EEXIST
        for other in self._links():
            if other.name != link.name and (
                vxlan_identity(other) == vxlan_identity(link)
            ):
                return errno.EEXIST
        old = self._rows.get(kernel_key(link))
        if isinstance(old, Link):
            if needs_recreation(old, link):
                return errno.EOPNOTSUPP
            if old.mac != link.mac:
                self._drop(r for r in self._on(link.name) if isinstance(r, Neighbour))
        self._rows[kernel_key(link)] = link
        return 0

    def _rename(self, link: Link, name: str) -> int:
        if ("link", link.name) not in self._rows:
            return errno.ENODEV
        if ("link", name) in self._rows or name in self.foreign_links:
            return errno.EEXIST
        self.reset(renamed(tuple(self._rows.values()), {link.name: name}))
        return 0

    def _former_family(self, row: Row) -> int | None:
        """Of a row of a link that is called as former ones are: its underlay's."""
        link = self._rows.get(("link", link_of(row)))
        if isinstance(link, Link) and link.receives_only:
            return link.local.version
        return None

    def _delete(self, row: Row) -> int:
        found = self._rows.pop(kernel_key(row), None)
        if found is None:
            return 0
        if isinstance(found, Link):
            self._drop(self._on(found.name))
        elif isinstance(found, Addr) and found.address.version == 4:
            self._lose_ipv4_address(found)
        return 0

    def _lose_ipv4_address(self, lost: Addr) -> None:
        """Later addresses of its subnet go with it; with the last one, all of IPv4."""
        same = [r for r in self._ipv4(lost.link) if isinstance(r, Addr)]
        self._drop(r for r in same if r.address.network == lost.address.network)
        if not any(isinstance(row, Addr) for row in self._ipv4(lost.link)):
            self._drop(self._ipv4(lost.link))

    def _ipv4(self, link: str) -> list[Row]:
        return [row for row in self._on(link) if family_of(row) == 4]

    def _links(self) -> list[Link]:
        return [row for row in self._rows.values() if isinstance(row, Link)]

    def _on(self, link: str) -> list[Row]:
        return [r for r in self._rows.values() if link_of(r) == link]

    def _drop(self, rows: Iterable[Row]) -> None:
        for row in list(rows):
            self._rows.pop(kernel_key(row), None)


def set_link_down(rows: Iterable[Row], name: str) -> frozenset[Row]:
    """What is left of `rows` when the link has been set down."""

    def stays(row: Row) -> bool:
        match row:
            case Neighbour(link) | Route(link):
                return link != name
            case Addr(link, address):
                return link != name or address.version == 4
            case _:
                return True

    return frozenset(filter(stays, rows))
