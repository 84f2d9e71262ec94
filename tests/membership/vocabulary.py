"""Many membership machines, one virtual clock, one bad network. Deterministic."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from lashup.machine import Address, NodeId, Send
from lashup.membership import (
    LAN,
    Confirmation,
    Effect,
    Liveness,
    Member,
    MemberEvent,
    MembershipConfig,
    NodeRecord,
    Remember,
    RiderHeard,
    Swim,
)

#: The fallback: time alone decides.
LADDER = replace(LAN, confirmation=Confirmation.LADDER)

EventT = TypeVar("EventT", bound=MemberEvent)


def node_id(number: int) -> NodeId:
    """Spread over the id space like real ones, and the same in every run."""
    return NodeId(random.Random(number).randbytes(16))


def address(number: int) -> Address:
    return (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7946)


def record(
    number: int,
    *,
    name: str = "",
    epoch: int = 1,
    incarnation: int = 0,
    at: Address | None = None,
    tags: dict[str, str] | None = None,
) -> NodeRecord:
    return NodeRecord(
        id=node_id(number),
        name=name or f"n{number}",
        epoch=epoch,
        incarnation=incarnation,
        addresses=(at or address(number),),
        tags=tags or {},
    )


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one node, in the order of the run."""

    at: float
    node: NodeId
    event: MemberEvent


class World:
    """Runs machines over a network that loses, delays and divides."""

    def __init__(
        self,
        *,
        seed: int,
        loss: float = 0.0,
        latency: tuple[float, float] = (0.0002, 0.002),
        config: MembershipConfig = LAN,
    ) -> None:
        self.now = 1000.0
        self.rng = random.Random(seed)
        self.loss = loss
        self.latency = latency
        self.config = config
        self.swims: dict[Address, Swim] = {}
        self.events: list[Event] = []
        self.remembered: dict[Address, tuple[NodeRecord, ...]] = {}
        self.riders: list[RiderHeard] = []
        #: All that is sent from one address, where somebody wants to play it again.
        self.recorded: dict[Address, list[bytes]] = {}
        self.sent_packets = 0
        self.sent_bytes = 0
        self.largest = 0
        self._paused: dict[Address, list[tuple[bytes, Address]]] = {}
        self._blocked: set[tuple[Address, Address]] = set()
        self._agenda: list[tuple[float, int, Address, bytes | None, Address]] = []
        self._order = 0

    # -- what happens to nodes

    def start(
        self,
        number: int,
        *,
        seeds: Iterable[int] = (0,),
        remembered: Iterable[NodeRecord] = (),
        **says: object,
    ) -> Swim:
        return self.start_as(
            record(number, **says),  # type: ignore[arg-type]
            seeds=[address(seed) for seed in seeds],
            remembered=remembered,
        )

    def start_as(
        self,
        me: NodeRecord,
        *,
        seeds: Iterable[Address],
        remembered: Iterable[NodeRecord] = (),
    ) -> Swim:
        swim = Swim(
            me,
            self.config,
            rng=random.Random(self.rng.getrandbits(64)),
            now=self.now,
            remembered=remembered,
        )
        self.swims[me.addresses[0]] = swim
        self.do(swim, swim.join(seeds, now=self.now))
        return swim

    def crash(self, swim: Swim) -> None:
        del self.swims[swim.me.addresses[0]]

    def pause(self, swim: Swim) -> None:
        self._paused[swim.me.addresses[0]] = []

    def wake(self, swim: Swim) -> None:
        """What has come in meanwhile is drained before any timer runs."""
        at = swim.me.addresses[0]
        for payload, sender in self._paused.pop(at)[-500:]:
            self.do(swim, swim.receive(payload, sender, now=self.now))
        self.do(swim, swim.tick(now=self.now))

    def block(self, source: Swim, to: Swim) -> None:
        """Packets in this one direction are lost."""
        self._blocked.add((source.me.addresses[0], to.me.addresses[0]))

    def divide(self, one: Iterable[Swim], other: Iterable[Swim]) -> None:
        others = list(other)
        for a in one:
            for b in others:
                self.block(a, b)
                self.block(b, a)

    def heal(self) -> None:
        self._blocked.clear()

    # -- time

    def do(self, swim: Swim, effects: Iterable[Effect]) -> None:
        """Carry out what a machine wants."""
        source = swim.me.addresses[0]
        for effect in effects:
            match effect:
                case Send(to, payload):
                    self._carry(source, to, payload)
                case RiderHeard():
                    self.riders.append(effect)
                case Remember(records):
                    self.remembered[source] = records
                case _:
                    self.events.append(Event(self.now, swim.me.id, effect))
        self._schedule(swim.next_wakeup(), source, None, source)

    def run(self, seconds: float) -> None:
        self.run_until(lambda: False, within=seconds)

    def run_until(self, condition: Callable[[], bool], *, within: float) -> float:
        """Run until it holds, or for so long; returns the seconds it took."""
        started, limit = self.now, self.now + within
        while not condition():
            if not self._agenda or self._agenda[0][0] > limit:
                self.now = limit
                break
            self._step()
        return self.now - started

    def _step(self) -> None:
        self.now, _, to, payload, sender = heapq.heappop(self._agenda)
        swim = self.swims.get(to)
        if swim is None:
            return
        if to in self._paused:
            if payload is not None:
                self._paused[to].append((payload, sender))
        elif payload is not None:
            self.do(swim, swim.receive(payload, sender, now=self.now))
        elif swim.next_wakeup() <= self.now:
            self.do(swim, swim.tick(now=self.now))

    def _carry(self, source: Address, to: Address, payload: bytes) -> None:
        if source in self.recorded:
            self.recorded[source].append(payload)
        self.sent_packets += 1
        self.sent_bytes += len(payload)
        self.largest = max(self.largest, len(payload))
        if (source, to) in self._blocked or self.rng.random() < self.loss:
            return
        due = self.now + self.rng.uniform(*self.latency)
        self._schedule(due, to, payload, source)

    def _schedule(
        self, due: float, to: Address, payload: bytes | None, sender: Address
    ) -> None:
        if due == float("inf"):
            return
        self._order += 1
        heapq.heappush(
            self._agenda, (max(due, self.now), self._order, to, payload, sender)
        )

    # -- what is true

    def all_see_all(self) -> bool:
        """Every running node has every running node live, and nobody else."""
        running = list(self.swims.values())
        expected = tuple(sorted(swim.me.id for swim in running))
        return all(swim.alive() == expected for swim in running)

    def all_agree(self) -> bool:
        hashes = {swim.table_hash for swim in self.swims.values()}
        return len(hashes) == 1 and self.all_see_all()

    def all_see(self, liveness: Liveness, node: NodeId) -> bool:
        return all(seen(s, node) is liveness for s in self.swims.values())

    def heard(self, kind: type[EventT]) -> list[tuple[NodeId, EventT]]:
        """Who had an event of a kind, and which."""
        return [(e.node, e.event) for e in self.events if isinstance(e.event, kind)]

    def converge(self, *, within: float) -> float:
        seconds = self.run_until(self.all_agree, within=within)
        assert self.all_agree(), f"not equal after {within} s"
        return seconds


def seen(swim: Swim, node: NodeId) -> Liveness | None:
    member = swim.member(node)
    return None if member is None else member.liveness


def member_seen(swim: Swim, node: NodeId) -> Member:
    member = swim.member(node)
    assert member is not None
    return member


def cluster(
    size: int, *, seed: int, loss: float = 0.0, config: MembershipConfig = LAN
) -> tuple[World, list[Swim]]:
    """A cluster that has come to rest."""
    world = World(seed=seed, loss=loss, config=config)
    swims = [world.start(number) for number in range(size)]
    world.converge(within=30.0)
    world.run(5.0)
    world.events.clear()
    return world, swims
