"""`navstar explain ADDRESS`: the way of a packet, step by step. Pure.

Rule, route, neighbour, FDB row, and the underlay below: each with what it should be,
what the kernel has, and who published it. A packet goes wrong at the first step that
is not right, so that is what the answer points at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from navstar.allocation import IpAddress, Network
from navstar.line import Line
from navstar.line_fitness import agent_address
from navstar.look import Look
from navstar.provenance import Publishers
from navstar.tables import (
    MAIN_TABLE,
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    Rule,
    kernel_key,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way.

    Attributes:
        name: "rule", "link", "address", "route", "neighbour", "fdb" or "underlay".
        desired: What should be there.
        actual: What the kernel has in that place, if anything.
        line: Who published it, if somebody did.
    """

    name: str
    desired: Row
    actual: Row | None
    line: Line | None

    @property
    def is_right(self) -> bool:
        """Whether the kernel has what it should."""
        return self.desired == self.actual


@dataclass(frozen=True, slots=True)
class Explanation:
    """The way to an address.

    Attributes:
        address: Where to.
        meaning: What the address is to this agent, in a sentence.
        steps: In the order in which a packet meets them; empty if none leads there.
        agent: The underlay address at which the packet should arrive.
        remarks: Lines that claim the address and are not programmed, and why.
    """

    address: IpAddress
    meaning: str
    steps: tuple[Step, ...] = ()
    agent: IpAddress | None = None
    remarks: tuple[str, ...] = ()


def explain(address: IpAddress, look: Look, lines: Iterable[Line]) -> Explanation:
    """Say which way a packet to `address` should take, and takes.

    Args:
        address: Of a container, a VTEP, or an agent.
        look: At the kernel, of now.
        lines: Of the table.
    """
    lines = tuple(lines)
    remarks = tuple(_remarks(address, look, lines))
    local = _local(address, look)
    if local is not None:
        return Explanation(address, local, remarks=remarks)
    desired = _best_route(address, look.desired.rows)
    route = desired or _best_route(address, look.actual)
    publishers = Publishers(lines)
    if route is None:
        via = _vtep(address, look)
        if via is None:
            text = "not in the table: no line of any agent leads there"
            if remarks:
                text = "claimed in the table, but no row is to lead there"
            return Explanation(address, text, remarks=remarks)
        link, where = via.link, address
    else:
        link, where = route.link, route.via
    steps = tuple(_steps(look, publishers, route, link, where))
    known = publishers.near(route) if route else None
    name = known.name if known else "an agent that no line names any more"
    if route is None:
        meaning = f"the VTEP of {_owner(where, look, publishers)}"
    elif route.table == MAIN_TABLE:
        meaning = f"in {route.subnet}, the block of {name}"
    else:
        meaning = f"an address of {name} itself, asked for by containers"
    agent = next((s.desired.agent for s in steps if isinstance(s.desired, Fdb)), None)
    return Explanation(address, meaning, steps, agent, remarks)


def _steps(
    look: Look,
    publishers: Publishers,
    route: Route | None,
    link: str,
    via: IpAddress,
) -> Iterator[Step]:
    rows = look.desired.rows or look.actual

    def step(name: str, row: Row) -> Step:
        key = kernel_key(row)
        same = (each for each in look.actual if type(each) is type(row))
        actual = next((each for each in same if kernel_key(each) == key), None)
        return Step(name, row, actual, publishers.near(row))

    family = via.version
    target = route.subnet.network_address if route is not None else via
    rules = [r for r in rows if isinstance(r, Rule) and r.subnet.version == family]
    # Containers of the same overlay ask by its rule; for an agent's address, all do.
    for rule in [each for each in rules if target in each.subnet] or rules:
        yield step("rule", rule)
    for row in rows:
        if isinstance(row, Link) and row.name == link:
            yield step("link", row)
    for row in rows:
        if isinstance(row, Addr) and row.link == link and row.address.version == family:
            yield step("address", row)
    if route is not None:
        yield step("route", route)
    neighbour = _neighbour(link, via, look)
    if neighbour is not None:
        yield step("neighbour", neighbour)
        fdb = _fdb(link, neighbour.mac, look)
        if fdb is not None:
            yield step("fdb", fdb)


def _best_route(address: IpAddress, rows: frozenset[Row]) -> Route | None:
    """The route with the longest prefix that covers the address."""
    fitting = (
        row
        for row in rows
        if isinstance(row, Route)
        and row.subnet.version == address.version
        and address in row.subnet
    )
    return max(
        fitting, key=lambda row: (row.subnet.prefixlen, -row.metric), default=None
    )


def _vtep(address: IpAddress, look: Look) -> Neighbour | None:
    """The neighbour row of a VTEP address: on-link, no route leads there."""
    for rows in (look.desired.rows, look.actual):
        for row in rows:
            if isinstance(row, Neighbour) and row.address == address:
                return row
    return None


def _neighbour(link: str, via: IpAddress, look: Look) -> Neighbour | None:
    for rows in (look.desired.rows, look.actual):
        for row in rows:
            if isinstance(row, Neighbour) and (row.link, row.address) == (link, via):
                return row
    return None


def _fdb(link: str, mac: str, look: Look) -> Fdb | None:
    for rows in (look.desired.rows, look.actual):
        for row in rows:
            if isinstance(row, Fdb) and (row.link, row.mac) == (link, mac):
                return row
    return None


def _owner(vtep: IpAddress, look: Look, publishers: Publishers) -> str:
    row = _vtep(vtep, look)
    line = publishers.near(row) if row else None
    return line.name if line else "an agent that no line names any more"


def _local(address: IpAddress, look: Look) -> str | None:
    """What the address is if a packet to it does not leave this host."""
    for row in look.desired.rows:
        if isinstance(row, Addr) and row.address.ip == address:
            return f"this agent's own VTEP address, on {row.link}"
        if isinstance(row, Link) and row.local == address:
            return "this agent's own address, where VXLAN packets arrive"
    for block in look.desired.blocks:
        if block.version == address.version and address in block:
            return f"in {block}, this agent's own block: behind its bridge"
    return None


def _remarks(address: IpAddress, look: Look, lines: Iterable[Line]) -> Iterator[str]:
    covering = {
        line.node
        for line in lines
        if _covers(line.subnet, address)
        or address in (line.vtep.ip, agent_address(line, address.version))
    }
    for skipped in look.desired.skipped:
        if skipped.node in covering:
            yield f"{skipped.name} in {skipped.overlay} is skipped: {skipped.reason}"
    for conflict in look.desired.conflicts:
        if conflict.loser in covering:
            yield str(conflict)


def _covers(subnet: Network, address: IpAddress) -> bool:
    return subnet.version == address.version and address in subnet
