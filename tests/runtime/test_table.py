"""Updates that expect, updates that wait, and dumps: on real sockets and both loops."""

from __future__ import annotations

import itertools
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from lashup import (
    LOCAL,
    ConcurrentUpdate,
    Liveness,
    NodeConfig,
    RunningNode,
    StoreLarge,
    Unconfirmed,
    UsageError,
    counter,
    disable_wins_flag,
    enable_wins_flag,
    multi_value_register,
    open_node,
    register,
)
from lashup.crdt import Actor, CausalContext, Delta, Dot, Fact, FactSet, MapView
from lashup.crdt.field import Type, pack_key, pack_step
from lashup.kv.dump import decode_dump_untrusted, encode_dump
from lashup.kv.limits import Limits
from lashup.runtime.table import Table
from lashup.runtime.udp import SendResult
from tests.runtime.loops import run
from tests.vocabulary import Site

KEY = bytes(range(32))
WEB = ("services", "web")


def config(
    name: str,
    *seeds: RunningNode,
    cluster: str = "tests",
    data_dir: Path | None = None,
    limits: Limits | None = None,
) -> NodeConfig:
    return NodeConfig(
        name=name,
        seeds=[seed.address for seed in seeds],
        keys=[KEY],
        cluster=cluster,
        membership=LOCAL,
        data_dir=data_dir,
        limits=limits or Limits(),
    )


async def started(stack: AsyncExitStack, count: int) -> list[RunningNode]:
    """Some nodes that all know each other."""
    nodes: list[RunningNode] = []
    for number in range(count):
        one = await stack.enter_async_context(
            open_node(config(f"n{number}", *nodes[:1]))
        )
        nodes.append(one)
    for node in nodes:
        await node.wait_until(
            lambda node=node: (
                sum(m.liveness is Liveness.ALIVE for m in node.members())  # type: ignore[misc]
                == count
            )
        )
    return nodes


def test_all_types_reach_another_node(backend: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await started(stack, 2)
            await a.kv.update(
                WEB,
                multi_value_register("owner").assign("ann"),
                enable_wins_flag("open").enable(),
                disable_wins_flag("allowed").disable(),
                counter("hits").increment(3),
            )
            await b.wait_until(lambda: bool(b.kv.get(WEB)))

            view = b.kv.get(WEB)
            assert view.multi_value_register("owner") == ("ann",)
            assert view.enable_wins_flag("open")
            assert not view.disable_wins_flag("allowed")
            assert view.counter("hits") == 3

    run(backend, main)


def test_of_many_that_read_and_write_at_once_nobody_overwrites_another(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(config("a", data_dir=tmp_path)) as node:
            refused = 0

            async def add_one() -> None:
                nonlocal refused
                while True:
                    view = node.kv.get(WEB)
                    number = view.register("n", default=0)
                    assert isinstance(number, int)
                    try:
                        await node.kv.update(
                            WEB, register("n").assign(number + 1), expect=view.token
                        )
                    except ConcurrentUpdate:
                        refused += 1
                        await anyio.lowlevel.checkpoint()
                    else:
                        return

            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(add_one)

            assert node.kv.get(WEB).register("n") == 10
            assert refused

    run(backend, main)


@pytest.mark.parametrize("wait", [3, "majority", "all"])
def test_a_write_that_was_waited_for_is_there_at_the_others(
    backend: str, wait: object
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            nodes = await started(stack, 3)
            for number in range(20):
                await nodes[0].kv.update(
                    WEB,
                    register("n").assign(number),
                    wait=wait,  # type: ignore[arg-type]
                )
                holding = [n.kv.get(WEB).register("n") == number for n in nodes]
                assert sum(holding) >= (2 if wait == "majority" else 3)
            assert not len(nodes[0]._node.kv.confirmations)

    run(backend, main)


def test_a_write_nobody_confirms_says_who_is_missing_and_stands(backend: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await started(stack, 2)
            # The network takes what a sends, and loses it.
            silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stack.callback(silent.close)
            silent.bind(("127.0.0.1", 0))
            nowhere = silent.getsockname()
            send = a._endpoint.send
            a._endpoint.send = lambda data, to: send(data, nowhere)  # type: ignore[method-assign]

            with pytest.raises(Unconfirmed, match="n1") as caught:
                await a.kv.update(WEB, register("n").assign(1), wait="all", within=0.2)

            assert caught.value.having == (a.id,)
            assert caught.value.missing == (b.id,)
            assert a.kv.get(WEB).register("n") == 1
            a._endpoint.send = send  # type: ignore[method-assign]
            await b.wait_until(lambda: b.kv.get(WEB).register("n") == 1)

    run(backend, main)


@pytest.mark.parametrize("ending", ["leaves", "is killed"])
def test_a_member_that_goes_is_waited_for_no_longer(backend: str, ending: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b, c = await started(stack, 3)
            # It lives, and takes in nothing of the table: so it cannot say that it has.
            c._node._table.receive_untrusted = _take_nothing  # type: ignore[method-assign]
            returned = anyio.Event()

            async def write() -> None:
                await a.kv.update(WEB, register("n").assign(1), wait="all", within=15)
                returned.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write)
                await b.wait_until(lambda: bool(b.kv.get(WEB)))
                with anyio.move_on_after(0.2):
                    await returned.wait()
                assert not returned.is_set()
                if ending == "leaves":
                    await c.leave()
                else:
                    c._endpoint.send = lambda data, to: SendResult.SENT  # type: ignore[method-assign]

    run(backend, main)


def test_who_had_a_write_and_went_does_not_count(backend: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b, c = await started(stack, 3)
            c._node._table.receive_untrusted = _take_nothing  # type: ignore[method-assign]

            async def leave() -> None:
                await b.wait_until(lambda: bool(b.kv.get(WEB)))
                await b.leave()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leave)
                with pytest.raises(Unconfirmed) as caught:
                    await a.kv.update(WEB, register("n").assign(1), wait=3, within=0.5)

            assert caught.value.having == (a.id,)
            assert caught.value.missing == (c.id,)

    run(backend, main)


def _take_nothing(*_: object, **__: object) -> None:
    """What is lost on its way."""


def test_more_members_than_there_are_is_never_enough(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            await a.kv.update(WEB, register("n").assign(1), wait="all")
            with pytest.raises(Unconfirmed, match="nobody else is alive"):
                await a.kv.update(WEB, register("n").assign(2), wait=2, within=0.05)
            with pytest.raises(UsageError, match="wait"):
                await a.kv.update(WEB, register("n").assign(3), wait=0)

            assert a.kv.get(WEB).register("n") == 2

    run(backend, main)


def test_a_dump_moves_a_table_to_a_new_cluster_of_that_name_and_on_its_disk(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            for number in range(300):
                await a.kv.update(("k", number), register("n").assign(number))
            await a.kv.update(("k", 0), register("n").remove())
            dump = await a.kv.dump()
        async with open_node(config("b", data_dir=tmp_path)) as b:
            assert await b.kv.load(dump) == 299
            assert await b.kv.load(dump) == 0
        async with open_node(config("b", data_dir=tmp_path)) as b:
            assert len(b.kv.keys()) == 299
            assert b.kv.get(("k", 299)).plain() == {"n": 299}

    run(backend, main)


def test_a_dump_holds_one_moment_and_the_writes_go_on_meanwhile(backend: str) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a, anyio.create_task_group() as tasks:
            await a.kv.load(_dump_of_many_actors())
            seen: list[list[int]] = []

            async def write() -> None:
                for n in itertools.count(1):  # until it is cancelled
                    for key in range(3):
                        await a.kv.update(("k", key), register("n").assign(n))

            tasks.start_soon(write)
            for _ in range(3):
                before = _counts(a.kv)
                dump = await a.kv.dump()
                assert _counts(a.kv) > before  # nobody was held up
                with_it = Site(0)
                with_it.hear(*decode_dump_untrusted(dump).deltas)
                seen.append([_count(with_it.view(("k", key))) for key in range(3)])
                assert seen[-1] >= before
            tasks.cancel_scope.cancel()
        # One after the other is written, so no other picture ever was.
        for one, two, three in seen:
            assert one >= two >= three >= one - 1

    run(backend, main)


def _counts(kv: Table) -> list[int]:
    return [_count(kv.get(("k", key))) for key in range(3)]


def _count(view: MapView) -> int:
    count = view.register("n")
    return count if isinstance(count, int) else 0


def _dump_of_many_actors() -> bytes:
    """More than a dump takes at one go."""
    facts = FactSet()
    path = (pack_step("r", Type.REGISTER),)
    for number in range(10_000):
        dot = Dot(Actor(number.to_bytes(8, "big")), 1)
        fact = Fact(pack_key(("others", number % 100)), path, b"\x92\x01\x01")
        facts.join(Delta({dot: fact}, CausalContext([dot])))
    with facts.cut() as state:
        state.take_all()
    return encode_dump(state, cluster="tests", wall=0.0)


def test_a_dump_that_is_none_or_of_another_cluster_changes_nothing(
    backend: str,
) -> None:
    async def main() -> None:
        async with open_node(config("a")) as a:
            await a.kv.update(WEB, register("n").assign(1))
            dump = await a.kv.dump()
        async with open_node(config("b", cluster="another")) as b:
            with pytest.raises(UsageError, match="of the cluster 'tests'"):
                await b.kv.load(dump)
            with pytest.raises(UsageError, match="dump"):
                await b.kv.load(dump[:-1])
            assert not b.kv.keys()

    run(backend, main)


def test_a_table_that_grows_large_is_an_event(backend: str) -> None:
    async def main() -> None:
        limits = Limits(store=10, store_warning=3)
        async with open_node(config("a", limits=limits)) as a, a.events() as events:
            for number in range(4):
                await a.kv.update(WEB, register(number).assign(1))

            async for event in events:
                assert event == StoreLarge(4, 10)
                return

    run(backend, main)
