"""Each problem of a host, planted in a namespace, and found."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from pyroute2.nftables.main import NFTables

from navstar.doctor.examination import CHECKS, examine
from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, NeededVtep, Needs
from tests.kernel_namespace import in_namespace, ip

pytestmark = pytest.mark.kernel

VTEP = NeededVtep("vtep1024", 1024, 64000, 1450, frozenset({4, 6}))
NEEDS = Needs((VTEP,), agent_ip=ip_address("10.0.0.1"), agents=3)


def sysctl(name: str, value: int) -> None:
    Path("/proc/sys", name).write_text(str(value))


def sound_host() -> None:
    """A host without any of the problems, as far as a namespace can be one."""
    ip("link add under type veth peer name other")
    ip("addr add 10.0.0.1/24 dev under")
    ip("link set under up")
    sysctl("net/ipv4/ip_forward", 1)
    sysctl("net/ipv6/conf/all/forwarding", 1)
    sysctl("net/ipv4/conf/all/rp_filter", 0)
    sysctl("net/ipv4/conf/default/rp_filter", 0)


def forward_policy(policy: int, hook: str = "forward") -> None:
    with NFTables(nfgen_family=1) as nft:
        nft.table("add", name="filter")
        nft.chain(
            "add",
            table="filter",
            name="mine",
            hook=hook,
            type="filter",
            policy=policy,
        )


def foreign_vxlan() -> None:
    ip("link add vx9 type vxlan id 1024 dstport 64000 local 10.0.0.1")


def foreign_name() -> None:
    ip("link add vtep1024 type bridge")


def catch_all_rule() -> None:
    ip("rule add priority 100 lookup main")


def no_forwarding4() -> None:
    sysctl("net/ipv4/ip_forward", 0)


def no_forwarding6() -> None:
    sysctl("net/ipv6/conf/all/forwarding", 0)


def strict_rp_filter() -> None:
    sysctl("net/ipv4/conf/default/rp_filter", 1)


def small_underlay() -> None:
    ip("link set under mtu 1480")


def no_agent_address() -> None:
    ip("addr del 10.0.0.1/24 dev under")


def dropping() -> None:
    forward_policy(0)


Plant = Callable[[], None]
PLANTED: list[tuple[Plant, str, Level, str]] = [
    (no_forwarding4, "forwarding", Level.FAULT, "IPv4 forwarding is off"),
    (no_forwarding6, "forwarding", Level.FAULT, "IPv6 forwarding is off"),
    (strict_rp_filter, "rp_filter", Level.REMARK, "strict on vtep1024"),
    (small_underlay, "mtu", Level.WARNING, "room for 1430"),
    (no_agent_address, "agent address", Level.FAULT, "10.0.0.1"),
    (foreign_vxlan, "links", Level.FAULT, "vx9 has VNI 1024"),
    (foreign_name, "links", Level.FAULT, "a link named vtep1024"),
    (catch_all_rule, "rules", Level.WARNING, "rule 100 sends every packet"),
    (dropping, "firewall", Level.WARNING, "policy drop"),
]


def of_this_namespace(found: list[Finding]) -> list[Finding]:
    """Without what belongs to the machine, which a namespace shares."""
    shared = {"clock", "networkd", "NetworkManager", "kernel", "neighbours", "rights"}
    return [one for one in found if one.check not in shared]


def test_a_sound_host_has_nothing_to_mend():
    @in_namespace
    def _():
        sound_host()

        assert of_this_namespace(examine(Host(), NEEDS)) == []


@pytest.mark.parametrize(
    ("plant", "check", "level", "words"),
    [pytest.param(*each, id=each[0].__name__) for each in PLANTED],
)
def test_what_is_planted_is_found_with_its_cost_and_its_remedy(
    plant, check, level, words
):
    @in_namespace
    def _():
        sound_host()
        plant()

        (found,) = of_this_namespace(examine(Host(), NEEDS))

        assert (found.check, found.level) == (check, level)
        assert words in found.problem
        assert found.cost
        assert found.remedy


def test_a_process_at_the_vxlan_port_is_named():
    @in_namespace
    def _():
        sound_host()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 64000))  # noqa: S104

            (found,) = of_this_namespace(examine(Host(), NEEDS))

        assert found.check == "port"
        assert f"(pid {os.getpid()})" in found.problem


def test_the_kernels_own_vxlan_socket_is_no_clash():
    @in_namespace
    def _():
        sound_host()
        ip("link add vtep7 type vxlan id 7 dstport 64000 local 10.0.0.1")
        ip("link set vtep7 up")

        assert of_this_namespace(examine(Host(), NEEDS)) == []


@pytest.mark.parametrize(("policy", "hook"), [(1, "forward"), (0, "input")])
def test_a_chain_that_drops_nothing_that_is_passed_on_is_fine(policy, hook):
    @in_namespace
    def _():
        sound_host()
        forward_policy(policy, hook)

        assert of_this_namespace(examine(Host(), NEEDS)) == []


def test_examining_changes_nothing():
    @in_namespace
    def _():
        sound_host()
        before = ip("-d link show"), ip("addr show"), ip("rule show")

        examine(Host(), NEEDS)

        assert (ip("-d link show"), ip("addr show"), ip("rule show")) == before


def test_every_check_has_a_name():
    assert set(CHECKS) >= {
        *("kernel", "vxlan", "rights", "forwarding", "rp_filter", "neighbours"),
        *("mtu", "firewall", "networkd", "NetworkManager", "port", "clock"),
    }
