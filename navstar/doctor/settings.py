"""The host's settings: forwarding, reverse path, limits, MTU."""

from __future__ import annotations

from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs
from navstar.doctor.kernel import OLDEST
from navstar.overlay_backend import Kernel, UnderlayDevice
from navstar.own_ground import ENCAPSULATION

#: Outside of our VTEPs: bridges of containers, other links.
_SPARE_NEIGHBOURS = 512

#: net/core/neighbour.c, exempt_from_gc: permanent rows are not counted from here on.
_PERMANENT_IS_FREE = (5, 0)

_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_STRICT = 1


def check_forwarding(host: Host, needs: Needs) -> Iterator[Finding]:
    """The host passes packets on, between bridge and VTEP."""
    for family in sorted(needs.families):
        name = _FORWARDING[family]
        if host.number(name) == 0:
            yield Finding(
                "forwarding",
                Level.FAULT,
                f"IPv{family} forwarding is off",
                "packets of containers stop at this host, in both directions",
                f"sysctl -w {name.replace('/', '.')}=1 (and in /etc/sysctl.d)",
            )


def check_rp_filter(host: Host, needs: Needs) -> Iterator[Finding]:
    """The reverse path check lets through what comes out of the tunnel."""
    if 4 not in needs.families:
        return
    for vtep in needs.vteps:
        device = vtep.name
        if host.number(f"net/ipv4/conf/{device}/rp_filter") is None:
            device = "default"  # What the device will begin with.
        # The kernel takes the greater of the two; 2 is loose.
        both = (host.number(f"net/ipv4/conf/{x}/rp_filter") for x in ("all", device))
        if max(value or 0 for value in both) == _STRICT:
            yield Finding(
                "rp_filter",
                Level.REMARK,
                f"the reverse path check is strict on {vtep.name} (rp_filter = 1)",
                "agents reach containers only as long as rule and table "
                f"{needs.table} are whole, and a second underlay device loses packets",
                f"sysctl -w net.ipv4.conf.{device}.rp_filter=2",
            )


def check_neighbour_limits(host: Host, needs: Needs) -> Iterator[Finding]:
    """There is room for all neighbours that the kernel counts."""
    wanted = _SPARE_NEIGHBOURS
    if (host.kernel_version() or OLDEST) < _PERMANENT_IS_FREE:
        wanted += needs.agents
    for family in sorted(needs.families):
        name = f"net/ipv{family}/neigh/default/gc_thresh3"
        limit = host.number(name)
        if limit is not None and limit < wanted:
            yield Finding(
                "neighbours",
                Level.WARNING,
                f"gc_thresh3 of IPv{family} is {limit}, and with {needs.agents} agents "
                f"{wanted} are needed",
                "the kernel refuses neighbour rows (table overflow), and containers "
                "lose their own neighbours as well",
                f"sysctl -w {name.replace('/', '.')}={2 * wanted} "
                "(and gc_thresh2 half of it)",
            )


def check_mtu(host: Host, needs: Needs) -> Iterator[Finding]:
    """Packets of the overlay fit into those of the underlay."""
    if needs.agent_ip is None:
        return
    with Kernel() as kernel:
        device = kernel.underlay(needs.agent_ip)
    yield from _agent_address(needs, device)
    if device is None:
        return
    room = device.mtu - ENCAPSULATION[needs.agent_ip.version]
    for vtep in needs.vteps:
        if vtep.mtu is not None and vtep.mtu > room:
            yield Finding(
                "mtu",
                Level.WARNING,
                f"{vtep.name} has MTU {vtep.mtu}, but {device.name} with its "
                f"{device.mtu} has room for {room}",
                "large packets are sent in fragments, and are lost on every path "
                "that drops fragments, while small ones pass",
                f"set the VTEP's mtu in the allocation to {room}, or: "
                f"ip link set {device.name} mtu {vtep.mtu + device.mtu - room}",
            )


def _agent_address(needs: Needs, device: UnderlayDevice | None) -> Iterator[Finding]:
    if device is None:
        yield Finding(
            "agent address",
            Level.FAULT,
            f"no device of this host has the agent address {needs.agent_ip}",
            "nothing is programmed; what is there stays as it is",
            f"ip address add {needs.agent_ip}/24 dev DEVICE, "
            "or name another one in [overlay] agent_ip",
        )
