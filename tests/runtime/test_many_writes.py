"""Writes that follow each other, and writes that come at once, on both loops."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from lashup import LOCAL, NodeConfig, RunningNode, open_node, register
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage
from tests.runtime.loops import run

#: Pytest finds a fixture by its name here.
WRITERS, WRITES = 64, 20


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


class Slow(SqliteStorage):
    """Takes its time for large batches, and notes how many facts are there."""

    facts = 0

    def commit(self, batch: Sequence[Persist]) -> None:
        rows = [table for one in batch for table, _, _ in one.puts]
        if len(rows) > 200:
            time.sleep(0.2)
        super().commit(batch)
        self.facts += rows.count("fact")


def test_what_was_loaded_is_on_disk_when_the_call_returns(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(NodeConfig(name="a", retire_after=30)) as node:
            for key in range(8):
                fields = (register(f"{number}").assign(number) for number in range(32))
                await node.kv.update((key,), *fields)
            # As old as one that brings its day along, which is a row of its own.
            absence = node._node.kv.absence
            absence.away_since = absence.today - 29
            dump = await node.kv.dump()
        disk = Slow(tmp_path, cluster="lashup")
        config = NodeConfig(name="b", retire_after=30, data_dir=tmp_path)
        async with open_node(config, storage=disk) as node:
            for _ in range(4):
                await write(node, "first")  # So that the disk is known to be quick.
            before = disk.facts

            assert await node.kv.load(dump) == 256
            assert disk.facts == before + 256

    run(backend, main)


def test_a_write_on_its_way_while_its_node_leaves_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = bytes(32)

    async def main() -> None:
        first = NodeConfig(name="b", keys=[key], membership=LOCAL)
        async with open_node(first) as b:
            second = NodeConfig(
                name="a", keys=[key], membership=LOCAL, seeds=[b.address]
            )
            async with open_node(second) as a:
                for node in (a, b):
                    await node.wait_until(
                        lambda node=node: len(node.live_members()) == 2  # type: ignore[misc]
                    )
                has_left = anyio.Event()
                # The disk has the row only when the node is no member any more.
                commit = a._commits.commit

                async def later(batch: Sequence[Persist]) -> None:
                    await has_left.wait()
                    await commit(batch)

                monkeypatch.setattr(a._commits, "commit", later)
                monkeypatch.setattr(a._commits, "may_block", lambda _: False)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(write_once, a)
                    await anyio.wait_all_tasks_blocked()
                    await a.leave()
                    monkeypatch.undo()
                    has_left.set()
                await b.wait_until(lambda: bool(b.kv.get(("last",))))

    run("trio", main)


async def write_once(node: RunningNode) -> None:
    await node.kv.update(("last",), register("n").assign(1))
