"""What only the real kernel can show, in a namespace of its own."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
)
from pathlib import Path

import pytest

from navstar.diff import diff
from navstar.overlay_backend import Kernel, UnderlayDevice
from navstar.tables import Addr, Fdb, Neighbour, Route, Row
from tests.kernel_namespace import in_namespace, ip
from tests.navstar.example_rows import (
    GROUND,
    LINK,
    VTEP,
    path_to,
    reach,
)

pytestmark = pytest.mark.kernel


def test_a_restart_writes_nothing():
    @in_namespace
    def _():
        desired = GROUND | path_to(2)
        with Kernel() as kernel:
            reach(kernel, desired)

        with Kernel() as kernel:
            assert kernel.apply(diff(desired, kernel.dump())).writes == 0


def test_what_strangers_have_is_neither_shown_nor_touched():
    @in_namespace
    def _():
        with Kernel() as kernel:
            ip("link add v0 type veth peer name v1")
            ip("addr add 10.0.0.1/24 dev v0")
            ip("link set v0 up")
            ip("link set v1 up")
            ip("link add vx9 type vxlan id 9 dstport 64000 local 10.0.0.1")
            ip("route add 9.0.77.0/24 via 10.0.0.7 metric 3")
            ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0")
            ip("rule add from 9.0.0.0/8 lookup 42 priority 32000")
            before = snapshot()

            assert kernel.dump() == frozenset()
            reach(kernel, GROUND | path_to(2))
            reach(kernel, frozenset())

            assert snapshot() == before


def snapshot() -> list[str]:
    return [
        ip("link show"),
        ip("-4 route show table all"),
        ip("neigh show nud permanent"),
        ip("rule show"),
    ]


def test_links_in_the_way_are_named():
    @in_namespace
    def _():
        with Kernel() as kernel:
            assert kernel.links_in_the_way(GROUND) == ()
            ip("link add vx9 type vxlan id 1024 dstport 64000 local 1.2.3.4")
            (vxlan,) = kernel.links_in_the_way(GROUND)
            ip(f"link add {VTEP} type bridge")
            (named,) = kernel.links_in_the_way(GROUND)

            assert "vx9 has VNI 1024 and port 64000" in vxlan.problem
            assert named.name == VTEP
            assert "navstar did not make it" not in named.problem
            assert "exists that navstar did not make" in named.problem


def test_one_vxlan_stands_on_both_underlay_families_and_leads_out_by_both():
    @in_namespace
    def _():
        second = replace(
            LINK, name="w1024-64000", local=IPv6Address("fd00::1"), loose=True
        )
        ground = {
            second,
            Addr(second.name, IPv4Interface("44.128.0.1/32")),
            Addr(second.name, IPv6Interface("fd01:a::1/64")),
        }
        there = {
            Fdb(second.name, row.mac, IPv6Address("fd00::3"))
            if isinstance(row, Fdb)
            else replace(row, link=second.name)
            for row in path_to(3)
        }
        with Kernel() as kernel:
            reach(kernel, GROUND | path_to(2) | ground | there)

            assert "rp_filter loose" in ip(f"-4 netconf show dev {second.name}")
            assert f"dev {second.name}" in ip("route get 9.0.3.1")
            assert f"dev {second.name}" in ip("route get fd01:b:0:0:3::1")
            assert f"dev {VTEP}" in ip("route get fd01:b:0:0:2::1")
            reach(kernel, GROUND | path_to(2))
            assert f"dev {VTEP}" in ip("route get fd01:a::2")


def test_ipv6_is_switched_on_for_the_vtep_and_its_address_usable_at_once():
    @in_namespace
    def _():
        switch = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
        switch.write_text("1")
        with Kernel() as kernel:
            reach(kernel, GROUND | path_to(2))

            shown = ip(f"-6 addr show dev {VTEP}")
            assert "fd01:a::1/64" in shown
            address = next(line for line in shown.splitlines() if "fd01:a::1" in line)
            assert "tentative" not in address


def test_a_vtep_is_an_island_that_learns_nothing():
    @in_namespace
    def _():
        with Kernel() as kernel:
            reach(kernel, frozenset({LINK}))

            shown = ip(f"-details link show {VTEP}")
            assert "nolearning" in shown
            assert "alias navstar" in shown
            assert "UP" in shown


def test_a_route_of_ours_on_a_strangers_link_is_ours_to_delete():
    @in_namespace
    def _():
        with Kernel() as kernel:
            ip("link add v0 type veth peer name v1")
            ip("addr add 10.0.0.1/24 dev v0")
            ip("link set v0 up")
            words = "add 9.0.5.0/24 via 10.0.0.5 dev v0 proto 78 metric 6"
            ip(f"route {words}")

            subnet, via = IPv4Network("9.0.5.0/24"), IPv4Address("10.0.0.5")
            assert kernel.dump() == {Route("v0", subnet, via, 6)}
            reach(kernel, frozenset())


def test_the_device_and_the_address_below_are_found():
    @in_namespace
    def _():
        with Kernel() as kernel:
            ip("link add v0 mtu 1400 type veth peer name v1")
            ip("addr add 10.0.0.1/24 dev v0")
            ip("-6 addr add fd00::1/64 dev v0 nodad")
            ip("link set v0 up")
            ip("link set v1 up")
            reach(kernel, GROUND)

            v4, v6 = IPv4Address("10.0.0.1"), IPv6Address("fd00::1")
            assert kernel.underlay(v4) == UnderlayDevice("v0", 1400)
            assert kernel.underlay(v6) == UnderlayDevice("v0", 1400)
            assert kernel.underlay(IPv4Address("10.0.0.2")) is None
            assert kernel.local_address(IPv4Address("10.0.0.9")) == v4
            assert kernel.local_address(IPv6Address("fd00::9")) == v6
            assert kernel.local_address(IPv4Address("192.0.2.1")) is None
            assert kernel.host_addresses() == {v4, v6}


def many_agents(count: int):
    """Rows of so many agents that they take more than one batch."""
    rows: set[Row] = set(GROUND)
    for n in range(2, count + 2):
        mac = f"70:b3:d5:80:{n >> 8:02x}:{n & 255:02x}"
        v4 = IPv4Address("44.128.0.0") + n
        rows |= {
            Neighbour(VTEP, v4, mac),
            Fdb(VTEP, mac, IPv4Address("10.0.0.0") + n),
            Route(
                VTEP, IPv4Network((int(IPv4Address("9.0.0.0")) + n * 256, 24)), v4, n
            ),
        }
    return frozenset(rows)


def test_thousands_of_rows_go_in_and_come_back():
    @in_namespace
    def _():
        desired = many_agents(1000)
        with Kernel() as kernel:
            reach(kernel, desired)
            assert len(kernel.dump()) == 3 * 1000 + len(GROUND)
            reach(kernel, GROUND)
