"""What rows are when their link has another name, or is another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    is_loose,
    link_of,
    unique,
)


def renamed(rows: Iterable[Row], names: Mapping[str, str]) -> Iterator[Row]:
    """The rows when links have got other names."""
    for row in rows:
        link = link_of(row)
        yield row if link is None or link not in names else _on(row, names[link])


def bequeathed(row: Row, link: Link, heir: Link) -> Row:
    """What a row on a former link is on its successor: it leads to the same."""
    if isinstance(row, Fdb):
        vni, port = row.vni or link.vni, row.port or link.port
        return unique(
            Fdb(
                heir.name,
                row.mac,
                row.agent,
                vni if vni != heir.vni else None,
                port if port != heir.port else None,
            )
        )
    return _on(row, heir.name)


def _on(row: Row, name: str) -> Row:
    """The row on a link of another name."""
    match row:
        case Link():
            # As a rename sets it; see `LinkSurgery.rename`.
            return replace(row, name=name, loose=is_loose(row, name))
        case Neighbour() | Fdb() | Route():
            return unique(replace(row, link=name))
        case Addr():
            return replace(row, link=name)
        case _:
            return row
