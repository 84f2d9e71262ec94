"""Writes that follow each other, and writes that come at once, on both loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from lashup import LOCAL, NodeConfig, RunningNode, open_node, register

WRITERS, WRITES = 64, 20


@pytest.fixture(params=["trio", "asyncio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run a test on one event loop, within thirty seconds."""

    async def bounded() -> None:
        with anyio.fail_after(30):
            await main()

    anyio.run(bounded, backend=backend)


async def write(node: RunningNode, key: str) -> None:
    for number in range(WRITES):
        await node.kv.update((key,), register("n").assign(number))


def transactions(node: RunningNode) -> int:
    numbers = node.statistics()
    return int(numbers["commits_in_loop"] + numbers["commits_in_thread"])


def test_writes_that_come_at_once_share_transactions(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a", data_dir=tmp_path)) as node:
            # So that the disk is known to be quick.
            await write(node, "first")
            before = transactions(node)
            async with anyio.create_task_group() as tasks:
                for number in range(WRITERS):
                    tasks.start_soon(write, node, f"key {number}")

            shared = transactions(node) - before
            assert shared * 16 <= WRITERS * WRITES

    run(backend, main)


def test_who_writes_all_the_time_leaves_the_loop_to_others(backend: str) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a")) as node:
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await anyio.lowlevel.checkpoint()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(count)
                await anyio.lowlevel.checkpoint()
                await write(node, "key")
                tasks.cancel_scope.cancel()

            assert turns >= WRITES

    run(backend, main)


def test_who_writes_alone_tells_nobody_and_whoever_comes_gets_it(backend: str) -> None:
    async def main() -> None:
        key = bytes(32)
        alone = NodeConfig(name="a", keys=[key], membership=LOCAL)
        async with open_node(alone) as a:
            await write(a, "key")
            assert a.statistics()["kv_announced_writes"] == 0

            later = NodeConfig(
                name="b", keys=[key], membership=LOCAL, seeds=[a.address]
            )
            async with open_node(later) as b:
                await b.wait_until(lambda: bool(b.kv.get(("key",))))
                assert b.kv.get(("key",)) == a.kv.get(("key",))
                await a.wait_until(lambda: len(a.live_members()) == 2)
                await a.kv.update(("key",), register("n").assign("told"))
                assert a.statistics()["kv_announced_writes"] == 1

    run(backend, main)
