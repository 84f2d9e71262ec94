"""Others who have what navstar needs: UDP ports, VNIs, names of devices, rules."""

from __future__ import annotations

from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs
from navstar.netlink_codec import (
    AF_INET,
    AF_INET6,
    RULE_HEADER,
    U32,
    Message,
    Rtm,
    attributes,
)
from navstar.netlink_socket import NetlinkSocket
from navstar.overlay_backend import Kernel
from navstar.socket_owner import socket_owner
from navstar.tables import Link, address_of_bytes

_FRA_PRIORITY, _FRA_PROTOCOL = 6, 21
_FRA_FWMARK, _FRA_SUPPRESS = 10, 14


def check_ports(host: Host, needs: Needs) -> Iterator[Finding]:
    """The VXLAN port is free, or the kernel's own."""
    for port in sorted({vtep.port for vtep in needs.vteps}):
        for inode in _sockets_at(host, port):
            owner = socket_owner(inode, host.path("/proc"))
            if owner is None:
                continue  # The kernel's own socket, of a VTEP.
            yield Finding(
                "port",
                Level.FAULT,
                f"UDP port {port} belongs to {owner}",
                "the kernel cannot bring the VTEP up (address in use), and packets "
                "of other agents go to that process",
                f"stop {owner}, or give the VTEP another port in every allocation",
            )


def _sockets_at(host: Host, port: int) -> set[int]:
    """Inodes of the sockets at a UDP port."""
    found = set()
    for table in ("udp", "udp6"):
        for line in (host.text(f"/proc/thread-self/net/{table}") or "").splitlines()[
            1:
        ]:
            fields = line.split()
            if len(fields) > 9 and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(int(fields[9]))
    return found


def check_links(host: Host, needs: Needs) -> Iterator[Finding]:
    """No foreign device has the VTEP's name, or its VNI and port."""
    # Whatever is not looked at: only name, VNI and port decide.
    anywhere = address_of_bytes(bytes(4))
    links = [
        Link(vtep.name, vtep.vni, vtep.port, anywhere, "", 0) for vtep in needs.vteps
    ]
    with Kernel() as kernel:
        in_the_way = kernel.links_in_the_way(links)
    for link in in_the_way:
        yield Finding(
            "links",
            Level.FAULT,
            link.problem,
            f"{link.name} cannot be made; navstar touches nothing that it did not make",
            f"ip link del {link.problem.split()[0]}, if nobody needs it"
            if " has VNI " in link.problem
            else f"ip link del {link.name}, if nobody needs it",
        )


def check_rules(host: Host, needs: Needs) -> Iterator[Finding]:
    """No foreign rule that catches everything comes before ours."""
    with NetlinkSocket() as netlink:
        for family, name in ((AF_INET, "ip"), (AF_INET6, "ip -6")):
            body = RULE_HEADER.pack(family, 0, 0, 0, 0, 0, 0)
            for found in netlink.dump(Rtm.GETRULE, body, _catches_all):
                priority, table = found
                if 0 < priority < needs.rule_priority and table != needs.table:
                    yield Finding(
                        "rules",
                        Level.WARNING,
                        f"rule {priority} sends every packet to table {table} first",
                        "if that table has a route for an agent's address (a default "
                        "route is enough), containers reach that agent past the tunnel",
                        f"{name} rule del priority {priority}, "
                        "or a lower [overlay] rule_priority",
                    )


def _catches_all(got: Message) -> tuple[int, int] | None:
    """Priority and table of a rule without any condition."""
    _, to_length, from_length, _, table, action, flags = RULE_HEADER.unpack_from(
        got.body
    )
    told = attributes(got.body, RULE_HEADER.size)
    # Attributes above are conditions, but for those that say what to do.
    conditions = set(told) - {_FRA_PRIORITY, _FRA_PROTOCOL, _FRA_SUPPRESS, 15, 13}
    if to_length or from_length or flags or action != 1 or conditions:
        return None
    if told.get(_FRA_SUPPRESS, b"\xff\xff\xff\xff") != b"\xff\xff\xff\xff":
        return None
    priority = U32.unpack(told[_FRA_PRIORITY])[0] if _FRA_PRIORITY in told else 0
    return priority, U32.unpack(told[15])[0] if 15 in told else table
