"""One computer: a node or none, a socket with a buffer, a disk, and a clock of its own.

It does what `lashup.runtime.agent` does, in the same order: sockets are drained
before timers, effects are carried out as they stand, rows go to disk everything that
waits at once, and the wall clock is looked at once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from random import Random
from typing import Protocol

from lashup.config import NodeConfig
from lashup.crdt.field import Key
from lashup.crdt.writer import Operation
from lashup.errors import MalformedDatagram
from lashup.identity import next_start
from lashup.kv.replica import ClockSkewed, Notify
from lashup.kv.subscription import Subscription
from lashup.machine import Address, Persist, Transmit
from lashup.membership import MemberEvent
from lashup.multicast import Delivered
from lashup.node import Effect, Node, Visible
from simulations.disk import Disk
from simulations.latency import SECOND
from simulations.socket_buffer import SocketBuffer
from simulations.world import WALL_AT_START, World

#: Seconds between two looks at the wall clock.
_CLOCK_PERIOD = 1.0


class State(Enum):
    """What a host does."""

    OFF = "off"
    RUNNING = "running"
    #: The process is stopped: nothing runs, the socket's buffer fills up.
    PAUSED = "paused"


class Witness(Protocol):
    """Is told what nodes do: the measures and the invariants of a run."""

    def started(self, host: Host) -> None:
        """A node has read its disk and begins."""
        ...

    def member_event(self, host: Host, event: MemberEvent) -> None:
        """A node tells of a member."""
        ...

    def written(self, host: Host, persist: Persist) -> None:
        """A node puts on disk what it has minted by a write of its own."""
        ...

    def merged(self, host: Host, persist: Persist) -> None:
        """A node puts on disk what others have told it."""
        ...

    def saved(self, host: Host, persist: Persist) -> None:
        """It is on disk."""
        ...


class Host:
    """One computer of the world.

    Args:
        world: Where it is.
        name: What the world calls it, whatever nodes run on it.
        config: What its node is told; its first bound address is the host's.
        witness: Told of what the node does.
        disk: What survives.
        skew: Seconds by which its wall clock is wrong.
        drift: Seconds by which it gets more wrong each second.

    Attributes:
        node: The node, while it runs or is paused.
        is_leaving: Whether it has said goodbye.
        seconds_per_datagram: What it takes the process to deal with one. A slow host
            has more than 0, and so a queue.
        sent_datagrams: Since the beginning, all lives together.
        sent_bytes: The same, UDP payload.
        refused: Datagrams that did not open.
    """

    def __init__(
        self,
        world: World,
        config: NodeConfig,
        *,
        name: str,
        witness: Witness,
        disk: Disk,
        skew: float = 0.0,
        drift: float = 0.0,
    ) -> None:
        self.name = name
        self.node: Node | None = None
        self.state = State.OFF
        self.is_leaving = False
        self.disk = disk
        self.inbox = SocketBuffer()
        self.config = config
        self.address: Address = config.bind_addresses[0]
        self.seconds_per_datagram = 0.0
        self.sent_datagrams = 0
        self.sent_bytes = 0
        self.refused = 0
        self.world = world
        self._witness = witness
        self._skew = skew
        self._drift = drift
        self._life = 0
        # Whatever was scheduled for another time than these is of an earlier life.
        self._wake_at: int | None = None
        self._busy_until: int | None = None
        self._transaction_ends: int | None = None
        self._clock_at = 0.0
        self._saved_while_paused: list[Persist] = []
        self._on_visible: dict[int, Callable[[], None]] = {}
        self._on_change: dict[int, Callable[[], None]] = {}

    @property
    def running(self) -> Node:
        """The node, which must be there."""
        assert self.node is not None, f"{self.name} is off"  # noqa: S101
        return self.node

    @property
    def is_running(self) -> bool:
        """Whether it does anything now."""
        return self.state is State.RUNNING

    @property
    def wall(self) -> float:
        """What its wall clock shows: seconds since 1970."""
        now = self.world.seconds
        return WALL_AT_START + now * (1 + self._drift) + self._skew

    def start(self) -> None:
        """Start a node on what is on disk, and let it ask its seeds."""
        self.boot()
        now = self.world.seconds
        self.carry_out(self.running.join(self.config.seeds, now=now))

    def boot(self) -> None:
        """Start a node that has asked nobody yet."""
        self._life += 1
        rng = self.world.rng_of(f"{self.name} life {self._life}")
        tables = self.disk.tables()
        identity = next_start(tables, rng=rng, wall=self.wall)
        # As in the agent: durable before anything is sent under this identity.
        self.disk.commit([identity.save()])
        self.node = Node(
            self.config,
            identity,
            addresses=self.config.bind_addresses,
            tables=tables,
            rng=Random(rng.getrandbits(256)),
            now=self.world.seconds,
            wall=self.wall,
        )
        self.state = State.RUNNING
        self._clock_at = self.world.seconds
        for address in self.config.bind_addresses:
            self.world.bind(address, self)
        self._log("start", node=self.node.id.hex(), epoch=identity.epoch)
        self._witness.started(self)

    def configure(self, config: NodeConfig) -> None:
        """Be told something else, another address say, at the next start."""
        self.config = config
        self.address = config.bind_addresses[0]

    def crash(self) -> None:
        """The power goes: the node is gone, and what was not on disk."""
        self._log("crash")
        self.disk.crash(rng=self.world.rng_of(f"{self.name} crash {self._life}"))
        self._end()

    def stop(self) -> None:
        """End the process in order: what is to be saved is saved."""
        self._log("stop")
        while self.disk.waiting:
            self.disk.end_transaction()
        self._end()

    def leave(self) -> None:
        """Say goodbye. The node goes on until somebody stops it."""
        self._log("leave")
        self.is_leaving = True
        self.carry_out(self.running.leave(now=self.world.seconds))

    def pause(self) -> None:
        """Stop the process where it is, as by a signal."""
        self._log("pause")
        self.state = State.PAUSED
        self.world.stepped(self)

    def resume(self) -> None:
        """Let the process go on: first what came meanwhile, then what is late."""
        self._log("resume")
        self.state = State.RUNNING
        self._drain()
        saved, self._saved_while_paused = self._saved_while_paused, []
        self._saved(saved)

    def update(
        self,
        key: Key,
        operations: Sequence[Operation],
        *,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Write one key; `then` is called when the write is visible.

        Raises:
            UsageError: See `Node.update`.
        """
        now = self._now()
        update, effects = self.running.update(key, operations, now=now)
        if then is not None:
            self._on_visible[update] = then
        self._carry_out_own(effects)

    def follow(self, subscription: Subscription, action: Callable[[], None]) -> None:
        """Call something whenever a subscription of the node has something to take."""
        self._on_change[id(subscription)] = action

    def arrived(self, data: bytes, sender: Address) -> None:
        """A datagram is in the socket's buffer, if there is room."""
        if self.state is State.RUNNING and self._busy_until is None and not self.inbox:
            self._receive(data, sender)
            self._be_busy()
        elif self.state is not State.OFF:
            self.inbox.put(data, sender)

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what the node wants, in order; then look when it wants to be woken."""
        for effect in effects:
            match effect:
                case Transmit(to, data):
                    self.sent_datagrams += 1
                    self.sent_bytes += len(data)
                    self.world.send(self, to, data)
                case Persist():
                    if self.disk.save(effect):
                        self._begin_transaction()
                case Visible(update):
                    self._log("visible", update=update)
                    if (then := self._on_visible.pop(update, None)) is not None:
                        then()
                case Notify(subscription):
                    if action := self._on_change.get(id(subscription)):
                        action()
                case Delivered(topic, origin, payload):
                    size = len(payload)
                    self._log("delivered", topic=topic, origin=origin.hex(), size=size)
                case ClockSkewed(seconds):
                    self._log("skewed", microseconds=round(seconds * 1e6))
                case event:
                    self._tell(event)
        self._settle()

    def _receive(self, data: bytes, sender: Address) -> None:
        try:
            effects = self.running.receive(data, sender, now=self._now())
        except MalformedDatagram:
            self.refused += 1
            return
        for effect in effects:
            if type(effect) is Persist:
                self._witness.merged(self, effect)
        self.carry_out(effects)

    def _be_busy(self) -> None:
        if self.seconds_per_datagram:
            self._busy_until = self._after(self.seconds_per_datagram, self._done)

    def _done(self) -> None:
        if self._busy_until == self.world.now:  # else it is of an earlier life
            self._busy_until = None
            if self.state is State.RUNNING:
                self._drain()

    def _drain(self) -> None:
        """Take what waits in the socket's buffer, then do what has come due."""
        while self.inbox and self._busy_until is None:
            self._receive(*self.inbox.take())
            self._be_busy()
        if self._busy_until is None:
            self._tick()

    def _wake(self) -> None:
        if self._wake_at == self.world.now:  # else a later one has replaced it
            self._wake_at = None
            if self.state is State.RUNNING and self._busy_until is None:
                self._tick()

    def _tick(self) -> None:
        now = self._now()
        if self.running.next_wakeup() <= now:
            self.carry_out(self.running.tick(now=now))
        else:
            self._settle()

    def _settle(self) -> None:
        """Ask to be woken in time, and let the observers look."""
        world = self.world
        at = world.wake_time(self.running.next_wakeup())
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at
            world.at(at, self._wake)
        world.stepped(self)

    def _begin_transaction(self) -> None:
        self._transaction_ends = self._after(self.disk.seconds, self._end_transaction)

    def _end_transaction(self) -> None:
        if self._transaction_ends != self.world.now:
            return  # Of an earlier life.
        written, goes_on = self.disk.end_transaction()
        if goes_on:
            self._begin_transaction()
        if self.state is State.PAUSED:
            self._saved_while_paused += written
        else:
            self._saved(written)

    def _saved(self, batch: Iterable[Persist]) -> None:
        for persist in batch:
            self._witness.saved(self, persist)
            effects = self.running.persisted(persist.ticket, now=self._now())
            if effects:
                self._carry_out_own(effects)

    def _carry_out_own(self, effects: Sequence[Effect]) -> None:
        """Carry out what comes of a local write: its rows are facts newly minted."""
        for effect in effects:
            if type(effect) is Persist:
                self._witness.written(self, effect)
        self.carry_out(effects)

    def _end(self) -> None:
        self.world.unbind(self.address, self)
        self.node = None
        self.state = State.OFF
        self.is_leaving = False
        self.inbox.clear()
        self._busy_until = self._wake_at = self._transaction_ends = None
        self._saved_while_paused = []
        self._on_visible.clear()
        self._on_change.clear()
        self.world.stepped(self)

    def _now(self) -> float:
        """The time; the wall clock is followed by the way, as in the agent."""
        now = self.world.seconds
        if now >= self._clock_at + _CLOCK_PERIOD:
            self._clock_at = now
            self.running.wall_offset = self.wall - now
        return now

    def _after(self, seconds: float, action: Callable[[], None]) -> int:
        at = self.world.now + max(1, round(seconds * SECOND))
        self.world.at(at, action)
        return at

    def _tell(self, event: MemberEvent) -> None:
        member = event.member
        self._log(
            type(event).__name__,
            member=member.id.hex(),
            epoch=member.epoch,
            incarnation=member.incarnation,
            liveness=member.liveness.name,
        )
        self._witness.member_event(self, event)

    def _log(self, what: str, **details: int | str) -> None:
        self.world.trace.event(self.world.now, self.name, what, **details)
