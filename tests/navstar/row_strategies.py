"""Sets of rows as a kernel could have them, small enough to collide often."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)

from hypothesis import strategies as st

from navstar.diff import vxlan_identity
from navstar.tables import Addr, Fdb, Link, Neighbour, Route, Row, Rule, kernel_key
from simulations.kernel import set_link_down

MACS = ["70:b3:d5:80:00:01", "70:b3:d5:80:00:02"]
V4_AGENTS = [IPv4Address("10.0.0.3"), IPv4Address("10.0.0.4")]
V6_AGENTS = [IPv6Address("fd00::3"), IPv6Address("fd00::4")]

names = st.sampled_from(["vtka", "vtkb"])
macs = st.sampled_from(MACS)
links = st.builds(
    Link,
    name=names,
    vni=st.sampled_from([7, 8]),
    port=st.just(64000),
    local=st.sampled_from(
        [IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv6Address("fd00::1")]
    ),
    mac=macs,
    mtu=st.sampled_from([1400, 1450]),
)
V4_ADDRS = [
    IPv4Interface("44.128.0.1/20"),
    IPv4Interface("44.128.0.1/16"),
    IPv4Interface("44.128.0.2/20"),
]
#: Each VTEP has an IPv6 network of its own: the kernel refuses a gateway that it
#: knows to be on another link ("device mismatch").
VTEP_NETWORK6 = {"vtka": "fd01:a", "vtkb": "fd01:c"}


def on_each_link(make, hosts6, others):
    """Rows of either link: with any of `others`, or with an address of its own."""
    return st.one_of(
        *(
            st.builds(
                make,
                st.just(name),
                others | st.sampled_from([f"{prefix}::{host}" for host in hosts6]),
            )
            for name, prefix in VTEP_NETWORK6.items()
        )
    )


def _interface(address):
    return IPv6Interface(address) if isinstance(address, str) else address


addrs = on_each_link(
    lambda name, address: Addr(name, _interface(address)),
    ["1/64", "1/80", "2/64"],
    st.sampled_from(V4_ADDRS),
)
remotes4 = st.sampled_from([IPv4Address("44.128.0.3"), IPv4Address("44.128.0.4")])
neighbours = st.builds(
    lambda pair, mac: Neighbour(pair[0], pair[1], mac),
    on_each_link(
        lambda name, address: (name, ip_address(str(address))), ["3", "4"], remotes4
    ),
    macs,
)
#: Numbers that no link here has: the kernel does not tell those that the link has.
fdbs = st.builds(
    Fdb,
    names,
    macs,
    st.sampled_from([*V4_AGENTS, *V6_AGENTS]),
    st.sampled_from([None, None, 1030]),
    st.sampled_from([None, None, 64001]),
)
metrics = st.sampled_from([3, 4])
tables = st.sampled_from([42, 254, 1000])
routes = st.builds(
    Route,
    names,
    st.sampled_from([IPv4Network("9.0.3.0/24"), IPv4Network("10.0.0.3/32")]),
    remotes4,
    metrics,
    tables,
) | st.builds(
    lambda pair, *rest: Route(pair[0], rest[0], pair[1], *rest[1:]),
    on_each_link(
        lambda name, address: (name, IPv6Address(address)), ["3", "4"], st.nothing()
    ),
    st.sampled_from([IPv6Network("fd01:b:0:0:3::/80"), IPv6Network("fd00::3/128")]),
    metrics,
    tables,
)
rules = st.builds(
    Rule,
    st.sampled_from([IPv4Network("9.0.0.0/8"), IPv6Network("fd01:b::/64")]),
    st.sampled_from([42, 1000]),
    st.sampled_from([31000, 32000]),
)


def _consistent(rows: list[Row]) -> frozenset[Row]:
    """The rows a kernel could hold at once: one per key, each on a fitting link."""
    found: dict[tuple[object, ...], Row] = {}
    taken = set()
    for link in (row for row in rows if isinstance(row, Link)):
        if vxlan_identity(link) not in taken and kernel_key(link) not in found:
            taken.add(vxlan_identity(link))
            found[kernel_key(link)] = link
    known = {row.name: row for row in found.values() if isinstance(row, Link)}
    for row in rows:
        match row:
            case Link():
                continue
            case Fdb(name, _, agent):
                fits = name in known and known[name].local.version == agent.version
            case Addr(name) | Neighbour(name) | Route(name):
                fits = name in known
            case _:
                fits = True
        if fits:
            found.setdefault(kernel_key(row), row)
    return frozenset(found.values())


wanted_tables = st.tuples(
    st.lists(links, max_size=3),
    st.lists(addrs | neighbours | fdbs | routes | rules, max_size=14),
).map(lambda parts: _consistent([*parts[0], *parts[1]]))


def _disturbed(rows: frozenset[Row], down: list[str], learn: list[str]):
    """Somebody set links down, or switched learning on."""
    for name in down:
        rows = set_link_down(rows, name)
    return frozenset(
        replace(row, up=row.name not in down, learning=row.name in learn)
        if isinstance(row, Link)
        else row
        for row in rows
    )


found_tables = st.builds(
    _disturbed, wanted_tables, st.lists(names, max_size=1), st.lists(names, max_size=1)
)
