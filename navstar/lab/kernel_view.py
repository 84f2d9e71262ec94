"""What is in a namespace's kernel, looked at without navstar's own eyes.

navstar must not be its own witness. So the lab dumps with pyroute2 what navstar
programs with messages of its own, and writes each thing as one line, so that two
looks can be compared as sets and a difference can be read by a person:

    route inet 9.0.2.0/24 via 44.128.0.2 dev vtep1024 table 254 proto 78 metric 3
    fdb 70:b3:d5:80:00:02 dev vtep1024 dst 10.0.0.2

Left out is what the kernel itself changes: learnt neighbours, learnt FDB rows of
bridges, counters, lifetimes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink import nlmsg

from navstar.lab import namespaces

#: Everything in one namespace, a line each.
Snapshot: TypeAlias = frozenset[str]

_FAMILIES = {socket.AF_INET: "inet", socket.AF_INET6: "inet6", socket.AF_BRIDGE: "fdb"}
_IFF_UP = 0x1
NUD_PERMANENT = 0x80


def snapshot(namespace: str) -> Snapshot:
    """Everything in a namespace that somebody has put there."""

    def look() -> Snapshot:
        with IPRoute() as kernel:
            return frozenset(_lines(kernel))

    return namespaces.inside(namespace, look)


def words(line: str) -> frozenset[str]:
    """The words of a line, for asking whether it names something."""
    return frozenset(line.split())


def about(lines: Iterable[str], traces: frozenset[str]) -> Snapshot:
    """The lines that name any of the given words."""
    return frozenset(line for line in lines if words(line) & traces)


def device_names(kernel: IPRoute) -> dict[int, str]:
    """Names of the links by index."""
    return {each["index"]: each.get_attr("IFLA_IFNAME") for each in kernel.get_links()}


def _lines(kernel: IPRoute) -> Iterator[str]:
    names = device_names(kernel)
    dumps = (
        kernel.get_links(),
        kernel.get_addr(),
        kernel.get_routes(family=socket.AF_INET),
        kernel.get_routes(family=socket.AF_INET6),
        kernel.get_rules(family=socket.AF_INET),
        kernel.get_rules(family=socket.AF_INET6),
        kernel.get_neighbours(family=socket.AF_INET),
        kernel.get_neighbours(family=socket.AF_INET6),
        kernel.fdb("dump"),
    )
    for dump in dumps:
        for message in dump:
            line = describe(message, names)
            if line is not None:
                yield line


def describe(message: nlmsg, names: dict[int, str]) -> str | None:
    """A dumped or announced message as a line; None if it is the kernel's own doing.

    Args:
        message: Of pyroute2.
        names: Of the links by index.
    """
    match message["event"].partition("_")[2][3:]:
        case "LINK":
            return _link(message)
        case "ADDR":
            return _address(message, names)
        case "ROUTE":
            return _route(message, names)
        case "RULE":
            return _rule(message)
        case "NEIGH":
            return _neighbour(message, names)
        case _:
            return None


def _link(message: nlmsg) -> str | None:
    if message["family"] == socket.AF_BRIDGE:
        return None  # a port's state, as its bridge sees it
    information = message.get_attr("IFLA_LINKINFO")
    kind = information.get_attr("IFLA_INFO_KIND") if information else None
    line = (
        f"link {message.get_attr('IFLA_IFNAME')} kind {kind} "
        f"mac {message.get_attr('IFLA_ADDRESS')} mtu {message.get_attr('IFLA_MTU')} "
        f"{'up' if message['flags'] & _IFF_UP else 'down'}"
    )
    if kind == "vxlan":
        data = information.get_attr("IFLA_INFO_DATA")
        line += (
            f" alias {message.get_attr('IFLA_IFALIAS')}"
            f" id {data.get_attr('IFLA_VXLAN_ID')}"
            f" port {data.get_attr('IFLA_VXLAN_PORT')}"
            f" learning {data.get_attr('IFLA_VXLAN_LEARNING')}"
        )
    return line


def _address(message: nlmsg, names: dict[int, str]) -> str:
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return (
        f"addr {_FAMILIES[message['family']]} {address}/{message['prefixlen']} "
        f"dev {names.get(message['index'])} proto {message.get_attr('IFA_PROTO')}"
    )


def _route(message: nlmsg, names: dict[int, str]) -> str | None:
    family = _FAMILIES.get(message["family"])
    if family is None:
        return None
    destination = message.get_attr("RTA_DST") or "default"
    return (
        f"route {family} {destination}/{message['dst_len']} "
        f"via {message.get_attr('RTA_GATEWAY')} "
        f"dev {names.get(message.get_attr('RTA_OIF'))} "
        f"table {message.get_attr('RTA_TABLE')} proto {message['proto']} "
        f"metric {message.get_attr('RTA_PRIORITY')} type {message['type']}"
    )


def _rule(message: nlmsg) -> str | None:
    family = _FAMILIES.get(message["family"])
    if family is None:
        return None
    source = message.get_attr("FRA_SRC") or "all"
    return (
        f"rule {family} priority {message.get_attr('FRA_PRIORITY')} "
        f"from {source}/{message['src_len']} table {message.get_attr('FRA_TABLE')} "
        f"proto {message.get_attr('FRA_PROTOCOL')}"
    )


def _neighbour(message: nlmsg, names: dict[int, str]) -> str | None:
    family = _FAMILIES.get(message["family"])
    device = names.get(message["ifindex"])
    mac, target = message.get_attr("NDA_LLADDR"), message.get_attr("NDA_DST")
    if family == "fdb":
        # Rows of a bridge have no destination: its ports' and learnt ones.
        return f"fdb {mac} dev {device} dst {target}" if target else None
    if family is None or not message["state"] & NUD_PERMANENT:
        return None
    return f"neigh {family} {target} mac {mac} dev {device}"
