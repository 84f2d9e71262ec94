"""Events to any number of followers, each at its own pace, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

ItemT = TypeVar("ItemT")

#: Events that wait for one follower.
BACKLOG = 1_024


@dataclass(frozen=True, slots=True)
class Missed:
    """A follower was too slow: so many of the oldest events were not kept for it."""

    count: int


class Feed(Generic[ItemT]):
    """One follower's events. Iterate it; it ends when the node or its context does.

    Several tasks may, and share them: each event goes to one of them.
    """

    def __init__(self) -> None:
        self._waiting: deque[ItemT] = deque()
        self._missed = 0
        self._is_closed = False
        self._changed = anyio.Event()

    def __aiter__(self) -> Feed[ItemT]:
        return self

    async def __anext__(self) -> ItemT | Missed:
        # A follower that never has to wait must still let others run. Before an event
        # is taken: what was there may be another task's by now.
        await anyio.lowlevel.checkpoint()
        while True:
            if self._missed:
                missed, self._missed = self._missed, 0
                return Missed(missed)
            if self._waiting:
                return self._waiting.popleft()
            if self._is_closed:
                raise StopAsyncIteration
            if self._changed.is_set():  # Else another task may wait for it.
                self._changed = anyio.Event()
            await self._changed.wait()

    def _put(self, item: ItemT) -> None:
        if len(self._waiting) == BACKLOG:
            self._waiting.popleft()
            self._missed += 1
        self._waiting.append(item)
        self._changed.set()

    def _close(self) -> None:
        self._is_closed = True
        self._changed.set()


class Broadcast(Generic[ItemT]):
    """The sending end."""

    def __init__(self) -> None:
        self._feeds: list[Feed[ItemT]] = []

    def __bool__(self) -> bool:
        """Whether anybody follows."""
        return bool(self._feeds)

    @contextmanager
    def open_feed(self) -> Iterator[Feed[ItemT]]:
        """A new follower, as long as the context lasts."""
        feed: Feed[ItemT] = Feed()
        self._feeds.append(feed)
        try:
            yield feed
        finally:
            self._feeds.remove(feed)
            feed._close()  # noqa: SLF001  # a task may still follow it

    def send(self, item: ItemT) -> None:
        """Tell every follower. Never waits."""
        for feed in self._feeds:
            feed._put(item)  # noqa: SLF001  # the other end of one thing

    def close(self) -> None:
        """There will be no more."""
        for feed in self._feeds:
            feed._close()  # noqa: SLF001
