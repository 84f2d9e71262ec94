"""The rows that depend on no other agent: link, addresses, rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from navstar.allocation import (
    Allocation,
    Interface,
    IpAddress,
    Network,
    Overlay,
    Skipped,
    Vtep,
)
from navstar.blocks import overlap
from navstar.line_fitness import Place
from navstar.tables import Addr, Link, Row, Rule, second_name

#: Outer IP (20 or 40), UDP 8, VXLAN 8, inner Ethernet 14 bytes.
ENCAPSULATION = {4: 50, 6: 70}

#: The least MTU with which a host runs the family (RFC 791, RFC 8200).
_LEAST_MTU = {4: 576, 6: 1280}


@dataclass(frozen=True, slots=True)
class Underlay:
    """How this agent stands in the network below.

    Attributes:
        agent_ip: Where VXLAN packets leave from and arrive.
        mtu: Of the device that has `agent_ip`, bytes.
        addresses: All addresses of this agent; no row leads away from them.
        second_ip: An address of the other family, if it has one: where packets of
            agents that are on that family alone arrive, and leave for them.
    """

    agent_ip: IpAddress
    mtu: int = 1500
    addresses: frozenset[IpAddress] = frozenset()
    second_ip: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What the allocation alone gives.

    Attributes:
        rows: Links, addresses, rules.
        places: This agent's place in each overlay and family that it is in.
        unusable: Overlays that give none, and why.
    """

    rows: frozenset[Row]
    places: dict[Network, Place]
    unusable: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """One overlay in one family, complete."""

    subnet: Network
    block: Network
    vtep: Interface


def own_ground(
    allocation: Allocation, underlay: Underlay, *, table: int, rule_priority: int
) -> Ground:
    """Return the rows and places that the allocation gives.

    Overlays that share a VTEP share its link; one that describes the same device
    differently, or the same VXLAN under another name, is unusable: first come, first
    served, in the order of the allocation.
    """
    rows: set[Row] = set()
    places: dict[Network, Place] = {}
    unusable: list[Skipped] = []
    vteps: dict[str, Vtep] = {}
    for overlay in allocation.overlays:
        sides, vtep = tuple(_sides(overlay)), overlay.vtep
        reason = _unusable(overlay, sides, vteps, places)
        if reason is not None:
            unusable.append(Skipped(overlay.name, reason))
            continue
        vteps[vtep.name] = vtep
        link, second = _link(vtep, underlay), _second_link(vtep, underlay)
        rows.add(link)
        for side in sides:
            rows.add(Addr(link.name, side.vtep))
            rows.add(Rule(side.subnet, table, rule_priority))
            places[side.subnet] = Place(
                side.subnet, link, side.vtep, side.block, second
            )
    return Ground(frozenset(rows), places, tuple(unusable))


def _sides(overlay: Overlay) -> Iterator[_Side]:
    vtep = overlay.vtep
    if overlay.subnet and overlay.block and vtep.address:
        yield _Side(overlay.subnet, overlay.block, vtep.address)
    if overlay.subnet6 and overlay.block6 and vtep.address6:
        yield _Side(overlay.subnet6, overlay.block6, vtep.address6)


def _unusable(
    overlay: Overlay,
    sides: tuple[_Side, ...],
    vteps: dict[str, Vtep],
    places: dict[Network, Place],
) -> str | None:
    vtep = overlay.vtep
    if not sides:
        return "no family has subnet, block and VTEP address"
    if vteps.get(vtep.name, vtep) != vtep:
        return f"VTEP {vtep.name} is described differently by another overlay"
    for other in vteps.values():
        if other.name == vtep.name:
            continue
        if (other.vni, other.port) == (vtep.vni, vtep.port):
            return f"VTEP {other.name} has VNI {vtep.vni} and port {vtep.port} already"
        if _share_network(vtep.address, other.address) or _share_network(
            vtep.address6, other.address6
        ):
            # The kernel refuses a gateway that it knows to be on another link.
            return f"VTEP {other.name} is in the same VTEP network"
    for side in sides:
        if side.subnet in places:
            return f"subnet {side.subnet} is another overlay's"
    return None


def _share_network(one: Interface | None, other: Interface | None) -> bool:
    return bool(one and other and overlap(one.network, other.network))


def _link(vtep: Vtep, underlay: Underlay) -> Link:
    local = underlay.agent_ip
    room = _room(vtep, underlay, local)
    return Link(
        name=vtep.name,
        vni=vtep.vni,
        port=vtep.port,
        local=local,
        mac=vtep.mac,
        mtu=room if vtep.mtu is None else vtep.mtu,
    )


def _second_link(vtep: Vtep, underlay: Underlay) -> Link | None:
    """The same VXLAN on the other family: the kernel lets both stand."""
    local = underlay.second_ip
    if local is None:
        return None
    room = _room(vtep, underlay, local)
    return Link(
        name=second_name(vtep.vni, vtep.port),
        vni=vtep.vni,
        port=vtep.port,
        local=local,
        mac=vtep.mac,
        # The allocation's is for the first family, and IPv6 takes 20 bytes more.
        mtu=room if vtep.mtu is None else min(vtep.mtu, room),
        loose=True,
    )


def _room(vtep: Vtep, underlay: Underlay, local: IpAddress) -> int:
    """What an MTU may be at most, bytes."""
    family = 6 if vtep.address6 else 4
    return max(underlay.mtu - ENCAPSULATION[local.version], _LEAST_MTU[family])
