"""The wires of a lab: the fabric's switch, agents on it, containers behind them.

Every link is made where it is to live, in a namespace of the lab; a veth is made
with its far end in the other namespace at once. So the host's own namespace never
holds a link of the lab, and no name can clash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from pyroute2 import IPRoute

from navstar.lab import namespaces
from navstar.lab.topology import (
    BRIDGE,
    OVERLAY_MTU,
    UNDERLAY_MTU,
    UPLINK,
    Agent,
    Container,
    Topology,
)

#: IFA_F_NODAD: usable at once. The lab gives no address twice.
_NO_DAD = 0x02

#: Set before any link exists, so that each link, the VTEP too, starts with them.
_COMMON_SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
}
#: A router with the strict reverse path check of many distributions. The kernel
#: takes the higher of `all` and the device's own.
_AGENT_SETTINGS = {
    **_COMMON_SETTINGS,
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "1",
    "net/ipv4/conf/default/rp_filter": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/forwarding": "1",
}


def wire_fabric(topology: Topology) -> None:
    """Make the underlay's switch in its namespace.

    Raises:
        NetlinkError: The kernel refuses.
    """

    def wire() -> None:
        _configure(_COMMON_SETTINGS)
        with IPRoute() as kernel:
            _bridge(kernel, UNDERLAY_MTU)

    namespaces.inside(topology.fabric, wire)


def wire_agent(topology: Topology, agent: Agent) -> None:
    """Plug an agent into the fabric, and its containers into the agent.

    All namespaces are there and empty.

    Raises:
        NetlinkError: The kernel refuses.
    """
    namespaces.inside(agent.namespace, lambda: _configure(_AGENT_SETTINGS))
    with _namespace(agent.namespace) as far_end:
        namespaces.inside(
            topology.fabric, lambda: _plug(agent.name, UPLINK, far_end, UNDERLAY_MTU)
        )
    namespaces.inside(agent.namespace, lambda: _address_agent(agent))
    for container in agent.containers:
        _wire_container(agent, container)


def unplug_agent(topology: Topology, agent: Agent) -> None:
    """Take an agent's cable out of the switch, for good."""

    def pull() -> None:
        with IPRoute() as kernel:
            for index in kernel.link_lookup(ifname=agent.name):
                kernel.link("del", index=index)

    namespaces.inside(topology.fabric, pull)


def _wire_container(agent: Agent, container: Container) -> None:
    namespaces.inside(container.namespace, lambda: _configure(_COMMON_SETTINGS))
    with _namespace(container.namespace) as far_end:
        namespaces.inside(
            agent.namespace, lambda: _plug(container.port, UPLINK, far_end, OVERLAY_MTU)
        )
    namespaces.inside(container.namespace, lambda: _address_container(agent, container))


def _address_agent(agent: Agent) -> None:
    with IPRoute() as kernel:
        _up(kernel, "lo")
        _address(kernel, UPLINK, agent.underlay)
        _address(kernel, UPLINK, agent.underlay6)
        _up(kernel, UPLINK)
        _bridge(kernel, OVERLAY_MTU)
        _address(kernel, BRIDGE, agent.gateway)
        _address(kernel, BRIDGE, agent.gateway6)


def _address_container(agent: Agent, container: Container) -> None:
    with IPRoute() as kernel:
        _up(kernel, "lo")
        _address(kernel, UPLINK, container.address)
        _address(kernel, UPLINK, container.address6)
        _up(kernel, UPLINK)
        kernel.route("add", dst="default", gateway=str(agent.gateway.ip))
        kernel.route("add", dst="::/0", gateway=str(agent.gateway6.ip))


def _plug(port: str, far_name: str, far_end: int, mtu: int) -> None:
    """Join a namespace to the bridge of the one we are in."""
    with IPRoute() as kernel:
        kernel.link(
            "add",
            ifname=port,
            kind="veth",
            mtu=mtu,
            peer={"ifname": far_name, "net_ns_fd": far_end, "mtu": mtu},
        )
        kernel.link("set", index=_index(kernel, port), master=_index(kernel, BRIDGE))
        _up(kernel, port)


def _bridge(kernel: IPRoute, mtu: int) -> None:
    """A learning switch without spanning tree: its ports forward at once.

    Without multicast snooping too, which holds back the first neighbour
    solicitations of IPv6 on a port that has just come up.
    """
    kernel.link(
        "add",
        ifname=BRIDGE,
        kind="bridge",
        # Else the kernel announces the bridge and its ports 15 s later once more.
        br_forward_delay=0,
        mtu=mtu,
        br_stp_state=0,
        br_mcast_snooping=0,
    )
    _up(kernel, BRIDGE)


def _up(kernel: IPRoute, name: str) -> None:
    kernel.link("set", index=_index(kernel, name), state="up")


def _index(kernel: IPRoute, name: str) -> int:
    return int(kernel.link_lookup(ifname=name)[0])


def _address(
    kernel: IPRoute, name: str, interface: IPv4Interface | IPv6Interface
) -> None:
    flags = {"flags": _NO_DAD} if isinstance(interface, IPv6Interface) else {}
    kernel.addr(
        "add",
        index=_index(kernel, name),
        address=str(interface.ip),
        prefixlen=interface.network.prefixlen,
        **flags,
    )


def _configure(settings: dict[str, str]) -> None:
    """Write sysctls of the namespace that the calling thread is in."""
    for name, value in settings.items():
        Path("/proc/sys", name).write_text(value)


@contextmanager
def _namespace(name: str) -> Iterator[int]:
    descriptor = os.open(namespaces.DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
