"""Each problem of a host, planted in a namespace, and found."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from pyroute2.nftables.expressions import genex
from pyroute2.nftables.main import NFTables

from navstar.doctor.examination import CHECKS, examine
from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, NeededVtep, Needs
from navstar.netlink_codec import attribute, error_of, message, messages
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


def accepting(*names: bytes, reads: int = 6) -> None:
    """A rule for each name of an incoming device: `iifname` is the key 6 of meta."""
    with NFTables(nfgen_family=1) as nft:
        nft.table("add", name="filter")
        nft.chain("add", table="filter", name="mine")
        for name in names:
            value = {"attrs": [("NFTA_DATA_VALUE", name)]}
            meta = genex("meta", {"key": reads, "dreg": 1})
            cmp = genex("cmp", {"sreg": 1, "op": 0, "data": value})
            nft.rule("add", table="filter", chain="mine", expressions=[[meta], [cmp]])


def accepting_the_vtep() -> None:
    accepting(b"vtep1024".ljust(16, b"\0"))


def accepting_vteps() -> None:
    accepting(b"vtep", b"v1024-64000".ljust(16, b"\0"))


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
    (
        accepting_the_vtep,
        "firewall rules",
        Level.WARNING,
        "(mine) name vtep1024 and not v1024-64000, w1024-64000",
    ),
    (accepting_vteps, "firewall rules", Level.WARNING, "and not w1024-64000"),
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


@pytest.mark.parametrize(
    ("names", "reads"),
    [
        ([b"vtep1024", b"v1024-64000", b"w1024-64000"], 6),
        ([b"eth0"], 6),
        # The mark of a packet is no device.
        ([b"vtep1024"], 3),
    ],
    ids=["all", "another", "no device"],
)
def test_rules_that_name_every_device_or_none_are_fine(names, reads):
    @in_namespace
    def _():
        sound_host()
        width = 16 if reads == 6 else 4
        accepting(*(name.ljust(width, b"\0")[:width] for name in names), reads=reads)

        assert of_this_namespace(examine(Host(), NEEDS)) == []


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, "big"))


def accepting_a_set_of(name: str) -> None:
    """A rule with braces, as `nft` writes it: pyroute2 has no sets of device names."""
    accepting()
    key = attribute(1, attribute(1, name.encode().ljust(16, b"\0")))
    meta = text(1, "meta") + attribute(2, u32(2, 6) + u32(1, 1))
    lookup = text(1, "lookup") + attribute(2, text(1, "s") + u32(2, 1))
    # Kind, flags beyond REQUEST and ACK, attributes: a set, its element, a rule.
    asked = (
        (9, 0x400, text(1, "filter") + text(2, "s") + u32(5, 16) + u32(10, 1)),
        (12, 0x400, text(1, "filter") + text(2, "s") + attribute(3, attribute(1, key))),
        (6, 0xC00, text(1, "filter") + text(2, "mine")
         + attribute(4, attribute(1, meta) + attribute(1, lookup))),
    )  # fmt: skip
    frame = b"\0\0\0\x0a"
    batch = message(0x10, 1, 0, frame)
    for number, (kind, flags, body) in enumerate(asked, 1):
        batch += message(10 << 8 | kind, flags | 5, number, b"\1\0\0\0" + body)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.send(batch + message(0x11, 1, 9, frame))
        netlink.settimeout(2)
        answers = [netlink.recv(1 << 16) for _ in asked]
    errors = [error_of(got) for answer in answers for got in messages(answer)]
    assert {number for number, _ in errors} == {0}, errors


def test_the_names_in_a_set_count():
    @in_namespace
    def _():
        sound_host()
        accepting_a_set_of("vtep1024")

        (found,) = of_this_namespace(examine(Host(), NEEDS))

        assert "name vtep1024 and not" in found.problem


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
