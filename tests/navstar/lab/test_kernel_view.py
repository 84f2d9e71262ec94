"""Looking at a kernel, listening to it, and deleting from it behind its owner."""

from __future__ import annotations

import os
from pathlib import Path
from socket import AF_INET, AF_INET6

import pytest
from pyroute2 import IPRoute

from navstar.lab import namespaces
from navstar.lab.errors import LabError
from navstar.lab.kernel_view import snapshot
from navstar.lab.sabotage import delete_link, delete_row, targets
from navstar.lab.topology import VTEP_NAME, Topology
from navstar.lab.witness import Witness

pytestmark = pytest.mark.kernel

_PEER = Topology().agent(2)
_MAC = _PEER.overlay.vtep.mac


def _rows_to_the_peer() -> None:
    """What navstar would program for the peer, by hand."""
    # Or the link-local address is announced once more when its check has ended.
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
    with IPRoute() as kernel:
        kernel.link(
            "add", ifname=VTEP_NAME, kind="vxlan", vxlan_id=1024, vxlan_port=64000
        )
        (device,) = kernel.link_lookup(ifname=VTEP_NAME)
        kernel.addr("add", index=device, address="44.128.0.1", prefixlen=20)
        kernel.addr("add", index=device, address="fd01:a::1", prefixlen=64, flags=2)
        kernel.link("set", index=device, state="up")
        kernel.fdb("add", ifindex=device, lladdr=_MAC, dst="10.0.0.2")
        for subnet, host, gateway, overlay, family in (
            ("9.0.2.0/24", "10.0.0.2/32", "44.128.0.2", "9.0.0.0/8", AF_INET),
            ("fd01:b:0:0:2::/80", "fd00::2/128", "fd01:a::2", "fd01:b::/64", AF_INET6),
        ):
            kernel.neigh("add", ifindex=device, dst=gateway, lladdr=_MAC, state=0x80)
            kernel.route("add", dst=subnet, gateway=gateway, oif=device, priority=3)
            kernel.route("add", dst=host, gateway=gateway, oif=device, table=42)
            kernel.rule("add", src=overlay, table=42, priority=32000, family=family)


def test_every_kind_of_row_is_found_deleted_alone_and_seen_to_stay_away(namespace):
    namespaces.inside(namespace, _rows_to_the_peer)

    for target in targets(_PEER):
        before = snapshot(namespace)
        repair = delete_row(namespace, target, within=0.0)
        assert before - snapshot(namespace) == {repair.line}, target.name
        assert repair.seconds is None
        with pytest.raises(LabError, match=f"no {target.name}"):
            delete_row(namespace, target, within=0.0)

    assert len(targets(_PEER)) == 9


def test_a_row_that_somebody_puts_back_is_timed(namespace, monkeypatch):
    namespaces.inside(namespace, _rows_to_the_peer)
    target = targets(_PEER)[0]

    def put_back(_: float) -> None:
        with IPRoute() as kernel:
            (device,) = kernel.link_lookup(ifname=VTEP_NAME)
            kernel.fdb("add", ifindex=device, lladdr=_MAC, dst="10.0.0.2")

    monkeypatch.setattr("navstar.lab.sabotage.time.sleep", put_back)
    repair = delete_row(namespace, target, within=5.0)

    assert repair.seconds is not None
    assert repair.line in snapshot(namespace)


def test_deleting_a_link_that_is_not_there_is_an_error_that_names_it(namespace):
    with pytest.raises(LabError, match=VTEP_NAME):
        delete_link(namespace, VTEP_NAME)


def test_a_witness_hears_a_row_that_goes_and_comes_back(namespace):
    namespaces.inside(namespace, _rows_to_the_peer)

    def delete_and_put_back() -> None:
        with IPRoute() as kernel:
            (device,) = kernel.link_lookup(ifname=VTEP_NAME)
            row = {"gateway": "44.128.0.2", "oif": device, "priority": 3}
            kernel.route("del", dst="9.0.2.0/24", **row)
            kernel.route("add", dst="9.0.2.0/24", **row)

    with Witness(namespace) as witness:
        before = snapshot(namespace)
        assert witness.heard() == ()
        namespaces.inside(namespace, delete_and_put_back)
        heard = witness.heard()

    assert before == snapshot(namespace)
    assert [line[:24] for line in heard] == [
        "del route inet 9.0.2.0/2",
        "new route inet 9.0.2.0/2",
    ]


def test_a_witness_hears_every_kind_of_row_go(namespace):
    namespaces.inside(namespace, _rows_to_the_peer)

    with Witness(namespace) as witness:
        deleted = [
            delete_row(namespace, each, within=0.0).line for each in targets(_PEER)
        ]
        heard = {_without_mac(line) for line in witness.heard()}

    assert {_without_mac(f"del {line}") for line in deleted} <= heard


def _without_mac(line: str) -> str:
    """A neighbour that goes does not tell its MAC any more."""
    return line.partition(" mac ")[0]


def test_a_namespace_is_made_once_and_what_happens_inside_stays_inside(namespace):
    ours = os.stat("/proc/thread-self/ns/net").st_ino

    theirs = namespaces.inside(
        namespace, lambda: os.stat("/proc/thread-self/ns/net").st_ino
    )

    assert theirs == (namespaces.DIRECTORY / namespace).stat().st_ino
    assert os.stat("/proc/thread-self/ns/net").st_ino == ours != theirs
    with pytest.raises(LabError, match=namespace):
        namespaces.create(namespace)
    with pytest.raises(LabError, match="there is no network namespace"):
        namespaces.inside(f"{namespace}-other", lambda: None)


def test_what_is_raised_inside_comes_out(namespace):
    with pytest.raises(ZeroDivisionError):
        namespaces.inside(namespace, lambda: 1 // 0)
