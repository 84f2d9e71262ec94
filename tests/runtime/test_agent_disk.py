"""What a node leaves on disk when it stops in the middle of something."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from lashup import (
    ANY,
    LOCAL,
    DiskFull,
    NodeConfig,
    RunningNode,
    StorageError,
    StorageFull,
    open_node,
    register,
)
from lashup.machine import Persist
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.storage import Rows, Storage
from tests.runtime.disks import mounted, needs_mount
from tests.runtime.loops import run

KEY = bytes(range(32))
FIRST, SECOND = ("line", 1), ("line", 2)


class SlowDisk:
    """Works in a thread, as a real one does; the first facts wait for `go_on`.

    Args:
        fault: Raised in place of storing those facts, if any.
    """

    def __init__(self, fault: StorageError | None = None) -> None:
        self.rows = MemoryStorage()
        self.go_on = threading.Event()
        self.is_writing = threading.Event()
        self._fault = fault

    def load(self) -> Rows:
        return self.rows.load()

    def commit(self, batch: Sequence[Persist]) -> None:
        facts = any(table == "fact" for p in batch for table, _, _ in p.puts)
        if facts and not self.is_writing.is_set():
            self.is_writing.set()
            assert self.go_on.wait(timeout=10)
            if self._fault is not None:
                raise self._fault
        self.rows.commit(batch)

    def close(self) -> None:
        pass


def config(name: str, *seeds: RunningNode) -> NodeConfig:
    return NodeConfig(
        name=name,
        seeds=[seed.address for seed in seeds],
        keys=[KEY],
        membership=LOCAL,
    )


def started(
    disk: Storage, *seeds: RunningNode
) -> AbstractAsyncContextManager[RunningNode]:
    return open_node(config("b", *seeds), storage=disk)


async def write(node: RunningNode, key: tuple[str, int]) -> None:
    await node.kv.update(key, register("value").assign(1))


async def hear_two_writes_while_the_disk_is_slow(
    teller: RunningNode, hearer: RunningNode, disk: SlowDisk
) -> None:
    await write(teller, FIRST)
    assert await anyio.to_thread.run_sync(disk.is_writing.wait, 10)
    await write(teller, SECOND)
    await hearer.wait_until(lambda: bool(hearer.kv.get(SECOND)))


async def run_until_the_disk_fails(teller: RunningNode, disk: SlowDisk) -> None:
    async with started(disk, teller) as b:
        await hear_two_writes_while_the_disk_is_slow(teller, b, disk)
        disk.go_on.set()
        await anyio.sleep_forever()


def test_a_disk_that_failed_once_is_not_written_again(backend: str) -> None:
    # What came later says, in its context, that the lost facts had been seen: on the
    # next start they would be taken for removed, and that would spread to everybody.
    async def main() -> None:
        disk = SlowDisk(StorageError("disk full"))
        async with open_node(config("a")) as a:
            with pytest.raises(StorageError, match="disk full"):
                await run_until_the_disk_fails(a, disk)
            async with started(disk.rows, a) as b:
                await b.kv.wait_synchronised()

                assert sorted(b.kv.keys()) == sorted(a.kv.keys()) == [FIRST, SECOND]

    run(backend, main)


def test_what_was_known_at_the_end_is_on_disk_whole(backend: str) -> None:
    async def main() -> None:
        disk = SlowDisk()
        async with open_node(config("a")) as a, started(disk, a) as b:
            await hear_two_writes_while_the_disk_is_slow(a, b, disk)
            disk.go_on.set()
        async with started(disk.rows) as b:
            assert sorted(b.kv.keys()) == [FIRST, SECOND]

    run(backend, main)


@pytest.mark.parametrize("steps", range(8))
def test_no_batch_is_lost_however_soon_the_end_comes(steps: int, backend: str) -> None:
    async def main() -> None:
        disk = SlowDisk()
        disk.go_on.set()
        async with open_node(config("a")) as a, started(disk, a) as b:
            await write(a, FIRST)
            await b.wait_until(lambda: bool(b.kv.get(FIRST)))
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
        async with started(disk.rows) as b:
            assert b.kv.keys() == [FIRST]

    run(backend, main)


class TestOnASmallDisk:
    pytestmark = needs_mount

    def test_a_full_disk_is_told_and_waited_out_and_nothing_is_lost(
        self, backend: str, tmp_path: Path
    ) -> None:
        with mounted(tmp_path / "disk", "size=1m") as disk:
            run(backend, partial(fill_and_free, disk))


async def fill_and_free(disk: Path) -> None:
    of_b = replace(config("b"), data_dir=disk / "b")
    filler = disk / "filler"
    async with open_node(config("a")) as a:
        async with open_node(replace(of_b, seeds=[a.address])) as b:
            await write(b, FIRST)
            fill(filler)
            async with b.events() as events, anyio.create_task_group() as tasks:
                for n in range(200):
                    tasks.start_soon(write, b, ("mine", n))
                async for event in events:
                    if isinstance(event, DiskFull):
                        break
                await write(a, SECOND)
                await b.wait_until(lambda: bool(b.kv.get(SECOND)))
                assert len(b.kv.keys(("mine", ANY))) < 200
                filler.unlink()
            assert len(b.kv.keys(("mine", ANY))) == 200
        async with open_node(of_b) as b:
            assert len(b.kv.keys()) == 202


def fill(filler: Path) -> None:
    """Take all the space that is left."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))


def test_a_disk_that_stays_full_stops_the_node_in_the_end(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lashup.runtime.group_commit._MOST_WAITING", 3)

    async def main() -> None:
        disk = SlowDisk(StorageFull("no space"))
        disk.go_on.set()
        async with open_node(config("a")) as a:
            for n in range(5):
                await write(a, ("line", n))
            with pytest.raises(StorageError, match="rows wait for it"):
                async with started(disk, a):
                    await anyio.sleep_forever()

    run(backend, main)
