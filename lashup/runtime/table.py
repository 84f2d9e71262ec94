"""The table as a service uses it: writes that wait for the disk, reads that do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import NoneType

import anyio
import anyio.lowlevel

from lashup.crdt.field import Key
from lashup.crdt.map import MapView
from lashup.crdt.token import Token
from lashup.crdt.writer import Operation
from lashup.effects import Effect
from lashup.errors import MalformedDatagram, NodeClosed, Unconfirmed, UsageError
from lashup.kinds import check_number
from lashup.kv.confirmation import Wait
from lashup.kv.dump import decode_dump_untrusted, encode_dump
from lashup.kv.pattern import EVERYTHING, Pattern
from lashup.kv.subscription import Subscription
from lashup.node import Node
from lashup.runtime.changes import Changes
from lashup.runtime.threads import run_in_thread

#: Facts of a dump that are taken before others get their turn: some milliseconds.
_TAKEN_AT_ONCE = 4_096


class Table:
    """The key-value store of a running node. All reads are from memory."""

    def __init__(
        self,
        node: Node,
        *,
        clock: Callable[[], float],
        carry_out: Callable[[Sequence[Effect]], None],
        carry_out_alone: Callable[[Sequence[Effect]], None],
        require_open: Callable[[], None],
        require_member: Callable[[], None],
        wait_until: Callable[[Callable[[], bool]], Awaitable[None]],
    ) -> None:
        self._node = node
        self._wait_until = wait_until
        self._clock = clock
        self._carry_out = carry_out
        self._carry_out_alone = carry_out_alone
        self._require_open = require_open
        self._require_member = require_member
        self._waiters: dict[int, anyio.Event] = {}
        self._visible: set[int] = set()
        self._changes: dict[int, Changes] = {}

    async def update(
        self,
        key: Key,
        *operations: Operation,
        expect: Token | None = None,
        wait: Wait | None = None,
        within: float = 5.0,
    ) -> MapView:
        """Write one key: all operations at once, or none.

        Returns when the write is on this node's disk and on its way to the others, or
        about to be, together with those close behind it (50 ms at most).
        A cancelled call does not take the write back.

        Args:
            key: A tuple of strings, bytes, integers and such tuples.
            operations: Made by `register(...)`, `add_wins_set(...)`, `map_field(...)`.
            expect: `token` of a value that was read: written only if nothing else
                was, neither on this node nor, as far as it has heard, on any other.
            wait: Return only when so many members have joined the write: a number,
                this node included, or `"majority"` or `"all"` of those that are
                alive as this node sees it. On their disks it is with their next batch.
            within: Seconds to wait for them, from the moment it is on this disk: before
                it is, nobody is told. The disk itself is waited for without limit.

        Returns:
            The key's new value.

        Raises:
            ConcurrentUpdate: The key is not as it was when `expect` was read, or
                another write to it is on its way to the disk. Nothing has changed.
            Unconfirmed: The time is up. The write stands; the error says who has it and
                who has not said so.
            UsageError: An argument is none of what it should be, or the write cannot
                be stored (`LimitExceeded`) or not now (`Overloaded`). Nothing has
                changed.
            NodeClosed: The node has left, or stopped first.
            StorageError: The disk failed; the node stops with it.
        """
        self._require_member()
        if not operations:
            raise UsageError("update: give at least one operation, as in register(...)")
        for operation in operations:
            _check_operation(operation)
        if not isinstance(expect, (Token, NoneType)):
            raise UsageError(
                f"expect: {type(expect).__name__} is none; give the `token` of a view"
            )
        check_number("within", within)
        update, effects = self._node.update(
            key, operations, now=self._clock(), expect=expect, wait=wait
        )
        try:
            carry_out = self._carry_out if self._waiters else self._carry_out_alone
            await self._until_visible(update, effects, carry_out)
            if wait is not None:
                await self._until_confirmed(update, within=within)
        finally:
            self._node.waits.end(update)
        return self.get(key)

    async def dump(self) -> bytes:
        """The whole table as it is now, in the dump format (`lashup.kv.dump`).

        As it is at the call, whatever is written until it returns. The node goes on
        meanwhile: a large table takes seconds.
        """
        wall = self._clock() + self._node.wall_offset
        cluster, as_of = self._node.cluster, self._node.kv.absence.as_of
        with self._node.kv.store.facts.cut() as state:
            while not state.take(_TAKEN_AT_ONCE):
                await anyio.lowlevel.checkpoint()
        return await run_in_thread(
            lambda: encode_dump(state, cluster=cluster, wall=wall, as_of=as_of)
        )

    async def load(self, dump: bytes, *, outdated: bool = False) -> int:
        """Join a dump with the table. Returns when it is on this node's disk.

        Nothing is overwritten: what the dump holds is news only where this table has
        not seen it; what was removed since stays removed. The others get it by
        reconciliation.

        Args:
            dump: What `dump` gave.
            outdated: Take also a dump that is older than removals are remembered
                (`NodeConfig.retire_after`): what was removed since may come back.

        Returns:
            How many facts the table has gained, or lost if negative.

        Raises:
            UsageError: No dump, a damaged one, one of another version or cluster, or
                an outdated one. Nothing has changed.
            NodeClosed: The node has left, or stopped first: a part may be loaded.
        """
        self._require_member()
        if not isinstance(dump, bytes):
            raise UsageError(f"dump: must be bytes, not {type(dump).__name__}")
        try:
            found = await run_in_thread(decode_dump_untrusted, dump)
        except MalformedDatagram as error:
            raise UsageError(f"dump: {error}") from error
        if found.cluster != self._node.cluster:
            raise UsageError(
                f"dump: of the cluster {found.cluster!r}, "
                f"this node is of {self._node.cluster!r}"
            )
        if not outdated and self._node.kv.absence.is_behind(found.as_of):
            raise UsageError(
                "dump: older than removals are remembered here; what was removed since "
                "it was made may come back with it. Load it with outdated=True if that "
                "is what you want"
            )
        before = len(self._node.kv.store.facts)
        as_of = None if outdated else found.as_of
        for delta in found.deltas:
            self._require_open()
            update, effects = self._node.load(delta, as_of=as_of, now=self._clock())
            await self._until_visible(update, effects, self._carry_out)
        return len(self._node.kv.store.facts) - before

    def get(self, key: Key) -> MapView:
        """The value of a key now; false and empty when it has none.

        Raises:
            UsageError: Not a key.
        """
        return self._node.kv.get(key)

    def keys(self, pattern: Pattern = EVERYTHING) -> list[Key]:
        """The keys that have a value and match a pattern.

        In an order of their own: those of fewer elements first, then by their packed
        form. Takes time for the keys that begin as the pattern does up to its first
        `ANY`, some 0.5 us each, whatever else the table holds.

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
            changes._close()  # noqa: SLF001  # a task may still follow it

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

    async def _until_visible(
        self,
        update: int,
        effects: Sequence[Effect],
        carry_out: Callable[[Sequence[Effect]], None],
    ) -> None:
        waiter = self._waiters[update] = anyio.Event()
        try:
            carry_out(effects)
            # Lets others go on, too: those that write meanwhile are not alone.
            await waiter.wait()
            if update not in self._visible:
                raise NodeClosed("the node stopped before the write was visible")
        finally:
            # Also when the call was cancelled after the write had become visible.
            del self._waiters[update]
            self._visible.discard(update)

    async def _until_confirmed(self, update: int, *, within: float) -> None:
        with anyio.move_on_after(within):
            await self._wait_until(lambda: self._node.waits.is_confirmed(update))
        if self._node.waits.is_confirmed(update):
            return
        having = self._node.waits.confirmed_by(update)
        members = self._node.membership
        missing = [node for node in members.alive() if node not in having]
        names = {member.id: member.name for member in members.members}
        listed = ", ".join(sorted(names.get(node, node.hex()) for node in missing))
        raise Unconfirmed(
            tuple(sorted(having)),
            tuple(missing),
            problem=f"after {within} s {len(having)} members have the write; not heard "
            f"from: {listed or 'nobody else is alive'}",
        )

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


def _check_operation(operation: object) -> None:
    """Raises UsageError for what cannot be carried out, such as a field of a map."""
    if not callable(getattr(operation, "apply", None)):
        raise UsageError(
            f"update: {type(operation).__name__} is no operation; "
            "they are made as in register(name).assign(value)"
        )
