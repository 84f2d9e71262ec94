"""Many hosts, one virtual clock, one bad network. Deterministic.

Time is in whole nanoseconds, and everything that is to happen is on one heap. At one
moment what arrives comes before what a clock brings, and otherwise what was
scheduled first: so a host's sockets are drained before its timers, as in the agent.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Protocol

from lashup.machine import Address
from simulations.latency import SECOND
from simulations.network import Network
from simulations.trace import Trace

if TYPE_CHECKING:
    from simulations.host import Host

#: Seconds since 1970 at the beginning of virtual time.
WALL_AT_START = 1_750_000_000.0

_ARRIVES, _CLOCK = 0, 1


class Observer(Protocol):
    """Looks at a host whenever its node has done something."""

    def stepped(self, host: Host) -> None:
        """The host's node has changed, or may have."""
        ...


class World:
    """All hosts and the time.

    Args:
        seed: All chance follows from it.
        network: Between the hosts.
        trace: Told of everything.

    Attributes:
        now: Nanoseconds since the beginning.
        rng: Chance for whoever writes a scenario.
        hosts: By name, in the order of their coming.
        observers: Looked after in this order.
        taps: Given every datagram that is sent.
    """

    def __init__(self, *, seed: int, network: Network, trace: Trace) -> None:
        self.now = 0
        self.seed = seed
        self.rng = Random(f"{seed} scenario")
        self.network = network
        self.trace = trace
        self.hosts: dict[str, Host] = {}
        self.observers: list[Observer] = []
        self.taps: list[Callable[[bytes], None]] = []
        self._at: dict[Address, Host] = {}
        #: (twice the time, plus one for a clock; order; what to do)
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    @property
    def seconds(self) -> float:
        """The time in seconds."""
        return self.now / SECOND

    def rng_of(self, purpose: str) -> Random:
        """A generator of its own, so that one more draw here moves nothing there."""
        return Random(f"{self.seed} {purpose}")

    def bind(self, address: Address, host: Host) -> None:
        """From now on what is sent there arrives at this host."""
        self._at[address] = host

    def unbind(self, address: Address, host: Host) -> None:
        """Nobody is there any more; if another host has the address, it keeps it."""
        if self._at.get(address) is host:
            del self._at[address]

    def at(self, due: int, action: Callable[[], None]) -> None:
        """Do something at a time in nanoseconds, or now if that is past."""
        self._schedule(max(due, self.now), _CLOCK, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        self.at(self.now + round(seconds * SECOND), action)

    def wake_time(self, deadline: float) -> int:
        """The first moment after now at which a deadline has come."""
        # Never now: a machine that has nothing to do now would be asked for ever.
        return max(math.ceil(deadline * SECOND), self.now + 1)

    def send(self, source: Host, to: Address, data: bytes) -> None:
        """Put one datagram on the network."""
        self.trace.datagram(self.now, source.address, to, data)
        for tap in self.taps:
            tap(data)
        target = self._at.get(to)
        if target is None:
            self.network.lost["nobody"] += 1
            return
        sender = source.address
        for due, arrived in self.network.carry(
            source.name, target.name, data, now=self.now
        ):
            self._schedule(due, _ARRIVES, _Arrival(self, to, arrived, sender))

    def inject(self, source: Address, to: Host, data: bytes) -> None:
        """A datagram arrives that no host has sent."""
        self.trace.datagram(self.now, source, to.address, data)
        to.arrived(data, source)

    def arrive(self, to: Address, data: bytes, sender: Address) -> None:
        """A datagram is there, if anybody is."""
        host = self._at.get(to)
        if host is None:
            self.network.lost["nobody"] += 1
            return
        through_at = self.network.take_in(host.name, len(data), now=self.now)
        if through_at is None:
            return
        if through_at == self.now:
            host.arrived(data, sender)
        else:
            self._schedule(through_at, _ARRIVES, lambda: host.arrived(data, sender))

    def stepped(self, host: Host) -> None:
        """A host's node has done something: let the observers look."""
        for observer in self.observers:
            observer.stepped(host)

    def run_for(self, seconds: float) -> None:
        """Let so much time pass."""
        self._run(self.now + round(seconds * SECOND), _never)

    def run_until(self, condition: Callable[[], bool], *, limit: float) -> bool:
        """Let time pass until a condition holds.

        Args:
            condition: Looked at after every step: must be cheap.
            limit: Seconds from now.

        Returns:
            Whether it holds; False if the limit came first.
        """
        return self._run(self.now + round(limit * SECOND), condition)

    def _run(self, limit: int, condition: Callable[[], bool]) -> bool:
        agenda = self._agenda
        while not condition():
            if not agenda or agenda[0][0] >> 1 > limit:
                self.now = limit
                return False
            key, _, action = heapq.heappop(agenda)
            self.now = key >> 1
            action()
        return True

    def _schedule(self, due: int, kind: int, action: Callable[[], None]) -> None:
        # The counter breaks ties by order of scheduling, never by content.
        self._order += 1
        heapq.heappush(self._agenda, (due << 1 | kind, self._order, action))


class _Arrival:
    """A datagram on its way. A closure would cost twice the memory."""

    __slots__ = ("_data", "_sender", "_to", "_world")

    def __init__(self, world: World, to: Address, data: bytes, sender: Address) -> None:
        self._world = world
        self._to = to
        self._data = data
        self._sender = sender

    def __call__(self) -> None:
        self._world.arrive(self._to, self._data, self._sender)


def _never() -> bool:
    return False
