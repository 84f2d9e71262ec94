"""The death of a process is told by its kernel: real sockets, a real kill."""

import gc
import socket
import subprocess
import sys
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from lashup import NodeConfig, open_node
from lashup.membership import LAN, Failed, Liveness, Member, Reach
from lashup.runtime.tripwire import Tripwires
from lashup.runtime.udp import UdpEndpoint
from tests.membership.vocabulary import record

_CHILD = """
import sys, anyio
from lashup import NodeConfig, open_node
async def main():
    seeds = ("127.0.0.1", int(sys.argv[1])),
    async with open_node(NodeConfig(name=sys.argv[2], seeds=seeds)):
        await anyio.sleep_forever()
anyio.run(main, backend=sys.argv[3])
"""


def config(name: str, *seeds) -> NodeConfig:
    return NodeConfig(name=name, seeds=seeds, membership=LAN)


async def a_killed_process_is_down_everywhere(backend: str) -> None:
    async with open_node(config("a")) as a, open_node(config("b", a.address)) as b:
        child = subprocess.Popen(  # noqa: ASYNC220  # over before anything waits
            [sys.executable, "-c", _CHILD, str(a.address[1]), "child", backend]
        )
        try:
            with anyio.fail_after(20):
                for node in (a, b):
                    await node.wait_until(partial(is_watching, node, others=2))
            async with a.events() as events:
                child.kill()
                # The ladder of three members is 4 s at least.
                with anyio.fail_after(3):
                    async for event in events:
                        if isinstance(event, Failed):
                            break
                    await b.wait_until(lambda: live(b) == 2)
        finally:
            child.kill()
            child.wait()


def is_watching(node, *, others: int) -> bool:
    wires = node.statistics()["tripwire_wires"]
    return live(node) == others + 1 and wires == others


def live(node) -> int:
    return sum(m.liveness is Liveness.ALIVE for m in node.members())


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_killed_process_is_down_everywhere_before_any_ladder_ends(backend):
    anyio.run(a_killed_process_is_down_everywhere, backend, backend=backend)


async def test_a_tripwire_that_breaks_while_its_member_lives_decides_nothing():
    async with open_node(config("a")) as a, open_node(config("b", a.address)) as b:
        with anyio.fail_after(10):
            await a.wait_until(lambda: live(a) == 2)
            await a.wait_until(lambda: a.statistics()["tripwire_connected"] > 0)
        async with a.events() as events:
            for _ in range(5):
                a._take_evidence(b.address)
                await anyio.lowlevel.checkpoint()
            with anyio.move_on_after(0.5):
                async for event in events:
                    assert not isinstance(event, Failed)

        assert live(a) == 2


async def test_a_stranger_on_the_tripwires_port_costs_a_descriptor_and_no_more():
    async with open_node(config("a")) as a:
        with anyio.fail_after(10):
            await anyio.wait_all_tasks_blocked()
            async with await anyio.connect_tcp(*a.address) as stranger:
                await a.wait_until(lambda: True)
                await stranger.send(b"x" * 1000)
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await stranger.receive()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_closed_port_is_told_and_spoils_no_datagram_to_another(host):
    with UdpEndpoint([(host, 0)]) as gone:
        closed = gone.addresses[0]
    with UdpEndpoint([(host, 0)]) as sender, UdpEndpoint([(host, 0)]) as listener:
        sender.send(b"anybody?", closed)
        for _ in range(3):
            sender.send(b"you", listener.addresses[0])
        with anyio.fail_after(5):
            await sender.wait_readable()
            sender.drain()

        assert sender.take_refusals() == [closed]
        assert sender.take_refusals() == []
        with anyio.fail_after(5):
            await listener.wait_readable()
        assert [data for data, _ in listener.drain()] == [b"you"] * 3
        with anyio.move_on_after(0.05) as scope:  # the error queue is empty again
            await sender.wait_readable()
        assert scope.cancelled_caught


async def test_a_running_node_says_how_it_reaches_the_others():
    async with open_node(config("a")) as a, open_node(config("b", a.address)) as b:
        with anyio.fail_after(20):
            await a.wait_until(lambda: b.id in a.reachability())

        found = a.reachability()[b.id]

        assert found.reach is Reach.DIRECT
        assert found.round_trip is not None
        assert found.round_trip < 1.0
        assert a.link_faults() == ()
        assert a.tree(a.id)[b.id].distance == 1


_OUT_OF_FILES = """
import os, resource, socket, sys, anyio
from lashup import NodeConfig, open_node, register
from lashup.runtime import tripwire
tripwire._ACCEPT_AGAIN = 0.01
async def main():
    async with open_node(NodeConfig(name="a")) as node:
        with socket.socket() as peer, socket.socket() as later:
            while not node.statistics()["tripwire_held"]:
                peer.connect_ex(node.address)
                await anyio.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            try:
                while True: taken.append(os.dup(0))
            except OSError:
                pass
            later.connect(node.address)
            with anyio.fail_after(10):
                while not node.statistics()["tripwire_unaccepted"]:
                    await anyio.sleep(0.01)
            await node.kv.update(("a",), register("x").assign(1))
            for descriptor in taken: os.close(descriptor)
            with anyio.fail_after(10):
                while node.statistics()["tripwire_held"] < 2:
                    await anyio.sleep(0.01)
anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_process_without_descriptors_keeps_its_node(backend):
    # In a process of its own: the limit is the whole process's.
    subprocess.run(
        [sys.executable, "-c", _OUT_OF_FILES, backend],
        check=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("steps", range(12))
def test_a_node_that_stops_at_any_moment_leaves_no_connection_open(on, steps):
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        tripwires = Tripwires([address], wanted=tuple, broken=print)
        with socket.socket() as peer:
            peer.settimeout(0)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tripwires.run)
                await anyio.wait_all_tasks_blocked()
                peer.connect_ex(address)
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert tripwires.statistics()["held"] == 0

    on(main)
    gc.collect()  # what was left open would warn, and that fails the test


@pytest.mark.parametrize("how", ["at once", "later"])
def test_a_member_that_cannot_be_connected_to_is_no_evidence(on, how):
    broken: list[object] = []

    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # and nobody listens
            # The kernel has no way to the first, and says so in the call itself.
            to = ("255.255.255.255", 9) if how == "at once" else free.getsockname()
            member = Member(record(1), Liveness.ALIVE, since=0.0)
            tripwires = Tripwires(
                [], wanted=lambda: [(member, to)], broken=broken.append
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tripwires.run)
                with anyio.fail_after(10):
                    while not tripwires._failures:
                        await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert tripwires.statistics()["connected"] == 0

    on(main)
    assert broken == []
