"""Calls that block, in a thread that gets its turn although the event loop never rests.

Only one thread of Python runs at a time. One that waits for its turn asks for it after
5 ms in which nobody gave it up. An event loop that is busy gives it up at every look at
its sockets, for a microsecond: the thread is woken each time, is too late each time (it
takes a core that was idle 50 us to wake), and begins to wait anew. So it may wait for
seconds, and with it the write that it is to bring to disk. Measured: `update` beside
turns of 0.1 ms took 2 to 11 s.

The cure is a pause that is long enough: while a call is in its thread, the loop sleeps
for `PAUSE` every `PERIOD`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

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

    As `anyio.to_thread.run_sync`, except that a busy loop does not keep it waiting.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_pause_at_times)
        try:
            result = await anyio.to_thread.run_sync(
                function, *args, abandon_on_cancel=abandon_on_cancel
            )
        except Exception as error:  # raised below, in no group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def _pause_at_times() -> None:
    while True:
        await anyio.sleep(PERIOD)
        time.sleep(PAUSE)  # noqa: ASYNC251  # that nothing else runs is what it is for
