"""One agent's line in the lashup table: what the others need to reach its containers.

Layout, as the original had it, one key per overlay and family:

    key     ("navstar", "overlay", "9.0.0.0/8")
    value   map, field "44.128.0.3/20" (the VTEP address with its prefix)
              map, field <node id, 32 hex digits>
                register: {"mac", "ip", "subnet", "vni", "port", ...}, one fact

The node id is a field of its own, so that two agents which claim one VTEP address
stand side by side and everybody sees the conflict; in one register the later
writer would silently win.
"""

from __future__ import annotations

from dataclasses import dataclass

from navstar.allocation import Interface, IpAddress, Network

#: The first two elements of every overlay key.
KEY_PREFIX = ("navstar", "overlay")


@dataclass(frozen=True, slots=True)
class Line:
    """What one agent says of itself in one overlay and one family.

    Attributes:
        overlay: The overlay's whole subnet.
        vtep: The agent's VTEP address with its prefix; the family of `overlay`.
        mac: The VTEP's MAC, lower case.
        agent_ip: The agent's own address, where VXLAN packets to it go.
        subnet: The agent's block of `overlay`.
        vni: VXLAN network identifier.
        port: UDP port of the VTEP.
        underlay4: Further underlay address of the other family, if it has one.
        underlay6: The same for IPv6.
        mtu: MTU of its VTEP, bytes.
        dual: Its VTEP hears on both underlay families, and not on `agent_ip` alone.
        node: Id of the writer, 32 hex digits.
        name: Name of the writer.
        claimed_at: Hybrid timestamp of the claim: the older claim wins a conflict.
            That of the register which claimed this first; 0 if it is to be written.
    """

    overlay: Network
    vtep: Interface
    mac: str
    agent_ip: IpAddress
    subnet: Network
    vni: int
    port: int
    node: str
    name: str
    underlay4: IpAddress | None = None
    underlay6: IpAddress | None = None
    mtu: int | None = None
    dual: bool = False
    claimed_at: int = 0
