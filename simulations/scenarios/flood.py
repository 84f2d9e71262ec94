"""Somebody floods a node or all of them: strangers, a broken member, a recorder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from lashup.machine import Address
from lashup.wire.frames import pack_frames
from simulations.babble import babble
from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.network import damaged
from simulations.traffic import Traffic

#: Datagrams of others that a recorder keeps.
_TAPE = 2_000
_LONGEST = 1_400


@dataclass(frozen=True, kw_only=True)
class Flood(Conditions):
    """Parameters."""

    kind: str = parameter(
        "noise",
        "noise: random bytes; damaged: what others sent, with bytes changed; "
        "replayed: what others sent, again; sealed: random messages of a member.",
        choices=("noise", "damaged", "replayed", "sealed"),
    )
    rate: float = parameter(500.0, "Datagrams a second at each target.", least=0.01)
    targets: float = parameter(0.1, "Share of the nodes that are flooded.", most=1)
    duration: float = parameter(20.0, "How long.", unit="s", option="for")
    writes: int = parameter(10, "Writes at random nodes in that time.")
    cost: float = parameter(
        0.0001, "Time that a node takes to deal with one datagram.", unit="s"
    )
    limit: float = parameter(120.0, "When to give up on agreement after.", unit="s")


def _play(parameters: Flood, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    for host in hosts:
        host.seconds_per_datagram = parameters.cost
    cluster.heat.watch(period=0.5)
    tape: deque[bytes] = deque(maxlen=_TAPE)
    cluster.world.taps.append(tape.append)
    cluster.run_for(2.0)
    traffic = Traffic(cluster.world)
    flood = _Flood(parameters, cluster, tape)
    targets = hosts[: max(1, round(parameters.targets * len(hosts)))]
    for target in targets:
        flood.begin(target)
    for number in range(parameters.writes):
        at = parameters.duration * (number + 0.5) / parameters.writes
        writer = cluster.world.rng.choice(hosts)
        cluster.write_later(at, writer, ("write", number), number)
    cluster.run_for(parameters.duration)
    flood.is_over = True
    healed = heal(cluster, limit=parameters.limit)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


class _Flood:
    """Sends to its targets until it is over."""

    def __init__(self, parameters: Flood, cluster: Cluster, tape: deque[bytes]) -> None:
        self.is_over = False
        self._world = cluster.world
        self._period = 1 / parameters.rate
        self._tape = tape
        self._rng = cluster.world.rng_of("flood")
        self._seal = cluster.seal("flood")
        self._kind = parameters.kind
        self._sources = self._all_sources()

    def begin(self, target: Host) -> None:
        """Send one now, and then one after the other."""
        if self.is_over:
            return
        self._world.inject(next(self._sources), target, self._datagram())
        self._world.after(self._period, lambda: self.begin(target))

    def _datagram(self) -> bytes:
        rng = self._rng
        match self._kind:
            case "damaged" if self._tape:
                return damaged(rng.choice(self._tape), rng=rng)
            case "replayed" if self._tape:
                return rng.choice(self._tape)
            case "sealed":
                return self._seal.seal(pack_frames([babble(rng)]))
            case _:
                return rng.randbytes(rng.randrange(_LONGEST))

    def _all_sources(self) -> Iterator[Address]:
        """Addresses of nobody, one after the other."""
        for number in count():
            yield f"198.18.{number >> 8 & 255}.{number & 255}", 1 + number % 65_535


SCENARIO = experiment(
    "flood", "Strangers, a recorder or a broken member flood nodes.", Flood, _play
)
