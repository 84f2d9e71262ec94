"""A running node: one `lashup.node.Node` driven by sockets, a disk and the clock.

All the waiting of the library is here, and no decision. Two tasks run: one drains
the sockets and keeps the deadline, one brings rows to disk, everything that waits in
one transaction. Calls of the user act on the node at once and carry out what it
answers. It is the same on trio and on asyncio.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import anyio.abc
import anyio.lowlevel

from lashup.config import NodeConfig, check_addresses
from lashup.effects import Effect, Visible
from lashup.errors import MalformedDatagram, NodeClosed, UsageError
from lashup.kinds import check_list
from lashup.kv.effects import Confirmed, Notify
from lashup.machine import Address, NodeId, Persist, Transmit
from lashup.membership import LinkFault, Member, Reachability
from lashup.multicast import Branch, Delivered
from lashup.multicast.topics import check_topic
from lashup.node import Node
from lashup.runtime.broadcast import Broadcast, Feed
from lashup.runtime.cluster_keys import ClusterKeys
from lashup.runtime.collector import Collector
from lashup.runtime.commits import Commits
from lashup.runtime.group_commit import GroupCommit
from lashup.runtime.refused_sends import RefusedSends
from lashup.runtime.run_delay import run_delay
from lashup.runtime.storage import Storage
from lashup.runtime.table import Table
from lashup.runtime.topics import Topics
from lashup.runtime.tripwire import Tripwires
from lashup.runtime.udp import SendResult, UdpEndpoint
from lashup.runtime.wall_clock import WallClock
from lashup.wire.readers import NODE_ID_SIZE

#: Seconds for which datagrams are taken in before other tasks of the process go on.
_TURN = 0.01


class RunningNode:
    """A node of the cluster, in this process. Made by `open_node`.

    Attributes:
        kv: The table.
        keys: The keys of the whole cluster.
    """

    def __init__(
        self,
        node: Node,
        *,
        config: NodeConfig,
        endpoint: UdpEndpoint,
        storage: Storage,
        addresses: tuple[Address, ...],
    ) -> None:
        self._node = node
        self._now = WallClock(node).now
        self._config = config
        self._endpoint = endpoint
        self._commits = Commits(storage, clock=time.monotonic, delay=run_delay)
        self._addresses = addresses
        self._idle = anyio.CancelScope()
        self._idle_until = math.inf
        self._events: Broadcast[object] = Broadcast()
        self._disk = GroupCommit(
            self._commits,
            saved=self._take_saved,
            tell=self._events.send,
            rng=random.Random(),  # no secret
        )
        self._topics = Topics()
        self._refused = RefusedSends()
        self._tripwires = Tripwires(
            endpoint.addresses, wanted=self._watched, broken=self._take_evidence
        )
        self._collector: Collector | None = None
        self._is_closed = False
        self._is_leaving = False
        self._progress = anyio.Event()
        self._is_awaited = False
        self.kv = Table(
            node,
            clock=self._now,
            carry_out=self._carry_out,
            carry_out_alone=self._carry_out_alone,
            require_open=self._require_open,
            require_member=self._require_member,
            wait_until=self.wait_until,
        )
        self.keys = ClusterKeys(
            node,
            carry_out=self._carry_out,
            require_member=self._require_member,
            wait_until=self.wait_until,
        )

    @property
    def id(self) -> NodeId:
        """Sixteen bytes that stay the same as long as the data directory lives."""
        return self._node.id

    @property
    def name(self) -> str:
        """As configured."""
        return self._config.name

    @property
    def address(self) -> Address:
        """Where others reach this node; with the true port where 0 was bound."""
        return self._addresses[0]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses at which others reach this node, the preferred first."""
        return self._addresses

    @property
    def bound_addresses(self) -> tuple[Address, ...]:
        """Where this node listens, with the true ports."""
        return self._endpoint.addresses

    def members(self) -> tuple[Member, ...]:
        """Every member as this node sees it now, itself included.

        Those that are down or have left stay for a day, with their state. Each says
        how it is reached, which takes some microseconds a member: who looks at every
        event takes `live_members`.
        """
        membership = self._node.membership
        return tuple(
            replace(member, reachability=membership.reachability(member.id))
            for member in membership.members
        )

    def live_members(self) -> tuple[Member, ...]:
        """The members that are alive or suspect, itself included; cheap.

        Without how they are reached.
        """
        members = self._node.membership.members
        return tuple(member for member in members if member.liveness.is_live)

    def reachability(self) -> dict[NodeId, Reachability]:
        """How this node reaches the other members, and how long they take to answer.

        Direct, through others only, or not at all, and since when (on the clock of
        `anyio.current_time`). Who has left, or was not probed yet, is not in it.
        """
        membership = self._node.membership
        found = ((m.id, membership.reachability(m.id)) for m in membership.members)
        return {node: reached for node, reached in found if reached is not None}

    def link_faults(self) -> tuple[LinkFault, ...]:
        """Who cannot hear whom, of all members, as far as this node was told."""
        return self._node.membership.link_faults(now=anyio.current_time())

    def tree(self, origin: NodeId) -> dict[NodeId, Branch]:
        """How a multicast of a member goes: each one's next hop to it, and distance.

        Raises:
            UsageError: Not the id of a node.
        """
        if not isinstance(origin, bytes) or len(origin) != NODE_ID_SIZE:
            raise UsageError(f"origin: must be a node's id of {NODE_ID_SIZE} bytes")
        return self._node.tree(origin)

    async def join(self, seeds: Iterable[Address]) -> None:
        """Ask these for the members from now on. Returns at once; `events` tells.

        They take the place of the seeds that were given before.

        Raises:
            ConfigError: Not an address. Nobody is asked.
            NodeClosed: The node has left or stopped.
        """
        self._require_member()
        check_list("seeds", seeds, "[('10.0.0.1', 7946)]")
        seeds = tuple(seeds)
        check_addresses("seeds", seeds)
        self._carry_out(self._node.join(seeds, now=anyio.current_time()))

    async def set_tags(self, tags: Mapping[str, str]) -> None:
        """Change what every member sees of this node.

        Raises:
            ConfigError: Other than strings by strings. Nothing has changed.
            LimitExceeded: More than 512 bytes packed. Nothing has changed.
            NodeClosed: The node has left or stopped.
        """
        self._require_member()
        self._carry_out(self._node.set_tags(tags, now=anyio.current_time()))

    async def move(
        self, bind: Sequence[Address], *, advertise: Sequence[Address] = ()
    ) -> None:
        """Listen at other addresses from now on, and tell every member.

        For a host whose address has changed: the node goes on as it is, and the others
        see a `Changed` member. Addresses that are bound already stay so.

        Args:
            bind: As in `NodeConfig`. Give the port: 0 takes another one.
            advertise: As in `NodeConfig`; none: the bound addresses.

        Raises:
            ConfigError: An address cannot be bound, or told. Nothing has changed.
            NodeClosed: The node has left or stopped.
        """
        self._require_member()
        check_list("bind", bind, "[('10.0.0.7', 7946)]")
        check_list("advertise", advertise, "[('10.0.0.7', 7946)]")
        told = tuple(advertise) or None
        config = replace(self._config, bind=tuple(bind), advertise=told)
        self._endpoint.move(config.bind_addresses)
        self._config, self._addresses = config, told or self._endpoint.addresses
        self._tripwires.move(self._endpoint.addresses)
        now = anyio.current_time()
        self._carry_out(self._node.set_addresses(self._addresses, now=now))

    async def leave(self) -> None:
        """Say goodbye, so that the others see a departure and not a failure.

        Returns when some members have acknowledged it, or after `leave_timeout`.
        The node goes on until its context ends, and can still be read and followed,
        but is no member any more and writes nothing.
        """
        self._require_open()
        self._is_leaving = True
        self._carry_out(self._node.leave(now=anyio.current_time()))
        await self.wait_until(lambda: self._node.membership.has_left)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Feed[object]]:
        """Follow membership: `async with node.events() as events: async for ...`.

        Members that are there already are not told; see `members`. A follower that
        falls 1,024 events behind loses the oldest and gets a `Missed` in their place.
        """
        self._require_open()
        with self._events.open_feed() as feed:
            yield feed

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[Feed[Delivered]]:
        """Follow a multicast topic. Messages sent before this call are not told.

        Raises:
            UsageError: A topic that nobody can send to.
        """
        self._require_open()
        check_topic(topic)
        with self._topics.open_feed(topic) as feed:
            yield feed

    async def multicast(self, topic: str, payload: bytes) -> None:
        """Send a message to every other member, best effort, at once.

        Args:
            topic: Up to 64 characters, for those who listen.
            payload: Up to a megabyte, topic and header included; what is longer than a
                datagram is lost with any of its fragments.

        Raises:
            UsageError: A topic that is reserved, no bytes, or too many.
            NodeClosed: The node has left or stopped.
        """
        if not isinstance(payload, bytes):
            raise UsageError(f"payload: must be bytes, not {type(payload).__name__}")
        self._require_member()
        now = anyio.current_time()
        self._carry_out(self._node.send_multicast(topic, payload, now=now))

    def statistics(self) -> dict[str, int | float]:
        """Plain numbers, ready for an exporter. Counts are since the start."""
        numbers = self._node.statistics()
        udp = {f"udp_{k}": v for k, v in self._endpoint.statistics().items()}
        wires = {f"tripwire_{k}": v for k, v in self._tripwires.statistics().items()}
        commits = {
            "commits_in_loop": self._commits.in_loop,
            "commits_in_thread": self._commits.in_thread,
        }
        return {
            **numbers,
            **udp,
            **wires,
            **commits,
            "sends_refused": self._refused.count,
        }

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Drain the sockets and keep the deadline, until cancelled."""
        task_status.started()
        while True:
            # Re-read the deadline: a call in between may have moved it.
            self._idle_until = self._node.next_wakeup()
            with anyio.CancelScope(deadline=self._idle_until) as self._idle:
                await self._endpoint.wait_readable()
            # Before the datagrams: a machine that slept for days must know it first.
            self._now()
            # Datagrams first: a process that was stopped blames itself, and not the
            # peers whose answers have been in the buffer all the time.
            turn_until = anyio.current_time() + _TURN
            for data, sender in self._endpoint.drain():
                if (now := anyio.current_time()) > turn_until:
                    await anyio.lowlevel.checkpoint()
                    now = self._now()
                    turn_until = now + _TURN
                try:
                    effects = self._node.receive(data, sender, now=now)
                except MalformedDatagram:
                    continue  # Counted by the envelope; never answered.
                self._perform(effects)
            for address in self._endpoint.take_refusals():
                self._take_evidence(address)
            if self._collector is not None:
                self._collector.look(len(self._node.kv.store.facts))
            if self._node.next_wakeup() <= anyio.current_time():
                self._perform(self._node.tick(now=anyio.current_time()))
            self._look_again()
            self._tripwires.look()

    def _take_saved(self, batch: Sequence[Persist]) -> None:
        """These rows are on disk."""
        if self._is_closed:
            return
        now = self._now()
        for persist in batch:
            self._perform(self._node.persisted(persist.ticket, now=now))
        self._look_again()

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        self._perform(effects)
        self._look_again()

    def _carry_out_alone(self, effects: Sequence[Effect]) -> None:
        """The same for a write beside which no other waits."""
        self._perform(effects, put=self._disk.put_alone)
        self._look_again()

    def _look_again(self) -> None:
        """The node has done something: it may want to be woken sooner."""
        wakeup = self._node.next_wakeup()
        if wakeup < self._idle_until:
            self._idle.deadline = self._idle_until = wakeup
        if self._is_awaited:
            self._is_awaited = False
            self._progress.set()

    def _perform(
        self,
        effects: Sequence[Effect],
        *,
        put: Callable[[Persist], None] | None = None,
    ) -> None:
        for effect in effects:
            match effect:
                case Transmit(to, data):
                    result = self._endpoint.send(data, to)
                    if result is not SendResult.SENT:
                        self._take_refusal(to, result)
                case Persist():
                    (put or self._disk.put)(effect)
                case Visible(update):
                    self.kv.made_visible(update)
                case Notify(subscription):
                    self.kv.notify(subscription)
                case Delivered():
                    self._topics.deliver(effect)
                case Confirmed():
                    pass  # Whoever waits looks after every effect.
                case event:
                    self._events.send(event)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when something is true of this node; looks after everything it does.

        For tests and tools: a service follows `events` or subscribes.

        Args:
            condition: Cheap, and without side effects.

        Raises:
            NodeClosed: The node stopped first.
        """
        while not condition():
            self._require_open()
            if not self._is_awaited:
                self._progress, self._is_awaited = anyio.Event(), True
            await self._progress.wait()

    def _take_refusal(self, to: Address, result: SendResult) -> None:
        """This host would not send: that says nothing about the peer."""
        news = self._refused.note(to, result, now=anyio.current_time())
        if news is not None:
            self._events.send(news)

    def _take_evidence(self, address: Address) -> None:
        if not self._is_closed:
            self._carry_out(self._node.evidence(address, now=anyio.current_time()))

    def _watched(self) -> list[tuple[Member, Address]]:
        """The members to have a tripwire to, each with its address."""
        membership = self._node.membership
        found = ((m, membership.address_of(m.id)) for m in membership.tripwires())
        return [(member, address) for member, address in found if address is not None]

    def _close(self) -> None:
        try:
            self._perform(self._node.announce(now=self._now()))
        finally:
            self._is_closed = True
            self._progress.set()
            self.kv.close()
            self._events.close()
            self._topics.close()

    def _require_member(self) -> None:
        """Before this node says anything: it is open, a member, and knows the time."""
        self._require_open()
        self._now()
        if self._is_leaving:
            raise NodeClosed("the node has left the cluster")

    def _require_open(self) -> None:
        if self._is_closed:
            raise NodeClosed("the node has been closed")
