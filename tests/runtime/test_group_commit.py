"""What waits for the disk goes together; who waits for it does not wait for others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest
from trio.testing import MockClock

from lashup.errors import StorageError, StorageFull
from lashup.machine import Persist
from lashup.runtime.commits import Commits
from lashup.runtime.group_commit import DiskFull, GroupCommit
from lashup.runtime.memory_storage import MemoryStorage

PATIENT = 0.05


class Disk(MemoryStorage):
    """Counts its transactions; full as long as we say."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []
        self.is_full = False
        self.may_go_on = anyio.Event()

    def commit(self, batch: Sequence[Persist]) -> None:
        if self.is_full:
            raise StorageFull("full")
        self.batches.append([persist.ticket for persist in batch])
        super().commit(batch)

    async def commit_slowly(self, batch: Sequence[Persist]) -> None:
        await self.may_go_on.wait()
        self.commit(batch)


class Latest(Random):
    """Draws the latest moment."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


class Bench:
    """A disk, what is brought to it, and what was told of that."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.saved: list[int] = []
        self.told: list[DiskFull] = []
        commits = Commits(self.disk, clock=anyio.current_time, delay=lambda: 0.0)
        self.group = GroupCommit(
            commits, saved=self._take, tell=self.told.append, rng=Latest()
        )
        self._ticket = 0

    def _take(self, batch: Sequence[Persist]) -> None:
        self.saved += [persist.ticket for persist in batch]

    def put(self, count: int = 1, *, within: float = 0.0) -> None:
        for _ in range(count):
            self._ticket += 1
            row = ("fact", self._ticket.to_bytes(4, "big"), b"v")
            self.group.put(Persist(self._ticket, (row,), within=within))

    def put_alone(self) -> None:
        self._ticket += 1
        row = ("fact", self._ticket.to_bytes(4, "big"), b"v")
        self.group.put_alone(Persist(self._ticket, (row,)))

    @property
    def sizes(self) -> list[int]:
        return list(map(len, self.disk.batches))


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.group.run)
        await anyio.wait_all_tasks_blocked()
        yield bench
        tasks.cancel_scope.cancel()


async def test_what_comes_at_one_moment_is_one_transaction(autojump_clock: MockClock):
    async with bench() as b:
        b.put(64)
        await anyio.wait_all_tasks_blocked()

        assert b.sizes == [64]
        assert b.saved == list(range(1, 65))


async def test_rows_that_nobody_waits_for_begin_no_transaction_before_their_time(
    mock_clock: MockClock,
):
    async with bench() as b:
        b.put(within=PATIENT)
        await anyio.wait_all_tasks_blocked()
        mock_clock.jump(PATIENT * 0.9)
        b.put(within=PATIENT)
        await anyio.wait_all_tasks_blocked()
        before = b.sizes

        mock_clock.jump(PATIENT * 0.2)
        await anyio.wait_all_tasks_blocked()

        assert before == []
        assert b.sizes == [2]


async def test_rows_that_nobody_waits_for_go_with_a_write_and_before_it(
    mock_clock: MockClock,
):
    async with bench() as b:
        b.put(2, within=PATIENT)
        await anyio.wait_all_tasks_blocked()
        b.put()
        await anyio.wait_all_tasks_blocked()

        assert b.disk.batches == [[1, 2, 3]]


async def test_a_write_after_the_time_of_others_was_up_begins_anew(
    mock_clock: MockClock,
):
    async with bench() as b:
        for _ in range(3):
            b.put(within=PATIENT)
            await anyio.wait_all_tasks_blocked()
            mock_clock.jump(2 * PATIENT)
            await anyio.wait_all_tasks_blocked()

        assert b.sizes == [1, 1, 1]


async def test_the_least_patient_of_those_that_wait_decides(mock_clock: MockClock):
    async with bench() as b:
        b.put(within=10 * PATIENT)
        await anyio.wait_all_tasks_blocked()
        b.put(within=PATIENT)
        b.put(within=20 * PATIENT)
        mock_clock.jump(1.1 * PATIENT)
        await anyio.wait_all_tasks_blocked()

        assert b.sizes == [3]


async def test_who_hurries_has_what_waits_brought_to_disk(mock_clock: MockClock):
    async with bench() as b:
        b.put(2, within=PATIENT)
        await anyio.wait_all_tasks_blocked()
        b.group.put(Persist(3))
        await anyio.wait_all_tasks_blocked()

        assert b.disk.batches == [[1, 2, 3]]


async def test_many_nodes_of_one_host_do_not_save_at_one_moment(mock_clock: MockClock):
    moments = set()
    for seed in range(20):
        bench = Bench()
        bench.group._rng = Random(seed)
        bench.put(within=PATIENT)
        moments.add(bench.group._patience.deadline - anyio.current_time())

    assert len(moments) == 20
    assert min(moments) >= 0.49 * PATIENT
    assert max(moments) <= 1.01 * PATIENT


async def test_very_many_rows_that_nobody_waits_for_do_not_pile_up(
    mock_clock: MockClock,
):
    async with bench() as b:
        b.put(1_000, within=PATIENT)
        await anyio.wait_all_tasks_blocked()

        assert b.sizes == [1_000]


async def test_a_write_beside_which_no_other_waits_is_saved_at_once(
    mock_clock: MockClock,
):
    async with bench() as b:
        b.put(2, within=PATIENT)
        b.put_alone()
        at_once = b.saved[:]
        b.put_alone()
        mock_clock.jump(2 * PATIENT)
        await anyio.wait_all_tasks_blocked()

        assert at_once == [1, 2, 3]
        assert b.disk.batches == [[1, 2, 3], [4]]


async def test_on_a_slow_disk_it_waits_as_any_other(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    async with bench() as b:
        monkeypatch.setattr(Commits, "may_block", lambda *_: False)
        # Such a commit is made in a thread; what is put meanwhile comes after it.
        monkeypatch.setattr(Commits, "commit", b.disk.commit_slowly)
        b.put()
        await anyio.wait_all_tasks_blocked()
        monkeypatch.setattr(Commits, "may_block", lambda *_: True)
        b.put_alone()
        before = b.saved[:]
        b.disk.may_go_on.set()
        await anyio.wait_all_tasks_blocked()

        assert before == []
        assert b.saved == [1, 2]


async def test_on_a_full_disk_it_keeps_its_place(autojump_clock: MockClock):
    async with bench() as b:
        b.disk.is_full = True
        b.put_alone()
        await anyio.sleep(2)
        b.put(within=PATIENT)
        b.put_alone()
        before = b.saved[:]
        b.disk.is_full = False
        await anyio.sleep(1)

        assert before == []
        assert b.disk.batches == [[1, 2, 3]]
        assert len(b.told) == 1


async def test_what_waits_at_the_end_is_brought_to_disk(mock_clock: MockClock):
    async with bench() as b:
        b.put(3, within=PATIENT)

    assert b.disk.batches == [[1, 2, 3]]


async def test_a_full_disk_is_told_once_and_keeps_the_order(autojump_clock: MockClock):
    async with bench() as b:
        b.disk.is_full = True
        b.put(2)
        await anyio.sleep(2)
        b.put(within=PATIENT)
        await anyio.sleep(2)
        before = b.saved[:]
        b.disk.is_full = False
        await anyio.sleep(1)

        assert before == []
        assert b.disk.batches == [[1, 2, 3]]
        assert len(b.told) == 1


@pytest.mark.parametrize("put", [Bench.put, Bench.put_alone])
async def test_a_disk_that_fails_ends_it(
    put: Callable[[Bench], None],
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
):
    def fail(batch: Sequence[Persist]) -> None:
        raise StorageError("gone")

    bench = Bench()
    monkeypatch.setattr(bench.disk, "commit", fail)
    put(bench)
    with pytest.raises(StorageError, match="gone"):
        await bench.group.run()


async def test_nothing_follows_a_batch_that_is_lost(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    def fail(batch: Sequence[Persist]) -> None:
        raise StorageError("gone")

    bench = Bench()
    with monkeypatch.context() as failing:
        failing.setattr(bench.disk, "commit", fail)
        bench.put()
        with pytest.raises(StorageError, match="gone"):
            await bench.group.run()
    # The disk works again, and a later row would say that the lost one was seen.
    bench.put_alone()

    assert bench.disk.batches == []
    assert bench.saved == []
