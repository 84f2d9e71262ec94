"""What the kernel tells of, by kind. Pure."""

from __future__ import annotations

from enum import StrEnum

from navstar.tables import Addr, Fdb, Link, Neighbour, Route, Row, Rule


class Changed(StrEnum):
    """What somebody else changed, or may have."""

    LINK = "link"
    ADDRESS = "address"
    NEIGHBOUR = "neighbour"
    ROUTE = "route"
    RULE = "rule"
    #: The kernel had to drop notifications: anything may have changed.
    OVERFLOW = "overflow"


def kind_of(row: Row) -> Changed:
    """Which of the kernel's notices tell of such a row."""
    match row:
        case Link():
            return Changed.LINK
        case Addr():
            return Changed.ADDRESS
        case Neighbour() | Fdb():
            return Changed.NEIGHBOUR
        case Route():
            return Changed.ROUTE
        case Rule():
            return Changed.RULE
