"""One computer: a process or none, a socket's buffer, a disk, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from random import Random
from typing import Protocol

from lashup.config import NodeConfig
from lashup.crdt.field import Key
from lashup.crdt.writer import Operation
from lashup.effects import Effect
from lashup.identity import next_start
from lashup.kv.subscription import Subscription
from lashup.machine import Address, Persist
from lashup.membership import MemberEvent
from lashup.node import Node
from simulations.disk import Disk
from simulations.process import Process
from simulations.socket_buffer import SocketBuffer
from simulations.world import WALL_AT_START, World


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
        config: What its node is told; its first bound address is the host's.
        name: What the world calls it, whatever nodes run on it.
        witness: Told of what the nodes do.
        disk: What survives.
        skew: Seconds by which its wall clock is wrong.
        drift: Seconds by which it gets more wrong each second.

    Attributes:
        inbox: What has arrived and was not read.
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
        self.world = world
        self.config = config
        self.name = name
        self.witness = witness
        self.disk = disk
        self.inbox = SocketBuffer()
        self.seconds_per_datagram = 0.0
        self.sent_datagrams = 0
        self.sent_bytes = 0
        self.refused = 0
        self.address: Address = config.bind_addresses[0]
        self._skew = skew
        self._drift = drift
        self._lives = 0
        self._process: Process | None = None

    @property
    def state(self) -> State:
        """What it does now."""
        if self._process is None:
            return State.OFF
        return State.PAUSED if self._process.is_paused else State.RUNNING

    @property
    def is_running(self) -> bool:
        """Whether it does anything now."""
        process = self._process
        return process is not None and not process.is_paused

    @property
    def is_leaving(self) -> bool:
        """Whether its node has said goodbye."""
        return self._process is not None and self._process.is_leaving

    @property
    def node(self) -> Node | None:
        """The node, while there is one, paused or not."""
        return None if self._process is None else self._process.node

    @property
    def running(self) -> Node:
        """The node, which must be there."""
        return self._living.node

    @property
    def wall(self) -> float:
        """What its wall clock shows: seconds since 1970."""
        now = self.world.seconds
        return WALL_AT_START + now * (1 + self._drift) + self._skew

    def start(self) -> None:
        """Start a node on what is on disk, and let it ask its seeds."""
        self.boot()
        self.carry_out(self.running.join(self.config.seeds, now=self.world.seconds))

    def boot(self) -> None:
        """Start a node that has asked nobody yet."""
        self._lives += 1
        rng = self.world.rng_of(f"{self.name} life {self._lives}")
        tables = self.disk.tables()
        identity = next_start(tables, rng=rng, wall=self.wall)
        # As in the agent: durable before anything is sent under this identity.
        self.disk.commit([identity.save()])
        node = Node(
            self.config,
            identity,
            addresses=self.config.bind_addresses,
            tables=tables,
            rng=Random(rng.getrandbits(256)),
            now=self.world.seconds,
            wall=self.wall,
        )
        self._process = Process(self, node)
        for address in self.config.bind_addresses:
            self.world.bind(address, self)
        self.log("start", node=node.id.hex(), epoch=identity.epoch)
        self.witness.started(self)

    def configure(self, config: NodeConfig) -> None:
        """Be told something else, another address say, at the next start."""
        self.config = config
        self.address = config.bind_addresses[0]

    def crash(self) -> None:
        """The power goes: the node is gone, and what was not on disk."""
        self.log("crash")
        self.disk.crash(rng=self.world.rng_of(f"{self.name} crash {self._lives}"))
        self._end()

    def stop(self) -> None:
        """End the process in order: what is to be saved is saved."""
        self.log("stop")
        while self.disk.waiting:
            self.disk.hurry()
            self.disk.end_transaction()
        self._end()

    def leave(self) -> None:
        """Say goodbye. The node goes on until somebody stops it."""
        self.log("leave")
        self._living.is_leaving = True
        self.carry_out(self.running.leave(now=self.world.seconds))

    def pause(self) -> None:
        """Stop the process where it is, as by a signal."""
        self.log("pause")
        self._living.is_paused = True
        self.world.stepped(self)

    def resume(self) -> None:
        """Let the process go on: first what came meanwhile, then what is late."""
        self.log("resume")
        self._living.resume()

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
        process = self._living
        update, effects = process.node.update(key, operations, now=process.now())
        if then is not None:
            process.when_visible(update, then)
        process.carry_out_own(effects)

    def follow(self, subscription: Subscription, action: Callable[[], None]) -> None:
        """Call something whenever a subscription of the node has something to take."""
        self._living.when_changed(subscription, action)

    def arrived(self, data: bytes, sender: Address) -> None:
        """A datagram is at the host's socket, if there is one."""
        if self._process is not None:
            self._process.arrived(data, sender)

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what a call of the node has returned."""
        self._living.carry_out(effects)

    def log(self, what: str, **details: int | str) -> None:
        """Something has happened here: put it on the trace."""
        self.world.trace.event(self.world.now, self.name, what, **details)

    @property
    def _living(self) -> Process:
        assert self._process is not None, f"{self.name} is off"  # noqa: S101
        return self._process

    def _end(self) -> None:
        self._living.end()
        self._process = None
        for address in self.config.bind_addresses:
            self.world.unbind(address, self)
        self.inbox.clear()
        self.world.stepped(self)
