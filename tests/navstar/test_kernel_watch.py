"""What the watch tells of changes to the kernel, and what it keeps to itself."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest
import trio

from navstar.changed import Changed
from navstar.diff import Delete, Put, diff
from navstar.overlay_backend import Kernel
from navstar.tables import Addr, Fdb
from tests.kernel_namespace import in_namespace, ip
from tests.navstar.example_rows import GROUND, LINK, VTEP, insertion_order, path_to

pytestmark = pytest.mark.kernel


def watching(scenario) -> None:
    """Run a scenario with rows in place and a watch that has heard nothing yet."""

    def body() -> None:
        with Kernel() as kernel, kernel.watch() as watch:
            watch.follow({VTEP, "v0"})
            kernel.apply(map(Put, insertion_order(GROUND | path_to(2))))
            watch.drain()
            scenario(kernel, watch)

    in_namespace(body)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"link set {VTEP} mtu 1300", Changed.LINK),
        (f"link set {VTEP} down", Changed.LINK),
        (f"link del {VTEP}", Changed.LINK),
        (f"addr del 44.128.0.1/20 dev {VTEP}", Changed.ADDRESS),
        (f"-6 addr del fd01:a::1/64 dev {VTEP}", Changed.ADDRESS),
        (f"neigh del 44.128.0.2 dev {VTEP}", Changed.NEIGHBOUR),
        (f"neigh replace 44.128.0.2 dev {VTEP} nud failed", Changed.NEIGHBOUR),
        (f"-6 neigh del fd01:a::2 dev {VTEP}", Changed.NEIGHBOUR),
        ("route del 9.0.2.0/24", Changed.ROUTE),
        ("route del 10.0.0.2/32 table 42", Changed.ROUTE),
        ("-6 route del fd01:b:0:0:2::/80", Changed.ROUTE),
        ("rule del from 9.0.0.0/8 lookup 42", Changed.RULE),
        ("-6 rule del from fd01:b::/64 lookup 42", Changed.RULE),
        ("link add v0 type veth peer name v1", Changed.LINK),
    ],
)
def test_what_somebody_else_changes_is_told(command, told):
    @watching
    def _(_kernel, watch):
        ip(command)

        assert told in watch.drain()
        assert watch.drain() == frozenset()


def test_a_link_whose_port_a_process_has_is_refused_without_a_word_to_anybody():
    @watching
    def _(kernel, watch):
        other = replace(LINK, name="v0", vni=7, port=4789)
        with socket.socket(type=socket.SOCK_DGRAM) as process:
            process.bind(("", 4789))

            (refused,) = kernel.apply([Put(other)]).refused

        assert "a process has UDP port 4789" in refused.text
        assert watch.drain() == frozenset()
        assert kernel.apply([Put(other)]).refused == ()


@pytest.mark.parametrize("local", ["local 10.0.0.1", ""])
def test_a_port_that_another_vxlan_has_is_shared(local):
    @watching
    def _(kernel, _watch):
        ip(f"link add v1 type vxlan id 9 dstport 4789 {local}")
        ip("link set v1 up")

        other = replace(LINK, name="v0", vni=7, port=4789)

        assert kernel.apply([Put(other)]).refused == ()


@pytest.mark.parametrize("change", ["del", "replace"])
def test_an_fdb_row_that_somebody_else_changes_is_told(change):
    @watching
    def _(kernel, watch):
        (fdb,) = (row for row in path_to(2) if isinstance(row, Fdb))
        other = replace(fdb, agent=IPv4Address("10.0.0.77"))
        with Kernel() as stranger:
            stranger.apply([Delete(fdb) if change == "del" else Put(other)])

            assert watch.drain() == {Changed.NEIGHBOUR}
            kernel.apply(diff(GROUND | path_to(2), kernel.dump()))
            assert watch.drain() == frozenset()


def test_our_own_writes_are_kept_quiet():
    @watching
    def _(kernel, watch):
        for desired in (
            GROUND | path_to(2) | path_to(3),
            GROUND | path_to(2, agent=9) | path_to(3),
            GROUND | path_to(3),
            GROUND,
        ):
            kernel.apply(diff(desired, kernel.dump()))

            assert watch.drain() == frozenset()


def test_what_does_not_concern_us_is_kept_quiet():
    @watching
    def _(_kernel, watch):
        ip("link add other type veth peer name another")
        ip("addr add 10.0.0.1/24 dev other")
        ip("link set other up")
        ip("link set another up")
        ip("route add 9.0.77.0/24 via 10.0.0.7")
        ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev other")
        ip("rule add from 9.0.0.0/8 lookup 42 priority 31000")
        ip(f"neigh add 44.128.0.77 dev {VTEP} nud failed")

        assert watch.drain() == frozenset()


def test_a_link_is_followed_through_its_recreation_by_somebody_else():
    @watching
    def _(kernel, watch):
        ip(f"link del {VTEP}")
        kernel.apply(diff(GROUND | path_to(2), kernel.dump()))
        watch.drain()

        ip(f"neigh del 44.128.0.2 dev {VTEP}")

        assert watch.drain() == {Changed.NEIGHBOUR}


def test_an_overflow_is_told_and_the_watch_goes_on():
    @watching
    def _(kernel, watch):
        watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        addresses = [
            Addr(VTEP, IPv4Interface(f"44.128.1.{n}/32")) for n in range(1, 200)
        ]
        with Kernel() as stranger:
            stranger.apply(map(Put, addresses))

        assert Changed.OVERFLOW in watch.drain()
        assert watch.drain() == frozenset()
        ip("route del 9.0.2.0/24")
        assert watch.drain() == {Changed.ROUTE}


def test_trio_waits_for_it():
    @watching
    def _(_kernel, watch):
        async def main() -> frozenset[Changed]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(someone_else)
                with trio.fail_after(10):
                    await trio.lowlevel.wait_readable(watch)
            return frozenset(watch.drain())

        async def someone_else() -> None:
            ip("route del 9.0.2.0/24")

        assert trio.run(main) == {Changed.ROUTE}


def test_a_closed_watch_says_so():
    @watching
    def _(_kernel, watch):
        watch.close()

        with pytest.raises(OSError, match="Bad file descriptor"):
            watch.drain()


def test_creating_our_link_is_kept_quiet_at_the_end():
    @watching
    def _(kernel, watch):
        kernel.apply([Delete(LINK)])
        kernel.apply(map(Put, insertion_order(GROUND | path_to(2))))
        watch.drain()

        assert kernel.dump() == GROUND | path_to(2)
        assert watch.drain() == frozenset()
