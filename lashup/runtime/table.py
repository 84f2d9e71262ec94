"""The table as a service uses it: writes that wait for the disk, reads that do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from lashup.crdt.field import Key
from lashup.crdt.map import MapView
from lashup.crdt.writer import Operation
from lashup.errors import NodeClosed, UsageError
from lashup.kv.pattern import EVERYTHING, Pattern
from lashup.kv.subscription import KeyChanged, Subscription
from lashup.node import Effect, Node


class Changes:
    """One subscriber's changes. Iterate it; it ends when the node does."""

    def __init__(self, node: Node, subscription: Subscription) -> None:
        self._node = node
        self._subscription = subscription
        self._is_closed = False
        self._changed = anyio.Event()

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> KeyChanged:
        while True:
            # A subscriber that never has to wait must still let others run. Before the
            # change is taken: one that is cancelled here has lost nothing.
            await anyio.lowlevel.checkpoint()
            change = self._node.kv.take(self._subscription)
            if change is not None:
                return change
            if self._is_closed:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    def _close(self) -> None:
        self._is_closed = True
        self._changed.set()


class Table:
    """The key-value store of a running node. All reads are from memory."""

    def __init__(
        self,
        node: Node,
        *,
        carry_out: Callable[[Sequence[Effect]], None],
        require_open: Callable[[], None],
        require_member: Callable[[], None],
        wait_until: Callable[[Callable[[], bool]], Awaitable[None]],
    ) -> None:
        self._node = node
        self._wait_until = wait_until
        self._carry_out = carry_out
        self._require_open = require_open
        self._require_member = require_member
        self._waiters: dict[int, anyio.Event] = {}
        self._visible: set[int] = set()
        self._changes: dict[int, Changes] = {}

    async def update(self, key: Key, *operations: Operation) -> MapView:
        """Write one key: all operations at once, or none.

        Returns when the write is on this node's disk and on its way to the others.
        A cancelled call does not take the write back.

        Args:
            key: A tuple of strings, bytes, integers and such tuples.
            operations: Made by `register(...)`, `add_wins_set(...)`, `map_field(...)`.

        Returns:
            The key's new value.

        Raises:
            UsageError: There is no operation, or the write cannot be stored
                (`LimitExceeded`) or not now (`Overloaded`). Nothing has changed.
            NodeClosed: The node has left, or stopped first.
            StorageError: The disk failed; the node stops with it.
        """
        self._require_member()
        if not operations:
            raise UsageError("update: give at least one operation, as in register(...)")
        update, effects = self._node.update(key, operations, now=anyio.current_time())
        waiter = self._waiters[update] = anyio.Event()
        try:
            self._carry_out(effects)
            await waiter.wait()
            if update not in self._visible:
                raise NodeClosed("the node stopped before the write was visible")
        finally:
            # Also when the call was cancelled after the write had become visible.
            del self._waiters[update]
            self._visible.discard(update)
        return self.get(key)

    def get(self, key: Key) -> MapView:
        """The value of a key now; false and empty when it has none.

        Raises:
            UsageError: Not a key.
        """
        return self._node.kv.get(key)

    def keys(self, pattern: Pattern = EVERYTHING) -> list[Key]:
        """The keys that have a value and match a pattern, in no special order.

        Raises:
            UsageError: Not a pattern.
        """
        return self._node.kv.keys(pattern)

    @asynccontextmanager
    async def subscribe(self, pattern: Pattern = EVERYTHING) -> AsyncIterator[Changes]:
        """Follow some keys: the present values first, then every change.

        Changes of one key that come faster than they are taken are told as one. The
        node never waits for a subscriber.

        Args:
            pattern: A key in which `ANY` stands for one element, and `...` at the end
                for any number of them.

        Raises:
            UsageError: Not a pattern.
        """
        self._require_open()
        subscription = self._node.kv.subscribe(pattern)
        changes = Changes(self._node, subscription)
        self._changes[id(subscription)] = changes
        try:
            yield changes
        finally:
            self._node.kv.unsubscribe(subscription)
            del self._changes[id(subscription)]

    @property
    def is_synchronised(self) -> bool:
        """Whether this store has held all that another member's did since the start.

        A member with nothing in its store does not count: it may be as new as this
        one. So in a new cluster it is so when somebody has written something.
        """
        return self._node.kv.anti_entropy.is_synchronised

    @property
    def is_informed(self) -> bool:
        """Whether that member had the table before it started, or was told by such.

        Nodes that lost all their disks agree with each other on nearly nothing; they
        are synchronised, and not informed. Who deletes by what the table lacks should
        ask for both.
        """
        return self._node.kv.anti_entropy.is_informed

    async def wait_synchronised(self) -> None:
        """Return when `is_synchronised`; on a lone node that is never."""
        await self._wait_until(lambda: self.is_synchronised)

    def made_visible(self, update: int) -> None:
        """The driver says that a write is visible."""
        waiter = self._waiters.get(update)
        if waiter is not None:
            self._visible.add(update)
            waiter.set()

    def notify(self, subscription: Subscription) -> None:
        """The driver says that a subscription has something to take."""
        changes = self._changes.get(id(subscription))
        if changes is not None:
            changes._wake()  # noqa: SLF001  # the other end of one thing

    def close(self) -> None:
        """There will be no more changes, and what waits waits in vain."""
        for waiter in self._waiters.values():
            waiter.set()
        for changes in self._changes.values():
            changes._close()  # noqa: SLF001
