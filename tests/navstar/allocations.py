"""Allocations and lines for tests: one of each by default, and any that is valid."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)

from hypothesis import strategies as st

from navstar.allocation import Allocation, Overlay, Vtep
from navstar.line import Line

VTEP = Vtep(
    name="vtep1024",
    vni=1024,
    mac="70:b3:d5:80:00:01",
    address=IPv4Interface("44.128.0.1/20"),
    address6=IPv6Interface("fd01:a::1/64"),
    mtu=1450,
)
DCOS = Overlay(
    name="dcos",
    vtep=VTEP,
    subnet=IPv4Network("9.0.0.0/8"),
    block=IPv4Network("9.0.1.0/24"),
    subnet6=IPv6Network("fd01:b::/64"),
    block6=IPv6Network("fd01:b:0:0:1::/80"),
)
ALLOCATION = Allocation(overlays=(DCOS,))


def with_vtep(overlay: Overlay = DCOS, **changed: object) -> Overlay:
    """The overlay with some fields of its VTEP changed."""
    return replace(overlay, vtep=replace(overlay.vtep, **changed))  # type: ignore[arg-type]


macs = st.binary(min_size=6, max_size=6).map(
    lambda octets: bytes([octets[0] & 0xFE, *octets[1:5], octets[5] | 1]).hex(":")
)
node_ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
names = st.text("abcdefghij-0123456789", min_size=1, max_size=12)
underlay4 = st.integers(1, 250).map(lambda n: ip_address(f"10.0.0.{n}"))
underlay6 = st.integers(1, 250).map(lambda n: ip_address(f"fd00::{n:x}"))


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Any line that an agent may publish."""
    number = draw(st.integers(1, 4000))
    if draw(st.booleans()):
        overlay, subnet = "9.0.0.0/8", f"9.{number >> 8}.{number & 255}.0/24"
        vtep = f"44.128.{number >> 8}.{number & 255 | 1}/20"
    else:
        overlay, subnet = "fd01:b::/64", f"fd01:b:0:0:{number:x}::/80"
        vtep = f"fd01:a::{number:x}/64"
    return Line(
        overlay=ip_network(overlay),
        vtep=ip_interface(vtep),
        mac=draw(macs),
        agent_ip=draw(underlay4 | underlay6),
        subnet=ip_network(subnet),
        vni=draw(st.integers(1, 2**24 - 1)),
        port=draw(st.integers(1, 65_535)),
        node=draw(node_ids),
        name=draw(names),
        underlay4=draw(st.none() | underlay4),
        underlay6=draw(st.none() | underlay6),
        mtu=draw(st.none() | st.integers(1280, 65_535)),
        dual=draw(st.booleans()),
        claimed_at=draw(st.integers(0, 2**63)),
    )
