"""The rows that lead to other agents, each as long as some claim asks for it. Pure.

The lines of one agent ask for some rows together: its neighbour row in every overlay,
its FDB row in both families. Of two things only one may stand: the route to an agent's
own address, however many VTEPs it shares with us, and the FDB row, while an agent with
a new VNI or port has said so in one family only. So each claim's rows are kept by
claim, and what all of them come to is kept up to date as claims change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from ipaddress import IPv4Interface

from navstar.allocation import IpAddress
from navstar.line import Line
from navstar.line_fitness import LineClaim, Place, agent_address, way_to
from navstar.settlement import ClaimKey
from navstar.tables import MAIN_TABLE, Addr, Fdb, Neighbour, Route, Row, unique


def metric_of(vtep: IpAddress) -> int:
    """The metric of all routes to the agent behind a VTEP address: 1 to 65,536.

    Measured on kernel 6.18: IPv4 routes that differ only in their gateway share one
    hash chain, so that adding 10,000 takes 1.3 s; with metrics that differ, 45 ms.
    It follows from the address alone, so that it is the same after every restart.
    """
    return 1 + (int(vtep) & 0xFFFF)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one claim asks for."""

    rows: tuple[Row, ...] = ()
    only: tuple[Route | Fdb, ...] = ()


_NOTHING = _Asked()


class PeerRows:
    """The rows of all claims that are programmed.

    Args:
        table: Where the routes to the agents' own addresses go.
    """

    def __init__(self, table: int) -> None:
        self._table = table
        self._asked: dict[ClaimKey, _Asked] = {}
        self._askers: dict[Row, int] = {}
        # The rows of which one may stand, by what they compete for and by claim.
        self._only: dict[object, dict[ClaimKey, Route | Fdb]] = {}

    @property
    def rows(self) -> frozenset[Row]:
        """Every row that some claim asks for."""
        # Of the dict and not of its keys: that would hash thousands of rows again.
        return frozenset(self._askers)

    @property
    def claims(self) -> Set[ClaimKey]:
        """The claims that ask for rows."""
        return self._asked.keys()

    def program(self, key: ClaimKey, claim: LineClaim | None) -> None:
        """From now on the claim asks for its rows; None: for none any more."""
        before = self._asked.pop(key, _NOTHING)
        after = self._rows_of(claim) if claim is not None else _NOTHING
        if after is not _NOTHING:
            self._asked[key] = after
        # Added first: a row that stays then remains the very same object.
        for row in after.rows:
            self._count(row, 1)
        for row in before.rows:
            self._count(row, -1)
        if before.only != after.only:
            places = {_place(row): row for row in after.only}
            for place in {*map(_place, before.only), *places}:
                self._swap(place, key, places.get(place))

    def _swap(self, place: object, key: ClaimKey, row: Route | Fdb | None) -> None:
        """One claim's row of a place is another; only one is in the rows."""
        rows = self._only.setdefault(place, {})
        before = _chosen(rows)
        rows.pop(key, None)
        if row is not None:
            rows[key] = row
        after = _chosen(rows)
        if after is None:
            del self._only[place]
        if before != after:
            for chosen, change in ((after, 1), (before, -1)):
                if chosen is not None:
                    self._count(chosen, change)

    def _count(self, row: Row, change: int) -> None:
        askers = self._askers.get(row, 0) + change
        if askers:
            self._askers[row] = askers
        else:
            del self._askers[row]

    def _rows_of(self, claim: LineClaim) -> _Asked:
        line, way = claim.line, way_to(claim.line, claim.place)
        if way is None:
            return _NOTHING
        link = way.link
        via, metric = line.vtep.ip, metric_of(line.vtep.ip)
        rows: list[Row] = [unique(Neighbour(link.name, via, line.mac))]
        rows += _second_ground(line, claim.place)
        only: list[Route | Fdb] = []
        # Sent as the other agent can take it, whatever this one takes itself: VNI
        # and port never change on two hosts at one moment.
        vni = line.vni if line.vni != link.vni else None
        port = line.port if line.port != link.port else None
        only.append(unique(Fdb(link.name, line.mac, way.agent, vni, port)))
        rows.append(unique(Route(link.name, line.subnet, via, metric, MAIN_TABLE)))
        host = _host_route(line, link.name, self._table)
        if host is not None:
            only.append(host)
        return _Asked(tuple(rows), tuple(only))


def _second_ground(line: Line, place: Place) -> Iterator[Row]:
    """What the second link needs, for an agent whose first family is the other one.

    Also where that agent hears on both: it may have no other way to us, and if each
    waited for the other to need it, both would come and go for ever.
    """
    second, vtep = place.second, place.vtep
    if second is None or line.agent_ip.version == place.link.local.version:
        return
    yield second
    if vtep.version == 4:
        # Without the network: the first link is the way to that.
        yield Addr(second.name, IPv4Interface(vtep.ip))
    else:
        # With it: the kernel takes no IPv6 gateway that is on another link alone.
        yield Addr(second.name, vtep)


def _place(row: Route | Fdb) -> object:
    """What of the rows with the same only one may stand for."""
    if isinstance(row, Fdb):
        return row.link, row.mac
    return row.subnet.network_address.packed


def _chosen(rows: Mapping[ClaimKey, Route | Fdb]) -> Route | Fdb | None:
    """The one that stands: the same, in whatever order claims came."""
    if len(rows) == 1:
        return next(iter(rows.values()))
    return min(rows.values(), key=str, default=None)


def _host_route(line: Line, link: str, table: int) -> Route | None:
    """The way to the agent's own address, in the family of the overlay."""
    via = line.vtep.ip
    address = agent_address(line, via.version)
    if address is None:
        return None
    subnet = type(line.overlay)(address)
    return unique(Route(link, subnet, via, metric_of(via), table))
