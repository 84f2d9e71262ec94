"""The lines of agents by number, and what one agent makes of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
)

from navstar.allocation import Allocation, Overlay, Vtep
from navstar.line import Line
from navstar.overlay import Desired, Underlay, desired_rows
from navstar.tables import (
    Fdb,
    Neighbour,
    Route,
    Row,
)

SUBNET4, SUBNET6 = IPv4Network("9.0.0.0/8"), IPv6Network("fd01:b::/64")
ME = "01" * 16


def number(n: int) -> str:
    return f"{n:02x}" * 16


def mac(n: int) -> str:
    return f"70:b3:d5:80:00:{n:02x}"


def block4(n: int) -> IPv4Network:
    return IPv4Network(f"9.0.{n}.0/24")


def block6(n: int) -> IPv6Network:
    return IPv6Network(f"fd01:b:0:0:{n:x}::/80")


VTEP = Vtep(
    "vtep1024",
    1024,
    mac(1),
    address=IPv4Interface("44.128.0.1/20"),
    address6=IPv6Interface("fd01:a::1/64"),
)
DCOS = Overlay("dcos", VTEP, SUBNET4, block4(1), SUBNET6, block6(1))
UNDERLAY = Underlay(IPv4Address("10.0.0.1"), 1500)


def line4(n: int, **changes) -> Line:
    line = Line(
        overlay=SUBNET4,
        vtep=IPv4Interface(f"44.128.0.{n}/20"),
        mac=mac(n),
        agent_ip=IPv4Address(f"10.0.0.{n}"),
        subnet=block4(n),
        vni=1024,
        port=64000,
        node=number(n),
        name=f"a{n}",
        claimed_at=n,
    )
    return replace(line, **changes)


def line6(n: int, **changes) -> Line:
    changes = {
        "overlay": SUBNET6,
        "vtep": IPv6Interface(f"fd01:a::{n:x}/64"),
        "subnet": block6(n),
    } | changes
    return line4(n, **changes)


def desire(*lines: Line, overlays=(DCOS,), underlay=UNDERLAY) -> Desired:
    return desired_rows(Allocation(overlays), lines, underlay=underlay, me=ME)


def led_to(desired: Desired) -> set[Row]:
    """The rows that lead to others."""
    return {r for r in desired.rows if isinstance(r, Neighbour | Fdb | Route)}
