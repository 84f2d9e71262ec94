"""One VXLAN device takes over from another, and no packet is lost. Pure.

Theory of operation. VNI and UDP port of a device cannot change, and two hosts never
change theirs at one moment. So each says in its line what it takes in, and rows
toward it follow that, whatever this host takes in itself: an FDB row may name another
VNI and port than its link (`navstar.peer_rows`). What is left is to go on taking in
what others still send with the former numbers:

1. The former link is renamed, e.g. to `v1024-64000`. All that is on it stays and works.
2. The new link is made with the name from the allocation. Addresses, neighbours and FDB
   rows are put on it, and each route is replaced in place; from then on packets leave
   by it.
3. What was on the former link goes. It stands on as one that only receives: up, with
   the loose `rp_filter` and one address of no meaning, `DUMMY`. Measured on kernel
   6.18: where `rp_filter` is on for all links, a link without an IPv4 address drops
   all that is not answered by itself, also with the loose one.
4. It goes `GRACE` after the last line has left its numbers: by then the others have
   heard of the new ones. The line of an agent that is dead or cut off stays, and so
   does the link: what its containers send still comes in.

The kernel is the only memory, so a crash at any point leaves nothing behind: a link
of ours whose numbers nobody wants, and that has the name, the MAC or the form of name
of what is wanted, is a former one. Only its grace begins anew.

Names are the other half. A link of ours that has the numbers of a wanted one, but not
its name, is renamed and not made anew.

This file is the only one that knows since when a former link is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from typing import TypeAlias

from navstar.diff import Rename, vxlan_identity
from navstar.moved_rows import bequeathed, renamed
from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Row,
    former_name,
    kernel_key,
    link_of,
)

#: Seconds that a former link stands on after nobody needs it: a line reaches everybody
#: within a second or two, also while the network is losing packets.
GRACE = 30.0

#: RFC 7600 4.8: the address of hosts that have no IPv4 address. It leads nowhere.
DUMMY = IPv4Interface("192.0.0.8/32")


#: Links by name.
Links: TypeAlias = Mapping[str, Link]


class Succession:
    """Which former links stand on. One agent's, over all its passes."""

    def __init__(self) -> None:
        # Replaced and never changed: a copy of a succession is for asking.
        self._needless_since: Mapping[tuple[int, int, int], float] = {}

    def kept(
        self,
        desired: AbstractSet[Row],
        *,
        wanted: Links,
        there: Links,
        now: float,
    ) -> tuple[frozenset[Row], float]:
        """Return the rows of former links that are to stand, and till when at least.

        Args:
            desired: What the allocation and the lines ask for.
            wanted: The links of that.
            there: Our links in the kernel.
            now: Seconds, of any clock that never goes back.
        """
        former = [*_former(wanted.values(), there.values())]
        if not former:
            self._needless_since = {}
            return frozenset(), math.inf
        used = {*_used(desired, wanted)}
        rows: set[Row] = set()
        since: dict[tuple[int, int, int], float] = {}
        ends: list[float] = []
        for link, local in former:
            if (link.vni, link.port) not in used:
                numbers = vxlan_identity(link)
                since[numbers] = self._needless_since.get(numbers, now)
                if now >= since[numbers] + GRACE:
                    continue
                ends.append(since[numbers] + GRACE)
            rows.update(_receiving(link, local))
        self._needless_since = since
        return frozenset(rows), min(ends, default=math.inf)


@dataclass(frozen=True, slots=True)
class Transition:
    """From the links that are there to those that should be.

    Attributes:
        renames: What to do first, in this order.
        found: Our rows in the kernel after that.
        inherited: The same, as if what is on a former link were on its successor
            already. An agent that is led to by either is not gone.
    """

    renames: tuple[Rename, ...]
    found: frozenset[Row]
    inherited: frozenset[Row]


def transition(
    desired: AbstractSet[Row], actual: frozenset[Row], *, wanted: Links, there: Links
) -> Transition:
    """Say which links get other names, and what that makes of the rows.

    Args:
        desired: With the rows of former links that `Succession` keeps.
        actual: What is there; rows of ours only.
        wanted: The links of `desired`.
        there: The links of `actual`.
    """
    renames = tuple(_renames(wanted.values(), there))
    heirs = {
        old.name: (old, wanted[new])
        for old, new in _heirs(wanted, there.values(), renames)
    }
    if not (renames or heirs):
        return Transition((), actual, actual)
    names = {rename.row.name: rename.name for rename in renames}
    found = frozenset(renamed(actual, names)) if names else actual
    left = [row for row in found - desired if link_of(row) in heirs and _moves(row)]
    standing = found.difference(left)
    taken = {kernel_key(row) for row in standing} if left else set()
    moved = (bequeathed(row, *heirs[str(link_of(row))]) for row in left)
    inherited = (row for row in moved if kernel_key(row) not in taken)
    return Transition(renames, found, standing.union(inherited))


def other_vxlans(rows: Iterable[Row]) -> tuple[str, ...]:
    """What is not of this agent's own VNIs and ports, in words for the operator."""
    links = links_of(rows)
    former = (
        f"{link.name} still receives VNI {link.vni}, port {link.port}"
        for link in links.values()
        if link.receives_only
    )
    others = (
        f"some agents take in VNI {vni}, port {port}, and nothing that this one does"
        for vni, port in {*_used(rows, links)}
    )
    return (*sorted(former), *sorted(others))


def _moves(row: Row) -> bool:
    """Whether it is the successor's, and not what lets a link receive."""
    match row:
        case Link():
            return False
        case Addr(_, address):
            return address != DUMMY
        case _:
            return True


def links_of(rows: Iterable[Row]) -> dict[str, Link]:
    """The links among the rows, by name."""
    return {row.name: row for row in rows if isinstance(row, Link)}


def _former(
    wanted: Iterable[Link], there: Iterable[Link]
) -> Iterator[tuple[Link, Link]]:
    """The links of numbers that nobody wants now, each with one that is wanted."""
    links = [link for link in wanted if not link.receives_only]
    numbers = {vxlan_identity(link) for link in links}
    for row in there:
        if vxlan_identity(row) in numbers:
            continue
        heir = _heir(row, links)
        if heir is None and row.receives_only:
            same = (x for x in links if x.local.version == row.local.version)
            heir = next(same, None)
        if heir is not None:
            yield row, heir


def _heir(link: Link, wanted: Iterable[Link]) -> Link | None:
    """The wanted link that takes this one's place."""
    near = [x for x in wanted if x.local.version == link.local.version]
    for same in (x for x in near if x.name == link.name):
        return same
    return next((x for x in near if x.mac == link.mac), None)


def _used(
    desired: Iterable[Row], links: Mapping[str, Link]
) -> Iterator[tuple[int, int]]:
    """VNI and port of every agent that takes in others than this one."""
    for row in desired:
        if not isinstance(row, Fdb) or row.vni is row.port is None:
            continue
        link = links.get(row.link)
        if link is not None:
            yield row.vni or link.vni, row.port or link.port


def _receiving(link: Link, heir: Link) -> Iterator[Row]:
    """The rows of a former link: it takes in what is sent to the MAC that it has."""
    name = former_name(link.vni, link.port, link.local.version)
    yield Link(
        name=name,
        vni=link.vni,
        port=link.port,
        local=heir.local,
        mac=link.mac,
        mtu=link.mtu,
        loose=True,
    )
    yield Addr(name, DUMMY)


def _renames(wanted: Iterable[Link], there: Links) -> Iterator[Rename]:
    """One after another, so that each name is free when its turn comes.

    Where there is no such order (two links that swap their names) the rest is left to
    `diff`, which makes those links anew.
    """
    names = {vxlan_identity(link): link.name for link in wanted}
    waiting = {
        link.name: names[vxlan_identity(link)]
        for link in there.values()
        if names.get(vxlan_identity(link), link.name) != link.name
    }
    taken = set(there)
    for _ in range(len(waiting)):
        old = next((old for old, new in waiting.items() if new not in taken), None)
        if old is None:
            return
        name = waiting.pop(old)
        taken.symmetric_difference_update({old, name})
        yield Rename(there[old], name)


def _heirs(
    links: Links, there: Iterable[Link], renames: Iterable[Rename]
) -> Iterator[tuple[Link, str]]:
    """Each former link, as it will be called, with the name of its successor."""
    wanted = [link for link in links.values() if not link.receives_only]
    numbers = {vxlan_identity(link) for link in wanted}
    names = {rename.row.name: rename.name for rename in renames}
    for link in there:
        heir = None if vxlan_identity(link) in numbers else _heir(link, wanted)
        if heir is not None and names.get(link.name, link.name) != heir.name:
            yield replace(link, name=names.get(link.name, link.name)), heir.name
