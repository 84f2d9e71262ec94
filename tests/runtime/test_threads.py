"""A call in a thread gets its turn whatever else the process does."""

from __future__ import annotations

import threading
import time

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from lashup.runtime import threads
from lashup.runtime.threads import run_in_thread


def test_the_loop_pauses_while_a_call_is_in_its_thread(on, monkeypatch):
    # Whether a waiting thread is too late is the scheduler's doing; that the loop makes
    # room for it is ours. This call returns as soon as there was room twice.
    rooms = threading.Semaphore(0)
    monkeypatch.setattr(time, "sleep", lambda _: rooms.release())

    def call() -> bool:
        return rooms.acquire(timeout=10) and rooms.acquire(timeout=10)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_never_rest)
            had_room = await run_in_thread(call)
            tasks.cancel_scope.cancel()
        assert had_room

    on(main)


async def _never_rest() -> None:
    while True:
        await anyio.lowlevel.checkpoint()


def test_what_the_call_returns_or_raises_is_what_its_caller_gets(on):
    async def main() -> None:
        assert await run_in_thread(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(divmod, 7, 0)

    on(main)


def test_no_pause_follows_a_call_that_has_ended(on, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    async def main() -> None:
        await run_in_thread(divmod, 7, 2)
        so_far = len(pauses)
        with anyio.move_on_after(4 * threads.PERIOD):
            await _never_rest()
        assert len(pauses) == so_far

    on(main)


def test_a_cancelled_caller_waits_for_its_call(on):
    ended: list[int] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run_in_thread(ended.append, 1)
        assert ended in ([], [1])  # not begun, or done to its end

    on(main)


def test_a_call_does_not_wait_for_threads_of_the_service(on):
    go_on = threading.Event()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            limiter = anyio.to_thread.current_default_thread_limiter()
            limiter.total_tokens = 1
            tasks.start_soon(anyio.to_thread.run_sync, go_on.wait, 10)
            while limiter.available_tokens:
                await anyio.lowlevel.checkpoint()

            with anyio.move_on_after(5):
                assert await run_in_thread(divmod, 7, 2) == (3, 1)
                assert not go_on.is_set()
                go_on.set()
            has_ended = go_on.is_set()
            go_on.set()
        assert has_ended

    try:
        on(main)
    finally:
        go_on.set()
