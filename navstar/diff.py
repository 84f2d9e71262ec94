"""Turn the difference of two sets of rows into kernel operations. Pure.

Theory of operation. Only differences are written, in an order in which traffic
never meets a half-built path: link, address, neighbour, FDB row, route, rule;
deletes afterwards, in reverse. A row whose kernel key lives on is replaced in place
and never deleted first. Four things of the kernel bend this, and each is a step
that comes before the puts, and what it may tear down is put again:

- A link's VNI, port and underlay family cannot be changed in place, and two VXLAN
  devices may not share them. A link in the way of a desired one is deleted first,
  and all rows on it die with it.
- A link that is deleted at the end takes its rows along, so they need no delete.
- Setting a MAC flushes the neighbours of the link, permanent ones too.
- Removing an IPv4 address may remove the others of its subnet, and removing the
  last one drops neighbours and routes. Where it could hurt what is wanted it happens
  early, and what is wanted of that family on that link is put again.

So a put may meet a row that survived after all: putting a row that is there changes
nothing, as deleting one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    Rule,
    family_of,
    kernel_key,
    link_of,
)


@dataclass(frozen=True, slots=True)
class Put:
    """Create the row, or replace the row of ours with the same kernel key."""

    row: Row

    def __str__(self) -> str:
        return f"put {self.row}"


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the row, and with a link all rows on it. Already gone counts as done."""

    row: Row

    def __str__(self) -> str:
        return f"delete {self.row}"


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a link of ours another name; all that is on it stays.

    Comes before what `diff` gives (see `navstar.succession`).

    Attributes:
        row: The link as it is now.
        name: What it is to be called; no link is called so now.
    """

    row: Link
    name: str

    def __str__(self) -> str:
        return f"rename {self.row} to {self.name}"


Op: TypeAlias = Put | Delete | Rename


def diff(desired: AbstractSet[Row], actual: AbstractSet[Row]) -> tuple[Op, ...]:
    """Return the operations that take the kernel from `actual` to `desired`.

    Laws: `diff(s, s)` is empty; applying the result to `actual` yields `desired`;
    applying it once more changes nothing.

    Args:
        desired: At most one row per kernel key, as `desired_rows` gives it.
        actual: What `Kernel.dump` gave: rows of ours only.
    """
    early = _early_deletes(desired, actual)
    left = _left_after(early, actual)
    puts = sorted(desired - _surely_standing(desired, left, early), key=_order)
    surplus = left - desired
    # The kernel has one row per key, so what takes a surplus row's place is new.
    kept = {kernel_key(row) for row in desired - left} if surplus else set()
    stale = {row for row in surplus if kernel_key(row) not in kept}
    dying = {row.name for row in stale if isinstance(row, Link)}
    deletes = sorted(
        (row for row in stale if isinstance(row, Link) or link_of(row) not in dying),
        key=_order,
        reverse=True,
    )
    return (*map(Delete, early), *map(Put, puts), *map(Delete, deletes))


def without_links(rows: AbstractSet[Row], names: AbstractSet[str]) -> frozenset[Row]:
    """The rows that are not these links, nor on them.

    For links in the way that are not ours: nothing of theirs is touched, and one
    conflict is reported in place of thousands of refused rows.
    """
    if not names:
        return frozenset(rows)
    return frozenset(row for row in rows if link_of(row) not in names)


def needs_recreation(old: Link, new: Link) -> bool:
    """Whether the kernel cannot turn `old` into `new` in place."""
    return vxlan_identity(old) != vxlan_identity(new)


def vxlan_identity(link: Link) -> tuple[int, int, int]:
    """What two VXLAN devices may not share, and none can change."""
    return link.vni, link.port, link.local.version


def _early_deletes(
    desired: AbstractSet[Row], actual: AbstractSet[Row]
) -> tuple[Row, ...]:
    """Links in the way of a desired one, and IPv4 addresses that are not wanted."""
    wanted = {row.name: row for row in desired if isinstance(row, Link)}
    claimed = {vxlan_identity(link): name for name, link in wanted.items()}
    fallen = {
        row.name: row
        for row in actual
        if isinstance(row, Link)
        and (
            claimed.get(vxlan_identity(row), row.name) != row.name
            or (row.name in wanted and needs_recreation(row, wanted[row.name]))
        )
    }
    addresses = [
        row
        for row in actual - desired
        if isinstance(row, Addr)
        and row.address.version == 4
        and row.link in wanted
        and row.link not in fallen
    ]
    if addresses:
        links = {row.link for row in addresses}
        near = [r for r in desired if link_of(r) in links and family_of(r) == 4]
        addresses = [row for row in addresses if _holds_up(row, near)]
    return (*_ordered(fallen.values()), *_ordered(addresses))


def _holds_up(address: Addr, near: Iterable[Row]) -> bool:
    """Whether any of these IPv4 rows may fall when the address is removed."""
    return any(
        link_of(row) == address.link
        and (
            not isinstance(row, Addr) or row.address.network == address.address.network
        )
        for row in near
    )


def _left_after(early: Iterable[Row], actual: AbstractSet[Row]) -> AbstractSet[Row]:
    """What may still be there: all but the early deletes and rows of those links."""
    gone = frozenset(early)
    if not gone:
        return actual
    fallen = {row.name for row in gone if isinstance(row, Link)}
    return {row for row in actual if row not in gone and link_of(row) not in fallen}


def _surely_standing(
    desired: AbstractSet[Row], left: AbstractSet[Row], early: Iterable[Row]
) -> AbstractSet[Row]:
    """What of `left` no early address delete and no new MAC can have torn down."""
    shaken = {row.link for row in early if isinstance(row, Addr)}
    macs = {row.name: row.mac for row in desired if isinstance(row, Link)}
    flushed = {
        row.name
        for row in left
        if isinstance(row, Link) and macs.get(row.name, row.mac) != row.mac
    }
    if not (shaken or flushed):
        return left

    def stands(row: Row) -> bool:
        if isinstance(row, Neighbour) and row.link in flushed:
            return False
        return not (family_of(row) == 4 and link_of(row) in shaken)

    return {row for row in left if stands(row)}


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[int, int, int, str]:
    """Rows with a lower first number must exist first; the rest orders peers."""
    match row:
        case Link(name, vni):
            return 0, vni, 0, name
        case Addr(link, address):
            return 1, address.version, int(address.ip), str(row)
        case Neighbour(link, address):
            return 2, address.version, int(address), link
        case Fdb(link, mac):
            return 3, 0, 0, f"{link} {mac}"
        case Route(link, subnet, _, metric, table):
            start = int(subnet.network_address)
            return 4, subnet.version, start, f"{subnet.prefixlen} {table} {metric}"
        case Rule(subnet):
            return 5, subnet.version, int(subnet.network_address), str(row)
