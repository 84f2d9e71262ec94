from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

import pytest

from navstar.allocation import Overlay
from navstar.checks import check_allocation
from tests.navstar.allocations import DCOS, VTEP, with_vtep

SECOND = replace(
    DCOS,
    name="blue",
    subnet=IPv4Network("11.0.0.0/8"),
    block=IPv4Network("11.0.1.0/24"),
    subnet6=IPv6Network("fd01:c::/64"),
    block6=IPv6Network("fd01:c:0:0:1::/80"),
)


def found(*overlays: Overlay) -> list[str]:
    return [str(finding.problem) for finding in check_allocation(overlays)]


def test_the_allocation_of_the_originals_documentation_is_right() -> None:
    assert found(DCOS) == []


def test_overlays_may_share_a_vtep() -> None:
    assert found(DCOS, SECOND) == []


def test_either_family_stands_alone() -> None:
    only4 = with_vtep(replace(DCOS, subnet6=None, block6=None), address6=None)
    only6 = with_vtep(replace(DCOS, subnet=None, block=None), address=None)

    assert found(only4) == []
    assert found(only6) == []


def test_an_agent_without_a_block_may_still_have_a_vtep() -> None:
    assert found(replace(DCOS, block=None, block6=None)) == []


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        (replace(DCOS, name="host"), "name: 'host' is reserved"),
        (replace(DCOS, name="fourteen-chars"), "name: 'fourteen-chars' should"),
        (replace(DCOS, name=""), "name: '' should"),
        (
            replace(DCOS, block=IPv4Network("10.0.1.0/24")),
            "block: 10.0.1.0/24 is outside the overlay 9.0.0.0/8",
        ),
        (
            replace(DCOS, block=IPv4Network("8.0.0.0/7")),
            "block: 8.0.0.0/7 is outside the overlay 9.0.0.0/8",
        ),
        (replace(DCOS, subnet=None), "subnet: is missing, but block is 9.0.1.0/24"),
        (
            replace(DCOS, subnet=None, block=None, subnet6=None, block6=None),
            "subnet: is missing, and subnet6 as well",
        ),
        (with_vtep(address=None), "vtep.address: is missing, but block is 9.0.1.0/24"),
        (with_vtep(name="a/b"), "vtep.name: 'a/b' cannot"),
        (with_vtep(name="sixteen-chars-xx"), "vtep.name: 'sixteen-chars-xx' cannot"),
        (with_vtep(name="ü" * 8), "vtep.name: 'üüüüüüüü' cannot"),
        (with_vtep(name=".."), "vtep.name: '..' cannot"),
        (with_vtep(name="v1024-64000"), "vtep.name: 'v1024-64000' is what"),
        (with_vtep(name="w7-1"), "vtep.name: 'w7-1' is what"),
        (with_vtep(vni=0), "vtep.vni: 0 is not in 1 to 16777215"),
        (with_vtep(vni=2**24), "vtep.vni: 16777216 is not in"),
        (with_vtep(port=0), "vtep.port: 0 is not in 1 to 65535"),
        (with_vtep(mac="01:00:5e:00:00:01"), "vtep.mac: '01:00:5e:00:00:01' is not"),
        (with_vtep(mac="70:b3:d5"), "vtep.mac: '70:b3:d5' is not"),
        (
            with_vtep(address=IPv4Interface("44.128.0.0/20")),
            "vtep.address: 44.128.0.0/20 is not the address of one host",
        ),
        (
            with_vtep(address=IPv4Interface("44.128.15.255/20")),
            "vtep.address: 44.128.15.255/20 is not the address of one host",
        ),
        (
            with_vtep(address6=IPv6Interface("ff02::1/64")),
            "vtep.address6: ff02::1/64 is not the address of one host",
        ),
        (
            with_vtep(address=IPv4Interface("9.200.0.1/20")),
            "vtep.address: 9.200.0.0/20 overlaps the subnet 9.0.0.0/8",
        ),
        (with_vtep(mtu=1279), "vtep.mtu: 1279 is not in 1280 to 65535 bytes"),
    ],
)
def test_a_wrong_overlay_is_told_field_and_value(overlay: Overlay, says: str) -> None:
    assert any(problem.startswith(says) for problem in found(overlay)), found(overlay)


def test_without_ipv6_the_mtu_may_be_ipv4s_least() -> None:
    only4 = with_vtep(replace(DCOS, subnet6=None, block6=None), address6=None, mtu=576)

    assert found(only4) == []
    assert found(with_vtep(only4, mtu=575)) != []


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (replace(SECOND, name="dcos"), "name: 'dcos' is used twice"),
        (
            replace(SECOND, subnet=IPv4Network("9.0.0.0/16"), block=None),
            "subnet: 9.0.0.0/16 overlaps 9.0.0.0/8 of overlay 'dcos'",
        ),
        (
            replace(SECOND, subnet6=IPv6Network("fd01:b::/48"), block6=None),
            "subnet6: fd01:b::/48 overlaps fd01:b::/64 of overlay 'dcos'",
        ),
        (
            with_vtep(SECOND, vni=1025),
            "vtep.vni: 1025 differs from 1024 for the same VTEP in overlay 'dcos'",
        ),
        (
            with_vtep(
                SECOND,
                name="vtep2",
                address=IPv4Interface("44.129.0.1/20"),
                address6=IPv6Interface("fd01:d::1/64"),
            ),
            "vtep.vni: 1024 with port 64000 is 'vtep1024' already",
        ),
        (
            with_vtep(SECOND, name="vtep2", vni=2),
            "vtep.address: 44.128.0.0/20 overlaps 44.128.0.0/20 of 'vtep1024'",
        ),
    ],
)
def test_of_two_that_do_not_go_together_the_later_is_named(second, says) -> None:
    findings = check_allocation([DCOS, second])

    assert {finding.overlay for finding in findings} == {1}
    assert says in found(DCOS, second)


def test_two_vteps_with_nothing_in_common_stand_side_by_side() -> None:
    apart = with_vtep(
        SECOND,
        name="vtep2",
        vni=VTEP.vni + 1,
        address=IPv4Interface("44.129.0.1/20"),
        address6=IPv6Interface("fd01:d::1/64"),
    )

    assert found(DCOS, apart) == []
