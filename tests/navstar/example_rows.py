"""The rows of one agent with a few others, by number."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from navstar.diff import diff
from navstar.tables import Addr, Fdb, Link, Neighbour, Route, Row, Rule

DEPTH = {Link: 0, Addr: 1, Neighbour: 2, Fdb: 3, Route: 4, Rule: 5}

VTEP = "vtk1024"
LINK = Link(VTEP, 1024, 64000, IPv4Address("10.0.0.1"), "70:b3:d5:80:00:01", mtu=1450)
GROUND: frozenset[Row] = frozenset(
    {
        LINK,
        Addr(VTEP, IPv4Interface("44.128.0.1/20")),
        Addr(VTEP, IPv6Interface("fd01:a::1/64")),
        Rule(IPv4Network("9.0.0.0/8")),
        Rule(IPv6Network("fd01:b::/64")),
    }
)


def path_to(n: int, agent: int | None = None):
    """The rows that lead to agent number `n`, in both families."""
    mac = f"70:b3:d5:80:00:{n:02x}"
    v4, v6 = IPv4Address(f"44.128.0.{n}"), IPv6Address(f"fd01:a::{n:x}")
    host = IPv4Address(f"10.0.0.{agent or n}")
    return frozenset(
        {
            Neighbour(VTEP, v4, mac),
            Neighbour(VTEP, v6, mac),
            Fdb(VTEP, mac, host),
            Route(VTEP, IPv4Network(f"9.0.{n}.0/24"), v4, 1 + n),
            Route(VTEP, IPv6Network(f"fd01:b:0:0:{n:x}::/80"), v6, 1 + n),
            Route(VTEP, IPv4Network(f"{host}/32"), v4, 1 + n, 42),
        }
    )


def insertion_order(rows):
    """What a row needs comes before it."""
    return sorted(rows, key=lambda row: (DEPTH[type(row)], str(row)))


def reach(kernel, desired):
    applied = kernel.apply(diff(desired, kernel.dump()))
    assert applied.refused == ()
    assert kernel.dump() == desired
    return applied
