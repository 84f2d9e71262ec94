"""Faults done by plain commands, as an operator or another daemon would."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.faults.fault import Fault, run, victim_of
from navstar.lab.laboratory import Lab


def _one(
    name: str, *commands: str, can_lose: bool = True, within: float = 1.0
) -> Fault:
    return Fault(name, by_commands(*commands), can_lose=can_lose, within=within)


def by_commands(*commands: str) -> Callable[[Lab], None]:
    """Run commands where the struck agent is, one after another."""

    def strike(lab: Lab) -> None:
        for command in commands:
            run(victim_of(lab), command)

    return strike


#: The struck agent is number 2, and its peer number 1.
COMMANDS = (
    _one(
        "FDB row deleted",
        "bridge fdb del 70:b3:d5:80:00:01 dev vtep1024 dst 10.0.0.1 self",
    ),
    _one("neighbour deleted, v4", "ip neigh del 44.128.0.1 dev vtep1024"),
    _one("neighbour deleted, v6", "ip neigh del fd01:a::1 dev vtep1024"),
    _one("route deleted, v4", "ip route del 9.0.1.0/24 dev vtep1024"),
    _one("route deleted, v6", "ip -6 route del fd01:b:0:0:1::/80 dev vtep1024"),
    _one("host route deleted, v4", "ip route del 10.0.0.1 table 42", can_lose=False),
    _one("host route deleted, v6", "ip -6 route del fd00::1 table 42", can_lose=False),
    _one("rule deleted, v4", "ip rule del from 9.0.0.0/8", can_lose=False),
    _one("rule deleted, v6", "ip -6 rule del from fd01:b::/64", can_lose=False),
    _one("VTEP address deleted, v4", "ip addr del 44.128.0.2/20 dev vtep1024"),
    _one("VTEP address deleted, v6", "ip -6 addr del fd01:a::2/64 dev vtep1024"),
    _one("VTEP set down", "ip link set vtep1024 down"),
    _one("VTEP set down and up", "ip link set vtep1024 down",
         "ip link set vtep1024 up"),
    _one("VTEP deleted", "ip link del vtep1024"),
    _one("VTEP MAC changed", "ip link set vtep1024 address 02:00:00:00:00:99"),
    _one("VTEP MTU changed", "ip link set vtep1024 mtu 1400", can_lose=False),
    _one(
        "VTEP learning switched on",
        "ip link set vtep1024 type vxlan learning",
        can_lose=False,
    ),
    _one(
        "IPv6 of the VTEP switched off",
        "echo 1 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
    ),
    _one(
        "IPv6 of the VTEP switched off and on",
        "echo 1 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
        "echo 0 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
    ),
    _one("neighbour replaced by another MAC", "ip neigh replace 44.128.0.1 "
         "lladdr 02:00:00:00:00:77 dev vtep1024 nud permanent"),
    _one("FDB row led elsewhere", "bridge fdb replace 70:b3:d5:80:00:01 dev vtep1024 "
         "dst 10.0.0.77 self permanent"),
    _one("all routes of ours flushed", "ip route flush table all proto 78",
         "ip -6 route flush table all proto 78"),
    _one("all neighbours of the VTEP flushed", "ip neigh flush dev vtep1024 nud all"),
    _one("underlay link down and up", "ip link set eth0 down", "sleep 0.3",
         "ip link set eth0 up", "ip -6 addr add fd00::2/64 dev eth0 nodad"),
    _one("underlay address removed and back", "ip addr del 10.0.0.2/24 dev eth0",
         "sleep 0.3", "ip addr add 10.0.0.2/24 dev eth0", within=2.0),
)  # fmt: skip
