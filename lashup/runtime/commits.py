"""Where a commit is made: in the event loop while the disk is quick, else in a thread.

A durable commit takes a good disk 0.1 to 0.3 ms. To hand it to a thread and hear from
that again takes as long, so a writer that waits for each write would get half. Yet a
disk may stall for a second at any time, and the loop must not stall with it for long:
its probes would be late, and others would suspect this node.

So the time of each commit is measured. While they are short on average, they are made
in the loop. After one that was long, or when the average rises, they are made in the
thread for `THREAD_FOR` seconds at least: one stall costs the loop one stall. Time in
which this process had no core does not count: a thread would have to wait for one, too,
and more often.

A thread beside a loop that never rests is slow however quick the disk is, because it
waits for its turn some times in each commit. So the loop is tried again after a while
also where the thread is slow; seldom, where it is the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from lashup.machine import Persist
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.sqlite_storage import SqliteStorage
from lashup.runtime.storage import Storage
from lashup.runtime.threads import run_in_thread

#: Seconds that a commit may take on average, and any one of them, in the loop. The
#: second one leaves room for SQLite folding its log into the database now and then.
SHORT = 0.001
STALL = 0.02
#: Seconds after which the loop is tried again; twice as many after each try in vain.
THREAD_FOR = 10.0
THREAD_FOR_LONGEST = 600.0
#: Rows that are never written in the loop at once, however quick the disk: 4 us each.
MOST_ROWS = 256
#: Commits over which the average runs, more or less.
_AVERAGED = 16


class Commits:
    """Commits batches of one storage, one after the other.

    Args:
        storage: Where to.
        clock: Seconds since any moment; also called from the thread.
        delay: Seconds for which the calling thread has had no core.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Callable[[], float],
        delay: Callable[[], float],
    ) -> None:
        self.in_loop = 0
        self.in_thread = 0
        self._storage = storage
        self._clock = clock
        self._delay = delay
        # Nothing is known of the disk: the first ones are made in the thread.
        self._mean = 2 * SHORT
        self._thread_until = 0.0
        #: When the loop is tried although commits are long, and how much later again.
        self._try_at = clock() + THREAD_FOR
        self._try_after = THREAD_FOR

    async def commit(self, batch: Sequence[Persist]) -> None:
        """Make a batch durable. It is not cancelled half-way.

        Raises:
            StorageError: Nothing of it is on disk.
        """
        if self.may_block(batch):
            self.commit_here(batch)
            return
        self.in_thread += 1
        # Shielded: a batch that was taken off the queue must not get lost.
        with anyio.CancelScope(shield=True):
            await run_in_thread(self._timed, batch)

    def commit_here(self, batch: Sequence[Persist]) -> None:
        """Make a batch durable in this very call, if that `may_block`.

        Raises:
            StorageError: Nothing of it is on disk.
        """
        if isinstance(self._storage, MemoryStorage):
            self._storage.commit(batch)
            return
        self.in_loop += 1
        is_try = self._mean > SHORT
        took = self._timed(batch)
        if took > STALL:
            # In the thread it may have been no stall of the disk.
            self._thread_until = self._clock() + THREAD_FOR
        if not is_try:
            return
        if took <= SHORT:
            # So it was the thread that was slow.
            self._mean = took
            self._try_after = THREAD_FOR
        else:
            self._try_after = min(2 * self._try_after, THREAD_FOR_LONGEST)
            self._try_at = self._clock() + self._try_after

    def may_block(self, batch: Sequence[Persist]) -> bool:
        """Whether this batch should be made durable in the loop."""
        if isinstance(self._storage, MemoryStorage):
            return True
        if not isinstance(self._storage, SqliteStorage):
            return False  # A storage of somebody else's may wait for the loop.
        now = self._clock()
        if now < self._thread_until or (self._mean > SHORT and now < self._try_at):
            return False
        return sum(len(one.puts) + len(one.deletes) for one in batch) <= MOST_ROWS

    def _timed(self, batch: Sequence[Persist]) -> float:
        began, delayed = self._clock(), self._delay()
        self._storage.commit(batch)
        took = self._clock() - began - (self._delay() - delayed)
        was_short = self._mean <= SHORT
        # A stall counts as one long commit, or it would take hundreds to forget it.
        self._mean += (min(took, STALL) - self._mean) / _AVERAGED
        if was_short and self._mean > SHORT:
            self._try_at = self._clock() + self._try_after
        return took
