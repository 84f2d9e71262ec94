"""What one agent has been given: its blocks and its VTEP, overlay by overlay.

Every source (`navstar.sources`) yields this one value type, and every value is
checked by `check_allocation`, wherever it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Interface: TypeAlias = IPv4Interface | IPv6Interface
IpAddress: TypeAlias = IPv4Address | IPv6Address

#: DC/OS's VXLAN port (not IANA's 4789): other VXLAN users of the host keep theirs.
DEFAULT_VXLAN_PORT = 64000


@dataclass(frozen=True, slots=True)
class Vtep:
    """The VXLAN device that this agent's overlays leave by.

    Attributes:
        name: Device name, 1 to 15 bytes.
        vni: VXLAN network identifier, 1 to 2**24 - 1.
        port: UDP destination port.
        mac: Lower case, colon separated; unicast.
        address: This agent's VTEP address with the prefix of the VTEP network.
        address6: The same for IPv6. At least one of the two is present.
        mtu: Bytes, or None to derive it from the underlay.
    """

    name: str
    vni: int
    mac: str
    port: int = DEFAULT_VXLAN_PORT
    address: IPv4Interface | None = None
    address6: IPv6Interface | None = None
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay network, and this agent's block of it.

    A family is in use when both its subnet and its block are present.

    Attributes:
        bridges: Devices that containers of the block stand behind, if the source names
            them. Shown; navstar neither makes nor needs them.
    """

    name: str
    vtep: Vtep
    subnet: IPv4Network | None = None
    block: IPv4Network | None = None
    subnet6: IPv6Network | None = None
    block6: IPv6Network | None = None
    bridges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An overlay that the source lists but that cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """Everything a source says at one moment.

    Attributes:
        overlays: Usable ones, checked.
        skipped: Listed by the source but not usable (not STATUS_OK, disabled, no
            VXLAN backend). Reported, and taken up when they become usable.
        agent_ip: The agent's address as the source knows it, if it does.
    """

    overlays: tuple[Overlay, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    agent_ip: IpAddress | None = None
