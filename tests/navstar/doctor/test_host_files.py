"""Problems that no namespace can have alone: planted in the files of a host."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from navstar.doctor.clock import UNSYNCHRONISED, judge_clock
from navstar.doctor.finding import Level
from navstar.doctor.firewall import check_forward_policy
from navstar.doctor.host import Host, NeededVtep, Needs
from navstar.doctor.kernel import check_rights, check_version, judge_vxlan
from navstar.doctor.managers import check_network_manager, check_networkd
from navstar.doctor.settings import check_neighbour_limits
from navstar.installation import install
from navstar.netlink_socket import Refusal

VTEP = NeededVtep("vtep1024", 1024, 64000, 1450, frozenset({4, 6}))
NEEDS = Needs((VTEP,), agents=1000)


class PlantedHost(Host):
    """A host that has the files which a test writes."""

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def host(tmp_path: Path) -> PlantedHost:
    return PlantedHost(tmp_path)


@pytest.mark.parametrize(
    ("release", "levels"),
    [
        ("3.8.0-generic", [Level.FAULT]),
        ("4.15.0", [Level.REMARK, Level.REMARK]),
        ("5.10.0", [Level.REMARK]),
        ("6.18.5", []),
        ("strange", []),
    ],
)
def test_old_kernels_are_told_apart(host, release, levels) -> None:
    host.write("/proc/sys/kernel/osrelease", f"{release}\n")

    assert [one.level for one in check_version(host, NEEDS)] == levels


@pytest.mark.parametrize(
    ("capabilities", "count"), [("000001ffffffffff", 0), ("00000000a80405fb", 1)]
)
def test_without_cap_net_admin_there_is_no_point(host, capabilities, count) -> None:
    host.write("/proc/self/status", f"Name:\tx\nCapEff:\t{capabilities}\n")

    assert len(list(check_rights(host, NEEDS))) == count


def test_a_kernel_without_vxlan_is_known_by_its_answer() -> None:
    unknown = Refusal(errno.EOPNOTSUPP, "Unknown device type")
    (found,) = judge_vxlan(unknown)

    assert found.level is Level.FAULT
    assert "modprobe vxlan" in found.remedy
    assert list(judge_vxlan(Refusal(errno.EINVAL, "no VNI"))) == []


@pytest.mark.parametrize(
    ("release", "limit", "wanted"),
    [
        ("4.19.0", 1024, "1512"),
        ("4.19.0", 1512, None),
        # From 5.0 on permanent rows are not counted: the room is for all others.
        ("5.0.0", 512, None),
        ("6.18.5", 511, "512"),
        ("strange", 1024, "1512"),
    ],
)
def test_there_must_be_room_for_the_neighbours_that_the_kernel_counts(
    host, release, limit, wanted
) -> None:
    host.write("/proc/sys/kernel/osrelease", f"{release}\n")
    for family in (4, 6):
        host.write(f"/proc/sys/net/ipv{family}/neigh/default/gc_thresh3", f"{limit}\n")

    found = list(check_neighbour_limits(host, NEEDS))

    assert len(found) == (2 if wanted else 0)
    assert all(f"{wanted} are needed" in one.problem for one in found)


def test_networkd_must_leave_foreign_routes_and_rules_alone(host) -> None:
    assert list(check_networkd(host, NEEDS)) == []
    host.write("/run/systemd/netif/links/2", "")
    assert len(list(check_networkd(host, NEEDS))) == 2
    host.write("/etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n")
    (left,) = check_networkd(host, NEEDS)
    assert "ManageForeignRoutingPolicyRules" in left.problem
    host.write(
        "/run/systemd/networkd.conf.d/50-x.conf",
        "[Network]\nManageForeignRoutingPolicyRules=false\n",
    )
    assert list(check_networkd(host, NEEDS)) == []
    host.write(
        "/etc/systemd/networkd.conf.d/90-y.conf",
        "[Network]\nManageForeignRoutes=yes\n",
    )
    assert len(list(check_networkd(host, NEEDS))) == 1


BESIDE = "interface-name:v*-64000;interface-name:=w1024-64000"
OTHER_PORT = Needs((replace(VTEP, port=4790),), agent_ip=ip_address("fd00::1"))


@pytest.mark.parametrize(
    ("spec", "managed"),
    [
        (f"interface-name:vtep*;{BESIDE}", ""),
        (f"interface-name:=vtep1024,{BESIDE}", ""),
        (f"mac:00:22:68:1c:59:b1;interface-name:~vtep????;{BESIDE}", ""),
        ("type:vxlan", ""),
        ("*,except:interface-name:vtep*", "vtep1024"),
        ("except:interface-name:docker*", ""),
        (f"interface-name:docker*;{BESIDE}", "vtep1024"),
        (f"interface-name:=vtep*;{BESIDE}", "vtep1024"),
        ("interface-name:vtep*", "v1024-64000, w1024-64000"),
        # Ranges are no patterns to NetworkManager.
        (f"interface-name:vtep[0-9]*;{BESIDE}", "vtep1024"),
    ],
)
def test_network_manager_must_not_manage_our_devices(host, spec, managed) -> None:
    host.write("/run/NetworkManager/state", "")
    host.write(
        "/etc/NetworkManager/conf.d/10.conf", f"[keyfile]\nunmanaged-devices={spec}\n"
    )

    found = [one.problem for one in check_network_manager(host, NEEDS)]

    words = f"NetworkManager runs and may manage {managed}"
    assert found == ([words] if managed else [])


def test_a_later_file_of_network_manager_overrules_an_earlier_one(host) -> None:
    host.write("/run/NetworkManager/state", "")
    host.write(
        "/usr/lib/NetworkManager/conf.d/10.conf", "unmanaged-devices=type:vxlan\n"
    )
    assert list(check_network_manager(host, NEEDS)) == []

    host.write(
        "/etc/NetworkManager/NetworkManager.conf", "unmanaged-devices=interface-name:x"
    )

    assert len(list(check_network_manager(host, NEEDS))) == 1


def test_what_is_installed_keeps_network_manager_off_ours_and_off_nothing_else(
    host,
) -> None:
    host.write("/run/NetworkManager/state", "")
    install(host.root, program="/usr/bin/navstar")
    strangers = ["virbr0-nic", "veth-a", "wlan0", "vnet0", "usb0", "v1024-eth0"]
    others = Needs(tuple(replace(VTEP, name=name) for name in strangers))

    managed = [one.problem for one in check_network_manager(host, others)]

    assert list(check_network_manager(host, NEEDS)) == []
    assert [problem.split()[-1] for problem in managed] == strangers


def test_for_another_port_it_is_said_what_to_add(host) -> None:
    host.write("/run/NetworkManager/state", "")
    install(host.root, program="/usr/bin/navstar")

    (found,) = check_network_manager(host, OTHER_PORT)

    assert found.problem.endswith("may manage u1024-4790, w1024-4790")
    added = "unmanaged-devices+=interface-name:u1024-4790;interface-name:w1024-4790"
    assert added in found.remedy
    host.write("/etc/NetworkManager/conf.d/90.conf", added)
    assert list(check_network_manager(host, OTHER_PORT)) == []


def test_network_manager_that_does_not_run_harms_nobody(host) -> None:
    assert list(check_network_manager(host, NEEDS)) == []


def test_an_old_iptables_is_remarked_on(host) -> None:
    host.write("/proc/thread-self/net/ip_tables_names", "nat\nfilter\n")

    found = [f for f in check_forward_policy(host, NEEDS) if "old" in f.problem]

    assert [one.level for one in found] == [Level.REMARK]


def test_a_clock_that_nothing_keeps_is_found() -> None:
    assert [one.check for one in judge_clock(UNSYNCHRONISED)] == ["clock"]
    assert list(judge_clock(0)) == []
