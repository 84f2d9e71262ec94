"""The network between the hosts: what arrives, when, and as what.

A datagram passes, in this order: the sender's own link (bandwidth), what is broken
(faults), what the path cannot carry (MTU), loss, damage, the way (latency, and a
delay for what is overtaken), maybe twice, and the receiver's link. Everything random
is drawn from one generator in the order of sending, so a run is a function of its
seed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from simulations.faults import Fault
from simulations.latency import SECOND, Latency
from simulations.loss import Loss

#: When a datagram arrives (nanoseconds) and what it says then.
Arrival: TypeAlias = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Link:
    """How datagrams fare between two nodes, one way.

    Attributes:
        latency: Of each; those that are drawn apart overtake each other.
        loss: What is lost; None: nothing.
        duplicate: Share that arrives twice, each after its own time.
        reorder: Share that is held back.
        held_back: For so many latencies more.
        corrupt: Share of which some bytes are changed, or the end is missing.
        mtu: Greatest UDP payload that passes; 0: any.
    """

    latency: Latency
    loss: Loss | None = None
    duplicate: float = 0.0
    reorder: float = 0.0
    held_back: int = 5
    corrupt: float = 0.0
    mtu: int = 0


class Pipe:
    """One direction of a host's own link: so many bytes a second, and a queue.

    Args:
        bandwidth: Bytes of UDP payload a second.
        queue: Bytes that wait at most; what comes then is lost.
    """

    def __init__(self, bandwidth: float, *, queue: int) -> None:
        self._per_byte = SECOND / bandwidth
        self._longest = round(queue * self._per_byte)
        self._free_at = 0

    def pass_on(self, size: int, *, now: int) -> int | None:
        """When a datagram is through; None if it does not fit the queue any more."""
        begins = max(now, self._free_at)
        if begins - now > self._longest:
            return None
        self._free_at = begins + round(size * self._per_byte)
        return self._free_at


class Network:
    """All links.

    Args:
        link: Every link that is not set by `set_link`.
        rng: All chance.
        bandwidth: Of every host, each way, in bytes a second; 0: any.
        queue: Bytes that wait at each end of a host's link.

    Attributes:
        faults: What is broken now.
        lost: Datagrams that did not arrive, by reason.
    """

    def __init__(
        self, link: Link, *, rng: Random, bandwidth: float = 0.0, queue: int = 1 << 18
    ) -> None:
        self.faults: list[Fault] = []
        self.lost: Counter[str] = Counter()
        self._link = link
        self._rng = rng
        self._bandwidth = bandwidth
        self._queue = queue
        self._links: dict[tuple[str, str], Link] = {}
        self._pipes: dict[tuple[str, str], Pipe] = {}

    def set_link(self, source: str, to: str, link: Link) -> None:
        """Make one way between two nodes another than the rest."""
        self._links[source, to] = link

    def connects(self, source: str, to: str) -> bool:
        """Whether no fault stands between two nodes, this way."""
        for fault in self.faults:  # noqa: SIM110  # a generator takes twice the time
            if fault.stops(source, to):
                return False
        return True

    def carry(self, source: str, to: str, data: bytes, *, now: int) -> list[Arrival]:
        """What arrives of a datagram: nothing, once, or more than once."""
        left_at = self._leave(source, len(data), now=now)
        if left_at is None:
            return []
        if self.faults and not self.connects(source, to):
            self.lost["fault"] += 1
            return []
        link = self._link
        if self._links:
            link = self._links.get((source, to), link)
        if link.mtu and len(data) > link.mtu:
            self.lost["mtu"] += 1
            return []
        rng = self._rng
        if link.loss is not None and link.loss.strikes(source, to, now=now, rng=rng):
            self.lost["loss"] += 1
            return []
        arrivals = [self._travel(link, data, left_at)]
        if link.duplicate and rng.random() < link.duplicate:
            arrivals.append(self._travel(link, data, left_at))
        return arrivals

    def _leave(self, source: str, size: int, *, now: int) -> int | None:
        return self._through("up", source, size, now=now) if self._bandwidth else now

    def take_in(self, to: str, size: int, *, now: int) -> int | None:
        """When what arrives at a host's link now is through it; None if it is lost."""
        if not self._bandwidth:
            return now
        return self._through("down", to, size, now=now)

    def _travel(self, link: Link, data: bytes, now: int) -> Arrival:
        rng = self._rng
        delay = link.latency.draw(rng)
        if link.reorder and rng.random() < link.reorder:
            for _ in range(link.held_back):
                delay += link.latency.draw(rng)
        if link.corrupt and rng.random() < link.corrupt:
            data = damaged(data, rng=rng)
        return now + delay, data

    def _through(self, way: str, host: str, size: int, *, now: int) -> int | None:
        pipe = self._pipes.get((way, host))
        if pipe is None:
            pipe = Pipe(self._bandwidth, queue=self._queue)
            self._pipes[way, host] = pipe
        through_at = pipe.pass_on(size, now=now)
        self.lost["bandwidth"] += through_at is None
        return through_at


def damaged(data: bytes, *, rng: Random) -> bytes:
    """The same bytes with a few changed, or the end cut off."""
    if rng.random() < 0.25:
        return data[: rng.randrange(len(data) + 1)]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
    return bytes(changed)
