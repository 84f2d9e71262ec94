"""Calls that block, in a thread that gets its turn whatever else the process does.

Only one thread of Python runs at a time. One that waits for its turn asks for it after
5 ms in which nobody gave it up. An event loop that is busy gives it up at every look at
its sockets, for a microsecond: the thread is woken each time, is too late each time (it
takes a core that was idle 50 us to wake), and begins to wait anew. So it may wait for
seconds, and with it the write that it is to bring to disk. Measured: `update` beside
turns of 0.1 ms took 2 to 11 s.

The cure is a pause that is long enough: while a call is in its thread, the loop sleeps
for `PAUSE` every `PERIOD`.

Nor does a call wait for the service's own threads, of which anyio allows 40 at a time:
each call has a limiter of its own. There are never more than a few.

And a call has ended when its caller goes on, also one that is cancelled. What asyncio
itself cancels (`asyncio.timeout`, `Task.cancel`, the end of `asyncio.run`) knows of no
shield, and what comes next would find the files in use by the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

#: Seconds for which the loop sleeps, so that a thread which waits for its turn has it.
PAUSE = 0.0001
#: Seconds between such pauses: no oftener than Python itself changes threads.
PERIOD = 0.005

ReturnT = TypeVar("ReturnT")


async def run_in_thread(
    function: Callable[..., ReturnT],
    *args: object,
    abandon_on_cancel: bool = False,
) -> ReturnT:
    """Call a function in a thread, and return what it returns.

    As `anyio.to_thread.run_sync`, except that neither a busy loop nor other threads
    keep it waiting. A cancelled caller goes on when the call has ended, or will never
    begin; it may have been made, and what it returned is lost.
    """
    call = _Call(lambda: function(*args))
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_pause_at_times)
        try:
            result = await anyio.to_thread.run_sync(
                call.make,
                abandon_on_cancel=abandon_on_cancel,
                limiter=anyio.CapacityLimiter(1),
            )
        except Exception as error:  # raised below, in no group
            failure = error
        except anyio.get_cancelled_exc_class():
            if not abandon_on_cancel:
                await call.wait_ended()
            raise
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


class _Call(Generic[ReturnT]):
    """One call, which begins once at most: in its thread, or as given up."""

    def __init__(self, function: Callable[[], ReturnT]) -> None:
        self._function = function
        self._begun = threading.Lock()
        self._has_ended = False

    def make(self) -> ReturnT:
        if not self._begun.acquire(blocking=False):
            raise RuntimeError("given up before it began")  # nobody hears it
        try:
            return self._function()
        finally:
            self._has_ended = True

    async def wait_ended(self) -> None:
        """Return when it is over, or will not begin, however often this is cancelled.

        Whoever calls this is cancelled already, and says so.
        """
        if self._begun.acquire(blocking=False):
            return
        with anyio.CancelScope(shield=True):
            while not self._has_ended:  # nothing tells, but the thread
                with suppress(anyio.get_cancelled_exc_class()):
                    await anyio.sleep(PERIOD)


async def _pause_at_times() -> None:
    while True:
        await anyio.sleep(PERIOD)
        time.sleep(PAUSE)  # noqa: ASYNC251  # that nothing else runs is what it is for
