"""Whether a line of another agent fits this one, and what it claims. Pure.

A line comes from the network and may hold anything that parses. What is checked
here is what would build a wrong path: an address that is no host's, a block that is
not of the overlay. VNI and port may be others than here: they say what that agent
takes in, and rows toward it follow them. Who wins between two fitting lines is
settled in `navstar.claims`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from navstar.allocation import Interface, IpAddress, Network
from navstar.blocks import overlap, within
from navstar.claims import Claim, IdentityField, IdentityValue
from navstar.line import Line
from navstar.tables import Link, is_unicast_mac


@dataclass(frozen=True, slots=True)
class Place:
    """This agent's own place in one overlay and one family.

    Attributes:
        overlay: Its whole subnet.
        link: Of the VTEP.
        vtep: Address of the VTEP.
        block: This agent's own.
        second: The link of the VTEP on the other underlay family, where this agent has
            an address there. It is made when somebody can be reached by it alone.
    """

    overlay: Network
    link: Link
    vtep: Interface
    block: Network
    second: Link | None = None


def agent_address(line: Line, version: int) -> IpAddress | None:
    """The agent's own address of that family, if the line names one."""
    for address in (line.agent_ip, line.underlay4, line.underlay6):
        if address is not None and address.version == version:
            return address
    return None


@dataclass(frozen=True, slots=True)
class Way:
    """How packets leave for another agent: by which link, to which address."""

    link: Link
    agent: IpAddress


def way_to(line: Line, place: Place) -> Way | None:
    """The way to the agent on a family that both are on: our first one, or the other.

    A VXLAN device carries one family, so what is not heard there is lost.
    """
    for link in (place.link, place.second):
        if link is None:
            continue
        version = link.local.version
        if line.agent_ip.version == version:
            return Way(link, line.agent_ip)
        agent = agent_address(line, version) if line.dual else None
        if agent is not None:
            return Way(link, agent)
    return None


def misfit(line: Line, place: Place) -> str | None:
    """Why the line cannot give rows here; None when it fits."""
    link = place.link
    if not is_unicast_mac(line.mac):
        return f"MAC {line.mac} is not one host's"
    way = way_to(line, place)
    if way is None:
        theirs, ours = line.agent_ip.version, link.local.version
        return f"its VTEP is on IPv{theirs}, {link.name} on IPv{ours}"
    underlay = way.agent
    for version in (4, 6):
        address = agent_address(line, version)
        if address is not None and not _is_host(address):
            return f"agent address {address} is not one host's"
    if underlay in place.overlay or underlay in place.vtep.network:
        return f"agent address {underlay} is inside the overlay"
    return _vtep_misfit(line, place) or _block_misfit(line, place)


def _vtep_misfit(line: Line, place: Place) -> str | None:
    address, network = line.vtep.ip, place.vtep.network
    if address.version != place.overlay.version or not _is_host(address):
        return f"VTEP address {address} is not one host's of this family"
    if network.num_addresses > 2 and (
        address not in network
        or address == network.network_address
        or (address.version == 4 and address == network.broadcast_address)
    ):
        return f"VTEP address {address} is not a host's in {network}"
    return None


def _block_misfit(line: Line, place: Place) -> str | None:
    block, overlay = line.subnet, place.overlay
    if not within(block, overlay):
        return f"block {block} is not inside {overlay}"
    if overlap(block, place.vtep.network):
        return f"block {block} overlaps the VTEP network {place.vtep.network}"
    return None


def _is_host(address: IpAddress) -> bool:
    """Whether it alone says which one host is meant (fe80:: needs a device too)."""
    return not (
        address.is_multicast
        or address.is_unspecified
        or address.is_loopback
        or (address.version == 4 and int(address) >> 28 == 0xF)
        or (address.version == 6 and address.is_link_local)
    )


#: Overlays are few, and named by every line.
text_of = lru_cache(maxsize=1 << 10)(str)


@dataclass(frozen=True, slots=True)
class LineClaim(Claim):
    """The claim of a fitting line, with the line and this agent's place beside it."""

    line: Line
    place: Place


def claim_of(line: Line, place: Place) -> LineClaim:
    """What a fitting line claims."""
    return LineClaim(
        overlay=text_of(line.overlay),
        identity=identity(
            place,
            vtep=line.vtep.ip,
            mac=line.mac,
            agent=(agent_address(line, 4), agent_address(line, 6)),
        ),
        block=line.subnet,
        node=line.node,
        name=line.name,
        claimed_at=line.claimed_at,
        line=line,
        place=place,
    )


def identity(
    place: Place,
    *,
    vtep: IpAddress,
    mac: str,
    agent: tuple[IpAddress | None, ...],
) -> dict[IdentityField, IdentityValue]:
    """The addresses of one agent, each under what it is and where it counts.

    A VTEP address and a MAC count on their link; an agent's address everywhere.
    """
    name = place.link.name
    found: dict[IdentityField, IdentityValue] = {
        ("VTEP address", f"{name}/{vtep.version}"): vtep.packed,
        ("MAC", name): mac,
    }
    for address in agent:
        if address is not None:
            found["agent address", str(address.version)] = address.packed
    return found
