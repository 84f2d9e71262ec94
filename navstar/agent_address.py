"""Which addresses of this host the other agents send VXLAN packets to."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from navstar.allocation import Allocation, IpAddress, Network
from navstar.config import Config
from navstar.line import Line


def agent_address(
    config: Config,
    allocation: Allocation,
    *,
    own: Iterable[IpAddress],
    before: IpAddress | None,
) -> IpAddress | None:
    """This agent's underlay address, or None if nothing tells it.

    The operator's word comes first, then the source's, then the address that a
    packet to a seed leaves from, then the one that lashup uses. A loopback address
    is none that another host could send to.

    What was found out by itself stays in its family: a VTEP has one, and an IPv4
    address that is away for a moment must not cost every tunnel of a host that has an
    IPv6 address as well.

    Args:
        config: The operator's word.
        allocation: The source's word.
        own: Where lashup is reached, those that others are told first.
        before: What it was last, if that is known; returned if nothing of its
            family can be found.
    """
    if config.overlay.agent_ip is not None:
        return config.overlay.agent_ip
    if allocation.agent_ip is not None:
        return allocation.agent_ip
    above = overlaid(allocation, ())
    toward_seeds = (
        local_address(ip_address(host), above) for host, _ in config.lashup.seeds
    )
    found = (a for a in (*toward_seeds, *own) if a and not a.is_loopback)
    if before is None:
        return next(found, None)
    return of_family(found, before.version) or before


def usable(addresses: Iterable[tuple[str, int]]) -> tuple[IpAddress, ...]:
    """Those of lashup's addresses that another host could send to."""
    hosts = (ip_address(host) for host, _ in addresses)
    return tuple(a for a in hosts if not (a.is_loopback or a.is_unspecified))


def of_family(addresses: Iterable[IpAddress], version: int) -> IpAddress | None:
    """The first address of a family."""
    return next((a for a in addresses if a.version == version), None)


def overlaid(allocation: Allocation | None, said: Iterable[Line]) -> frozenset[Network]:
    """The networks that stand on the underlay, and so give no address of it.

    Args:
        allocation: None while the source has said nothing.
        said: This agent's own lines: what it had been given in an earlier run, the
            rows of which may still be in the kernel.
    """
    overlays = allocation.overlays if allocation is not None else ()
    subnets = (net for one in overlays for net in (one.subnet, one.subnet6))
    vteps = (at for one in overlays for at in (one.vtep.address, one.vtep.address6))
    return frozenset(
        (
            *(net for net in subnets if net is not None),
            *(at.network for at in vteps if at is not None),
            *(net for line in said for net in (line.overlay, line.vtep.network)),
        )
    )


def local_address(toward: IpAddress, above: Iterable[Network]) -> IpAddress | None:
    """The address that packets to another one leave from; None without a route.

    Nothing is sent: connecting a datagram socket only looks the route up. Where IPv6
    finds none, the kernel looks again with an address of its own choice
    (net/ipv6/ip6_output.c, ip6_dst_lookup_tail). If that is one of the overlay, the
    rule for table 42 leads it to every agent through the tunnel, which stands on the
    very route that is missing.

    Args:
        toward: Where packets would go.
        above: As `overlaid` gives them.
    """
    family = socket.AF_INET if toward.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(toward), 9))
            found = ip_address(probe.getsockname()[0])
    except OSError:
        return None
    return None if any(found in network for network in above) else found
