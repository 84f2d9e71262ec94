"""Rows on their way to the disk: all that wait go in one transaction.

While one transaction is made, more rows come; they are the next one. So a writer alone
has a transaction for each write, and a thousand at once share a few. Rows that nobody
waits for begin none of their own until their time is up: they go with the next that
somebody waits for. When exactly that is, is drawn by lot: many nodes of one host have
heard the same at the same moment, and should not all save it at the same moment. All
reach the disk in the order in which they were put.

A write beside which no other waits goes to a quick disk in the call that puts it, with
what waits patiently: nobody would come to share its transaction, and two changes of
task take as long as that does.

A batch that failed is the last one. A later one would say, in its context, that the
lost facts had been seen: on the next start they would be taken for removed, and that
would spread to everybody. Where the disk is full, the same batch is tried again, with
what came meanwhile, until there is space.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from lashup.errors import StorageError, StorageFull
from lashup.machine import Persist
from lashup.runtime.commits import Commits

#: Seconds between two tries on a disk without space.
_FULL_PERIOD = 0.5
#: Groups of rows that are not left waiting any longer, however much time they have.
_MOST_TOGETHER = 256
#: Rows that may wait for space, some 300 bytes of memory each.
_MOST_WAITING = 200_000


@dataclass(frozen=True, slots=True)
class DiskFull:
    """There is no space for this node's table; told once, until there was some.

    Writes wait meanwhile, what others write is taken in memory only, and it is tried
    again twice a second. When 200,000 rows wait, the node stops with `StorageError`.

    Attributes:
        problem: What the disk said, with the file.
    """

    problem: str


class GroupCommit:
    """Brings the rows of one node to its disk.

    Args:
        commits: Makes the transactions.
        saved: Called with what is on disk, in its order.
        tell: Called when the disk is full.
        rng: Draws how long patient rows wait.
    """

    def __init__(
        self,
        commits: Commits,
        *,
        saved: Callable[[Sequence[Persist]], None],
        tell: Callable[[DiskFull], None],
        rng: random.Random,
    ) -> None:
        self._commits = commits
        self._saved = saved
        self._tell = tell
        self._rng = rng
        self._waiting: list[Persist] = []
        self._is_full = self._is_committing = self._is_over = False
        self._patience = anyio.CancelScope()
        #: That something can wait no longer.
        self._urgent = anyio.Event()

    def put(self, persist: Persist) -> None:
        """Have these rows go with the next transaction."""
        self._waiting.append(persist)
        if not persist.within or len(self._waiting) >= _MOST_TOGETHER:
            self._urgent.set()
            return
        due = anyio.current_time() + persist.within
        if due < self._patience.deadline:
            self._patience.deadline = due - self._rng.uniform(0.0, persist.within / 2)

    def put_alone(self, persist: Persist) -> None:
        """Have these rows on disk when this returns, if that is quick; else as `put`.

        For whoever knows that nobody else waits for the disk.
        """
        batch = [*self._waiting, persist]
        # After `run` has ended nothing may follow: it may have lost a batch.
        is_busy = self._is_committing or self._is_full or self._is_over
        if is_busy or not self._commits.may_block(batch):
            self.put(persist)
            return
        try:
            self._commits.commit_here(batch)
        except StorageError:
            self.put(persist)  # `run` meets the same, and knows what to do.
            return
        self._waiting = []
        self._patience.deadline = math.inf
        self._saved(batch)

    async def run(self) -> None:
        """Bring rows to disk until cancelled; then once more, what is left.

        Raises:
            StorageError: The disk failed, or too much waits for space on it.
        """
        try:
            while True:
                with self._patience:
                    await self._urgent.wait()
                try:
                    await self._commit()
                except StorageFull as error:
                    self._wait_for_space(error)
                    await anyio.sleep(_FULL_PERIOD)
        except anyio.get_cancelled_exc_class():
            # What is known is kept, though nobody waits for it any more.
            await self._commit()
            raise
        finally:
            self._is_over = True

    async def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        self._urgent = anyio.Event()
        self._patience = anyio.CancelScope()
        if not batch:
            return
        self._is_committing = True
        try:
            await self._commits.commit(batch)
        except StorageFull:
            # In its order, before all that came later.
            self._waiting[:0] = batch
            self._urgent.set()
            raise
        except anyio.get_cancelled_exc_class():
            # By asyncio itself, as the loop ends: it may not have begun. Once more is
            # the same; without it, what follows would say that it had been seen.
            self._waiting[:0] = batch
            raise
        finally:
            self._is_committing = False
        self._is_full = False
        self._saved(batch)

    def _wait_for_space(self, error: StorageFull) -> None:
        """Tell once; give up when too much waits."""
        waiting = sum(len(one.puts) + len(one.deletes) for one in self._waiting)
        if waiting > _MOST_WAITING:
            raise StorageError(f"{error}; {waiting} rows wait for it") from error
        if not self._is_full:
            self._is_full = True
            self._tell(DiskFull(str(error)))
