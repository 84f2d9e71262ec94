"""The rows this agent's kernel should have: from its allocation and all lines. Pure.

Theory of operation. The allocation gives what does not depend on others: link,
addresses, rules. Each line of another agent that fits (`navstar.line_fitness`) makes
a claim; `navstar.claims` settles whose stand; each granted claim becomes neighbour,
FDB row, the route to its block in main and the route to the agent's own address in
table 42. What does not fit is skipped alone and shown with the reason; it never
stops the others.

The underlay is one family, that of `Underlay.agent_ip`: a VXLAN device carries no
other. Both overlay families ride on it, and each stands without the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from navstar.allocation import Allocation, IpAddress, Network, Skipped
from navstar.claims import Claim, Conflict, IdentityField, settle
from navstar.line import Line
from navstar.line_fitness import (
    LineClaim,
    Place,
    agent_address,
    claim_of,
    identity,
    misfit,
)
from navstar.own_ground import Ground, Underlay, own_ground
from navstar.tables import (
    MAIN_TABLE,
    OVERLAY_TABLE,
    RULE_PRIORITY,
    Fdb,
    Neighbour,
    Route,
    Row,
)

__all__ = [
    "Conflict",
    "Desired",
    "SkippedLine",
    "Underlay",
    "desired_rows",
    "metric_of",
]

#: Later than any hybrid timestamp: the age of a claim that is not published yet.
_NOT_YET = 2**64


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line of another agent that gives no rows, and why."""

    node: str
    name: str
    overlay: str
    reason: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What `desired_rows` found.

    Attributes:
        rows: At most one per kernel key.
        skipped: Lines of others that give no rows.
        conflicts: Claims that lost against older ones; they give no rows either.
        unusable: Overlays of the allocation that give no rows, in one family or both.
        own: How many lines are this agent's own.
        agents: Node ids that rows lead to.
    """

    rows: frozenset[Row] = frozenset()
    skipped: tuple[SkippedLine, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unusable: tuple[Skipped, ...] = ()
    own: int = 0
    agents: frozenset[str] = frozenset()


def desired_rows(
    allocation: Allocation,
    lines: Iterable[Line],
    *,
    underlay: Underlay,
    me: str,
    table: int = OVERLAY_TABLE,
    rule_priority: int = RULE_PRIORITY,
) -> Desired:
    """Return all rows that this agent's kernel should have, and what was left out.

    Args:
        allocation: This agent's overlays, checked.
        lines: All lines of the table, in any order.
        underlay: This agent's own place below.
        me: This agent's node id, as lines carry it.
        table: Where the routes to the agents' own addresses go.
        rule_priority: Of the rules that lead there.
    """
    ground = own_ground(allocation, underlay, table=table, rule_priority=rule_priority)
    lines = tuple(lines)
    mine = tuple(line for line in lines if line.node == me)
    others = (line for line in lines if line.node != me)
    theirs, skipped = _fitting(others, ground.places)
    ours = _own_claims(mine, ground, underlay, me)
    granted, conflicts = settle((*ours, *theirs))
    own = _own_identity(ours, underlay)
    programmed: list[LineClaim] = []
    for claim in granted:
        if isinstance(claim, LineClaim):
            taken = _takes_ours(claim, own)
            if taken is None:
                programmed.append(claim)
            else:
                skipped.append(_skipped(claim.line, taken))
    rows = _rows_of(programmed, table)
    return Desired(
        rows=frozenset(ground.rows | rows),
        skipped=tuple(sorted(skipped, key=str)),
        conflicts=conflicts,
        unusable=ground.unusable,
        own=len(mine),
        agents=frozenset(claim.node for claim in programmed),
    )


def metric_of(vtep: IpAddress) -> int:
    """The metric of all routes to the agent behind a VTEP address: 1 to 65,536.

    Measured on kernel 6.18: IPv4 routes that differ only in their gateway share one
    hash chain, so that adding 10,000 takes 1.3 s; with metrics that differ, 45 ms.
    It follows from the address alone, so that it is the same after every restart.
    """
    return 1 + (int(vtep) & 0xFFFF)


def _fitting(
    lines: Iterable[Line], places: Mapping[Network, Place]
) -> tuple[Iterable[LineClaim], list[SkippedLine]]:
    """What lines claim that can give rows, one per node and overlay; the others."""
    fitting: dict[tuple[str, int], LineClaim] = {}
    skipped: list[SkippedLine] = []
    for line in lines:
        place = places.get(line.overlay)
        reason = misfit(line, place) if place else "this agent is not in the overlay"
        if place is None or reason is not None:
            skipped.append(_skipped(line, str(reason)))
            continue
        key, claim = (line.node, id(place)), claim_of(line, place)
        other = fitting.get(key)
        if other is not None:
            # What an agent says last of itself replaces what it said before.
            claim, other = sorted((claim, other), key=_newest_first)
            skipped.append(_skipped(other.line, "the agent published a newer line"))
        fitting[key] = claim
    return fitting.values(), skipped


def _newest_first(claim: LineClaim) -> tuple[int, str]:
    return -claim.claimed_at, str(claim.line)


def _own_claims(
    mine: Iterable[Line], ground: Ground, underlay: Underlay, me: str
) -> tuple[Claim, ...]:
    """What this agent claims by its allocation, as old as its lines are."""
    published = {line.overlay: line for line in mine}
    claims = []
    for network, place in ground.places.items():
        line = published.get(network)
        claims.append(
            Claim(
                overlay=network,
                identity=identity(
                    place,
                    vtep=place.vtep.ip,
                    mac=place.link.mac,
                    agent=(underlay.agent_ip,),
                ),
                block=place.block,
                node=me,
                name=line.name if line else "this agent",
                claimed_at=line.claimed_at if line else _NOT_YET,
            )
        )
    return tuple(claims)


def _own_identity(
    ours: Iterable[Claim], underlay: Underlay
) -> frozenset[tuple[IdentityField, IpAddress | str]]:
    """Every address that is this agent's own."""
    found = {item for claim in ours for item in claim.identity.items()}
    for address in underlay.addresses:
        found.add((("agent address", str(address.version)), address))
    return frozenset(found)


def _takes_ours(
    claim: LineClaim, own: frozenset[tuple[IdentityField, IpAddress | str]]
) -> str | None:
    """Why the claim, though granted, must not be programmed on this agent."""
    for item in claim.identity.items():
        if item in own:
            return f"{item[0][0]} {item[1]} is this agent's own"
    block = claim.place.block
    if claim.block.overlaps(block):
        return f"block {claim.block} overlaps this agent's own {block}"
    return None


def _rows_of(claims: Iterable[LineClaim], table: int) -> set[Row]:
    """The rows that lead to the agents."""
    rows: set[Row] = set()
    hosts: dict[Network, Route] = {}
    for claim in claims:
        line, link = claim.line, claim.place.link
        via, metric = line.vtep.ip, metric_of(line.vtep.ip)
        rows.add(Neighbour(link.name, via, line.mac))
        agent = agent_address(line, link.local.version)
        if agent is not None:
            rows.add(Fdb(link.name, line.mac, agent))
        rows.add(Route(link.name, line.subnet, via, metric, MAIN_TABLE))
        host = _host_route(line, link.name, table)
        if host is not None:
            # One way to the agent is enough, however many VTEPs we share with it.
            known = hosts.get(host.subnet)
            if known is None or str(host) < str(known):
                hosts[host.subnet] = host
    rows.update(hosts.values())
    return rows


def _host_route(line: Line, link: str, table: int) -> Route | None:
    """The way to the agent's own address, in the family of the overlay."""
    via = line.vtep.ip
    address = agent_address(line, via.version)
    if address is None:
        return None
    subnet = type(line.overlay)(address)
    return Route(link, subnet, via, metric_of(via), table)


def _skipped(line: Line, reason: str) -> SkippedLine:
    return SkippedLine(line.node, line.name, str(line.overlay), reason)
