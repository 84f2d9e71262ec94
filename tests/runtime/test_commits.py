"""Commits are made in the loop while the disk is quick, and in the thread when not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from lashup.errors import StorageError
from lashup.machine import Persist
from lashup.runtime.commits import (
    MOST_ROWS,
    SHORT,
    STALL,
    THREAD_FOR,
    THREAD_FOR_LONGEST,
    Commits,
)
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.sqlite_storage import SqliteStorage

ROW = [Persist(1, (("meta", b"k", b"v"),))]


class Disk(SqliteStorage):
    """The real one, with a clock of its own: each commit takes as long as we say."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, cluster="tests")
        self.now = 1_000.0
        self.takes = SHORT / 4
        #: Seconds by which one takes longer in a thread, as beside a busy loop.
        self.waits_for_turn = 0.0
        #: Seconds of these in which the process has no core.
        self.waits_for_core = 0.0
        self.delayed = 0.0
        self.threads: list[bool] = []

    def commit(self, batch: Sequence[Persist]) -> None:
        self.threads.append(threading.current_thread() is not threading.main_thread())
        self.now += self.takes + self.waits_for_core
        if self.threads[-1]:
            self.now += self.waits_for_turn
        self.delayed += self.waits_for_core
        super().commit(batch)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    with disk:
        yield disk


def _commits(disk: Disk) -> Commits:
    return Commits(disk, clock=lambda: disk.now, delay=lambda: disk.delayed)


async def _in_thread(commits: Commits, disk: Disk, batch: Sequence[Persist]) -> bool:
    await commits.commit(batch)
    return disk.threads[-1]


async def _settled(disk: Disk) -> Commits:
    """Commits that have found the disk quick."""
    settled = _commits(disk)
    for _ in range(50):
        await settled.commit(ROW)
    return settled


async def test_a_disk_of_which_nothing_is_known_is_not_waited_for_in_the_loop(disk):
    assert await _in_thread(_commits(disk), disk, ROW)


async def test_a_quick_disk_is_soon_written_in_the_loop(disk):
    assert not await _in_thread(await _settled(disk), disk, ROW)


async def test_after_one_stall_the_thread_is_used_for_a_while(disk):
    settled = await _settled(disk)
    disk.takes = 1.0
    assert not await _in_thread(settled, disk, ROW)  # nobody could have known
    disk.takes = SHORT / 4

    for _ in range(100):
        assert await _in_thread(settled, disk, ROW)
    disk.now += THREAD_FOR

    assert not await _in_thread(settled, disk, ROW)


async def test_a_disk_that_becomes_slow_is_written_in_the_thread(disk):
    settled = await _settled(disk)
    disk.takes = STALL / 2
    for _ in range(3):
        await settled.commit(ROW)

    assert await _in_thread(settled, disk, ROW)


async def test_a_quick_disk_is_found_out_beside_a_loop_that_never_rests(disk):
    commits = _commits(disk)
    disk.waits_for_turn = 2 * STALL
    ends = disk.now + THREAD_FOR
    while disk.now < ends:
        assert await _in_thread(commits, disk, ROW)

    for _ in range(100):
        assert not await _in_thread(commits, disk, ROW)


async def test_a_slow_disk_costs_the_loop_less_and_less(disk):
    commits = _commits(disk)
    disk.takes = STALL / 2
    ends = disk.now + 2 * 3600
    tries = []
    while disk.now < ends:
        if not await _in_thread(commits, disk, ROW):
            tries.append(disk.now)
        disk.now += 5.0  # a write every five seconds

    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits[0] >= 2 * THREAD_FOR
    assert waits[-1] >= THREAD_FOR_LONGEST
    assert len(tries) < 20


async def test_a_large_batch_is_never_written_in_the_loop(disk):
    settled = await _settled(disk)
    puts = tuple(("meta", bytes([n % 256, n // 256]), b"") for n in range(MOST_ROWS))

    assert not await _in_thread(settled, disk, [Persist(1, puts)])
    assert await _in_thread(settled, disk, [Persist(1, puts), *ROW])


async def test_an_error_comes_out_wherever_the_commit_is_made(disk):
    settled = await _settled(disk)
    disk.close()

    with pytest.raises(StorageError, match="closed"):
        await settled.commit(ROW)
    with pytest.raises(StorageError, match="closed"):
        await _commits(disk).commit(ROW)


async def test_a_cancelled_commit_is_made_all_the_same(disk):
    with anyio.CancelScope() as scope:
        scope.cancel()
        await _commits(disk).commit(ROW)

    assert disk.load()["meta"] == {b"k": b"v"}


async def test_memory_is_no_disk():
    memory = MemoryStorage()
    both = Commits(memory, clock=lambda: 0.0, delay=lambda: 0.0)
    await both.commit(ROW)

    assert memory.load()["meta"] == {b"k": b"v"}
    assert (both.in_loop, both.in_thread) == (0, 0)


async def test_a_host_without_a_free_core_is_no_slow_disk(disk):
    settled = await _settled(disk)
    disk.waits_for_core = 10 * STALL

    for _ in range(50):
        assert not await _in_thread(settled, disk, ROW)
