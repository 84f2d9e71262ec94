"""Who published what a row says, and how long ago. Pure.

A row names its agent by a VTEP address, a MAC, a block or an underlay address; the
lines of the table are found by all four.
"""

from __future__ import annotations

from collections.abc import Iterable

from navstar.allocation import IpAddress
from navstar.line import Line
from navstar.line_fitness import agent_address
from navstar.tables import MAIN_TABLE, Fdb, Neighbour, Route, Row


class Publishers:
    """The lines of the table, by what rows are made of."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._vteps: dict[object, list[Line]] = {}
        for line in lines:
            self._vteps.setdefault(line.vtep.ip, []).append(line)
            self._vteps.setdefault(line.mac, []).append(line)

    def of(self, row: Row) -> Line | None:
        """The line that asks for the row: the oldest claim, if there are several."""
        match row:
            case Neighbour(_, address, mac):
                found = (x for x in self._at(address) if x.mac == mac)
            case Fdb(_, mac, agent):
                found = (x for x in self._at(mac) if agent in _agents(x))
            case Route(_, subnet, via, _, table) if table == MAIN_TABLE:
                found = (x for x in self._at(via) if x.subnet == subnet)
            case Route(_, subnet, via):
                host = subnet.network_address
                found = (x for x in self._at(via) if host in _agents(x))
            case _:
                return None
        return min(found, key=lambda line: line.claimed_at, default=None)

    def near(self, row: Row) -> Line | None:
        """As `of`, or else the line of the agent that the row names at all."""
        exact = self.of(row)
        if exact is not None:
            return exact
        match row:
            case Neighbour(_, address):
                lines = self._at(address)
            case Fdb(_, mac):
                lines = self._at(mac)
            case Route(_, _, via):
                lines = self._at(via)
            case _:
                return None
        return min(lines, key=lambda line: line.claimed_at, default=None)

    def _at(self, name: object) -> list[Line]:
        return self._vteps.get(name, [])


def _agents(line: Line) -> tuple[IpAddress | None, IpAddress | None]:
    return agent_address(line, 4), agent_address(line, 6)


def claimed_ago(line: Line, *, wall: float) -> float:
    """Seconds since the claim; hybrid timestamps count milliseconds above 16 bits.

    Args:
        line: As read from the table.
        wall: Seconds since 1970.
    """
    return max(0.0, wall - (line.claimed_at >> 16) / 1000)
