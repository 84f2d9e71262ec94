"""A test on one of the event loops that lashup runs on, within twenty seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

BACKENDS = ("trio", "asyncio")


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run a test on one event loop. None of them needs so long."""

    async def bounded() -> None:
        with anyio.fail_after(20):
            await main()

    anyio.run(bounded, backend=backend)
