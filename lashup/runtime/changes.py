"""One subscriber's changes, from the store to whoever iterates them."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from lashup.kv.subscription import KeyChanged, Subscription
from lashup.node import Node


class Changes:
    """One subscriber's changes. Iterate it; it ends when the node or its context does.

    Several tasks may, and share them: each change goes to one of them.
    """

    def __init__(self, node: Node, subscription: Subscription) -> None:
        self._node = node
        self._subscription = subscription
        self._is_closed = False
        self._changed = anyio.Event()

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> KeyChanged:
        # A subscriber that never has to wait must still let others run. Before the
        # change is taken: one that is cancelled here has lost nothing.
        await anyio.lowlevel.checkpoint()
        while True:
            change = self._node.kv.take(self._subscription)
            if change is not None:
                return change
            if self._is_closed:
                raise StopAsyncIteration
            if self._changed.is_set():  # Else another task may wait for it.
                self._changed = anyio.Event()
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    def _close(self) -> None:
        self._is_closed = True
        self._changed.set()
