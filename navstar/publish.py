"""This agent's allocation as its lines in the table. Pure.

An agent speaks for itself alone: it writes lines under its own node id and takes
only those back. There is one exception, its own former life. An agent that lost
its data directory comes back under a new id, and nobody else would ever take the
old lines away. Such a line has this agent's name and address and claims the same
VTEP address, or is the same in all it says; and no living node has its id.

A claim is as old as the first line that made it. So a line that is written again, for
an MTU or a name, or under a new node id, carries that time along; one that claims
anything else than before is a new claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import TypeAlias

from navstar.allocation import (
    Allocation,
    Interface,
    IpAddress,
    Network,
    Overlay,
    Vtep,
)
from navstar.line import Line
from navstar.tables import second_name

_Place: TypeAlias = tuple[Network, Interface]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who publishes, and where VXLAN packets to it go.

    Attributes:
        node: Node id, 32 hex digits.
        name: As configured.
        agent_ip: The underlay address that its VTEPs use.
        underlay4: Its address of the other family, if that is the other.
        underlay6: The same for IPv6.
        dual: Names of the links by which VTEPs hear on the other family as well; None
            while that is not known: then it is as it was said before.
    """

    node: str
    name: str
    agent_ip: IpAddress
    underlay4: IpAddress | None = None
    underlay6: IpAddress | None = None
    dual: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Write:
    """Assign this line, in place of whatever this agent says there.

    Its `claimed_at` is that of the line before if it claims the same, and 0 if it is
    a new claim, which is as old as this write.
    """

    line: Line


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take one line out of the table."""

    line: Line


def lines_for(allocation: Allocation, speaker: Speaker) -> tuple[Line, ...]:
    """What the agent has to say: one line per overlay and family in use."""
    return tuple(
        line
        for overlay in allocation.overlays
        for subnet, block, address in _families(overlay)
        if (line := _line(overlay.vtep, subnet, block, address, speaker)) is not None
    )


def changes(
    wanted: Iterable[Line],
    present: Iterable[Line],
    *,
    speaker: Speaker,
    alive: Set[str],
) -> tuple[Write | Withdraw, ...]:
    """Say what must be written so that the table says what this agent has to say.

    Args:
        wanted: As `lines_for` gives it.
        present: Every line of the table.
        speaker: This agent.
        alive: Ids of the nodes that live: their lines are their own business.

    Returns:
        Withdrawals first; empty when the table is right already.
    """
    wanted_at = {_place(line): line for line in wanted}
    said: dict[_Place, Line] = {}
    claimed_at: dict[_Place, int] = {}
    withdrawals: list[Withdraw] = []
    for line in present:
        if line.node == speaker.node:
            said[_place(line)] = line
            if _place(line) not in wanted_at:
                withdrawals.append(Withdraw(line))
        elif line.node not in alive and _is_former_life(line, wanted_at, speaker):
            withdrawals.append(Withdraw(line))
        else:
            continue
        mine = wanted_at.get(_place(line))
        if mine is not None and _claims(line) == _claims(mine):
            first = claimed_at.get(_place(line), line.claimed_at)
            claimed_at[_place(line)] = min(first, line.claimed_at)
    if speaker.dual is None:
        wanted_at = {
            place: replace(line, dual=said[place].dual) if place in said else line
            for place, line in wanted_at.items()
        }
    writes = (
        Write(line)
        for place, mine in wanted_at.items()
        if said.get(place)
        != (line := replace(mine, claimed_at=claimed_at.get(place, 0)))
    )
    return *withdrawals, *writes


def takes_in_another(wanted: Iterable[Line], present: Iterable[Line]) -> bool:
    """Whether others would send to a VNI or port that this agent had not said before.

    Args:
        wanted: As `lines_for` gives it.
        present: Every line of the table.
    """
    numbers = {(line.node, line.overlay): (line.vni, line.port) for line in wanted}
    return any(
        numbers.get((line.node, line.overlay), said) != said
        for line in present
        if (said := (line.vni, line.port))
    )


def withdrawal_of_all(present: Iterable[Line], *, node: str) -> tuple[Withdraw, ...]:
    """What takes every line of this agent back: it leaves for good."""
    return tuple(Withdraw(line) for line in present if line.node == node)


def _place(line: Line) -> _Place:
    return line.overlay, line.vtep


def _claims(line: Line) -> tuple[object, ...]:
    """What a line claims beside its VTEP address."""
    return line.mac, line.subnet, line.agent_ip, line.underlay4, line.underlay6


def _is_former_life(
    line: Line, wanted_at: dict[_Place, Line], speaker: Speaker
) -> bool:
    if (line.name, line.agent_ip) != (speaker.name, speaker.agent_ip):
        return False
    if _place(line) in wanted_at:
        return True
    return any(
        (line.overlay, line.mac, line.subnet) == (mine.overlay, mine.mac, mine.subnet)
        for mine in wanted_at.values()
    )


def _families(
    overlay: Overlay,
) -> Iterable[tuple[Network | None, Network | None, Interface | None]]:
    yield overlay.subnet, overlay.block, overlay.vtep.address
    yield overlay.subnet6, overlay.block6, overlay.vtep.address6


def _line(
    vtep: Vtep,
    subnet: Network | None,
    block: Network | None,
    address: Interface | None,
    speaker: Speaker,
) -> Line | None:
    if subnet is None or block is None or address is None:
        return None
    return Line(
        overlay=subnet,
        vtep=address,
        mac=vtep.mac,
        agent_ip=speaker.agent_ip,
        subnet=block,
        vni=vtep.vni,
        port=vtep.port,
        node=speaker.node,
        name=speaker.name,
        underlay4=speaker.underlay4,
        underlay6=speaker.underlay6,
        mtu=vtep.mtu,
        dual=second_name(vtep.vni, vtep.port) in (speaker.dual or ()),
    )
