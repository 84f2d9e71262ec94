"""A running node that goes on at another address, on both event loops."""

import errno
import socket
from functools import partial

import anyio
import pytest

from lashup import (
    LOCAL,
    Changed,
    ConfigError,
    Liveness,
    NodeClosed,
    NodeConfig,
    open_node,
    register,
)
from lashup.runtime.udp import SendResult, UdpEndpoint

V4, V6 = ("127.0.0.1", 0), ("::1", 0)
KEY = ("services", "web")


def config(name: str, *seeds, bind=V4) -> NodeConfig:
    return NodeConfig(
        name=name, bind=bind, seeds=seeds, keys=[bytes(32)], membership=LOCAL
    )


def is_watching(node) -> bool:
    return bool(node.statistics()["tripwire_wires"] == 1)


def address_of(node, other):
    return next(m.addresses for m in node.members() if m.id == other.id)


def test_a_node_that_moves_is_followed_and_writes_and_reads_as_before(on):
    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b", a.address)) as b,
            a.events() as events,
        ):
            await a.wait_until(lambda: len(a.live_members()) == 2)
            elsewhere = ("127.0.0.77", b.address[1])

            await b.move([elsewhere])
            await a.wait_until(lambda: address_of(a, b) == (elsewhere,))
            await b.kv.update(KEY, register("port").assign(1))
            await a.wait_until(lambda: a.kv.get(KEY) is not None)
            await a.kv.update(KEY, register("port").assign(2))
            await b.wait_until(lambda: b.kv.get(KEY) == a.kv.get(KEY))

            assert b.addresses == (elsewhere,)
            assert b.address == elsewhere
            async for event in events:
                if isinstance(event, Changed):
                    assert event.member.addresses == (elsewhere,)
                    break
            assert all(m.liveness is Liveness.ALIVE for m in a.members())

    on(main)


def test_tripwires_follow(on):
    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b", a.address)) as b,
        ):
            for node in (a, b):
                await node.wait_until(partial(is_watching, node))
            elsewhere = ("127.0.0.77", b.address[1])

            await b.move([elsewhere])
            with anyio.fail_after(10):
                while True:
                    await anyio.sleep(0.05)
                    try:
                        stream = await anyio.connect_tcp(*elsewhere)
                    except OSError:
                        continue
                    await stream.aclose()
                    break
            with pytest.raises(OSError, match="onnect"):
                await anyio.connect_tcp("127.0.0.1", elsewhere[1])

    on(main)


def test_where_it_cannot_go_it_says_so_and_stays(on):
    async def main():
        with UdpEndpoint([("127.0.0.78", 0)]) as taken:
            async with (
                open_node(config("a")) as a,
                open_node(config("b", a.address)) as b,
            ):
                await a.wait_until(lambda: len(a.live_members()) == 2)
                before = b.address, b.members()
                for bind, advertise, field in (
                    ([taken.addresses[0]], (), "bind"),
                    ([V4, ("127.0.0.79", 0)], (), "bind[1]"),
                    ([("0.0.0.0", 0)], (), "advertise"),  # noqa: S104
                    ([V4], [("127.0.0.9", 1)] * 5, "advertise"),
                    ([], (), "bind"),
                ):
                    with pytest.raises(ConfigError) as refused:
                        await b.move(bind, advertise=advertise)
                    assert refused.value.field == field

                assert (b.address, [m.addresses for m in b.members()]) == (
                    before[0],
                    [m.addresses for m in before[1]],
                )
                await b.kv.update(KEY, register("port").assign(1))
                await a.wait_until(lambda: a.kv.get(KEY) is not None)

    on(main)


def test_who_has_left_moves_no_more(on):
    async def main():
        async with open_node(config("a")) as a:
            await a.leave()
            with pytest.raises(NodeClosed):
                await a.move([("127.0.0.77", a.address[1])])

    on(main)


def test_sockets_that_are_there_already_stay_and_the_others_are_closed(on):
    async def main():
        with UdpEndpoint([V4, V6]) as moving, UdpEndpoint([V4, V6]) as other:
            four, six = moving.addresses
            other.send(b"before", six)

            moving.move([("127.0.0.77", four[1]), ("0:0::1", six[1])])

            other.send(b"after", ("127.0.0.77", four[1]))
            other.send(b"lost", four)
            taken: list[bytes] = []
            with anyio.fail_after(5):
                while len(taken) < 2:
                    await moving.wait_readable()
                    taken += [data for data, _ in moving.drain()]
            assert sorted(taken) == [b"after", b"before"]
            assert moving.addresses == (("127.0.0.77", four[1]), six)
            assert moving.send(b"x", other.addresses[1]) is SendResult.SENT

    on(main)


def test_a_move_reaches_whoever_waits_for_a_datagram(on):
    async def main():
        with UdpEndpoint([V4]) as moving, UdpEndpoint([V4]) as other:
            elsewhere = ("127.0.0.77", moving.addresses[0][1])
            taken = []

            async def wait():
                with anyio.fail_after(5):
                    await moving.wait_readable()
                taken.extend(moving.drain())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                moving.move([elsewhere])
                other.send(b"x", elsewhere)

            assert taken == [(b"x", other.addresses[0])]

    on(main)


def test_a_move_that_is_refused_closes_what_it_had_opened():
    with UdpEndpoint([V4]) as moving:
        before = moving.addresses
        free = UdpEndpoint([("127.0.0.77", 0)])
        port = free.addresses[0][1]
        free.close()

        with pytest.raises(ConfigError):
            moving.move([("127.0.0.77", port), ("127.0.0.78", 0)])

        assert moving.addresses == before
        UdpEndpoint([("127.0.0.77", port)]).close()


@pytest.mark.parametrize("to_all", [True, False])
def test_all_addresses_and_one_of_them_can_follow_each_other(on, to_all):
    every, one = ("0.0.0.0", 0), ("127.0.0.77", 0)  # noqa: S104

    async def main():
        with (
            UdpEndpoint([one if to_all else every]) as moving,
            UdpEndpoint([V4]) as other,
        ):
            port = moving.addresses[0][1]

            moving.move([((every if to_all else one)[0], port)])

            other.send(b"x", ("127.0.0.77", port))
            with anyio.fail_after(5):
                await moving.wait_readable()
            assert [data for data, _ in moving.drain()] == [b"x"]
            with pytest.raises(ConfigError, match="taken by another process"):
                UdpEndpoint([("127.0.0.77", port)])

    on(main)


def test_a_family_that_the_host_has_not_is_a_mistake_and_no_crash(monkeypatch):
    made = socket.socket

    def refuse(family, *rest):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return made(family, *rest)

    with UdpEndpoint([V4]) as moving:
        before = moving.addresses
        monkeypatch.setattr("lashup.runtime.udp.socket.socket", refuse)

        with pytest.raises(ConfigError, match="bind\\[1\\]"):
            moving.move([before[0], V6])

        assert moving.addresses == before


def test_what_was_dropped_before_a_move_is_counted_after_it():
    with UdpEndpoint([V4]) as moving, UdpEndpoint([V4]) as other:
        to = moving.addresses[0]
        for sock in moving._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(200):
            other.send(bytes(1_000), to)
        before = moving.statistics()["dropped"]

        moving.move([("127.0.0.77", to[1])])

        assert before > 0
        assert moving.statistics()["dropped"] == before
