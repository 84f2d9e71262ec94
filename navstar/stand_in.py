"""A link that stands in for the one it should become, while that cannot be. Pure.

Theory of operation. An allocation asks for another VNI, port or name, and a stranger's
device has it. Then nothing can take the place of the link that is there, and to take
it out of use would end all traffic for as long as the stranger stands. So it goes on
with the name and the numbers that it has. Other numbers are not told to others until
their link stands (`navstar.pass_report`), and so our line still says the former ones,
with the MAC and the VTEP address that came with them: these stay too. For everything
else it is reconciled as if it were the other: agents come and go, and deleted rows are
put back. When the stranger goes, nothing is in the way of an ordinary succession.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from navstar.diff import vxlan_identity
from navstar.moved_rows import bequeathed
from navstar.tables import Addr, Link, Row, is_loose, kernel_key, link_of


def stand_ins(
    barred: AbstractSet[str], *, wanted: Mapping[str, Link], there: Collection[Link]
) -> dict[str, Link]:
    """The link that stands in for each barred one, by the name of that.

    Args:
        barred: Names of wanted links that cannot be: a stranger is in the way.
        wanted: What should be there, by name.
        there: Our links in the kernel.
    """
    possible = (link for name, link in wanted.items() if name not in barred)
    numbers = {vxlan_identity(link) for link in possible}
    free = [link for link in there if vxlan_identity(link) not in numbers]
    found: dict[str, Link] = {}
    for name in sorted(barred & wanted.keys()):
        near = [
            link
            for link in free
            # Nor may it have the name of another one.
            if (link.name == name or link.name not in wanted)
            and _may_stand_in(link, wanted[name])
        ]
        if near:
            found[name] = min(near, key=lambda link: _distance(link, wanted[name]))
            free.remove(found[name])
    return found


def with_stand_ins(
    desired: AbstractSet[Row],
    actual: AbstractSet[Row],
    *,
    wanted: Mapping[str, Link],
    found: Mapping[str, Link],
) -> frozenset[Row]:
    """The rows that should be there, on the links that stand in.

    Args:
        desired: What should be there if nobody were in the way.
        actual: What is there; rows of ours only.
        wanted: The links of `desired`, by name.
        found: What `stand_ins` gave.
    """
    rows: set[Row] = set()
    for row in desired:
        name = link_of(row)
        if name is not None and name in found:
            rows.add(_on_stand_in(row, wanted[name], found[name]))
        else:
            rows.add(row)
    keys = {kernel_key(row) for row in rows if isinstance(row, Addr)}
    rows.update(
        row
        for row in _addresses(actual, {link.name for link in found.values()})
        if kernel_key(row) not in keys
    )
    return frozenset(rows)


def _may_stand_in(link: Link, wanted: Link) -> bool:
    """Whether it is, by its numbers, its name or its MAC, what that one was before."""
    if link.local.version != wanted.local.version:
        return False
    return (
        vxlan_identity(link) == vxlan_identity(wanted)
        or link.name == wanted.name
        or link.mac == wanted.mac
    )


def _distance(link: Link, wanted: Link) -> tuple[bool, bool, bool, str]:
    """Least for the one that was in use last."""
    return (
        vxlan_identity(link) != vxlan_identity(wanted),
        link.receives_only,
        link.name != wanted.name,
        link.name,
    )


def _on_stand_in(row: Row, wanted: Link, link: Link) -> Row:
    if not isinstance(row, Link):
        return bequeathed(row, wanted, link)
    is_told = vxlan_identity(link) == vxlan_identity(wanted)
    return replace(
        row,
        name=link.name,
        vni=link.vni,
        port=link.port,
        mac=row.mac if is_told else link.mac,
        loose=is_loose(link, link.name),
    )


def _addresses(rows: AbstractSet[Row], links: AbstractSet[str]) -> Iterator[Addr]:
    return (row for row in rows if isinstance(row, Addr) and row.link in links)
