"""The network splits, both sides write, the network heals."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.faults import Partition as Split
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic

#: Samples of the heat map in the course of a split, at most.
_SAMPLES = 300


@dataclass(frozen=True, kw_only=True)
class Partition(Conditions):
    """Parameters."""

    split: float = parameter(0.5, "Share of the nodes on the first side.", most=1)
    parts: int = parameter(
        2, "Parts: beyond two, the second side is split evenly.", least=2
    )
    duration: float = parameter(60.0, "How long it lasts.", unit="s", option="for")
    writes: int = parameter(10, "Writes on each side, spread over that time.")
    limit: float = parameter(120.0, "When to give up on healing.", unit="s")


def parts_of(hosts: list[Host], *, split: float, parts: int) -> list[list[Host]]:
    """The sides: the first with its share, the others even."""
    first = min(len(hosts) - 1, max(1, round(split * len(hosts))))
    rest = hosts[first:]
    others = max(1, min(parts - 1, len(rest)))
    return [hosts[:first], *(rest[i::others] for i in range(others))]


def _play(parameters: Partition, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    sides = parts_of(hosts, split=parameters.split, parts=parameters.parts)
    cluster.heat.watch(period=max(0.5, parameters.duration / _SAMPLES))
    for index, side in enumerate(sides):
        for number in range(parameters.writes):
            at = parameters.duration * (number + 0.5) / parameters.writes
            writer = side[number % len(side)]
            cluster.write_later(at, writer, ("side", index, number), number)
    split = Split([[host.name for host in side] for side in sides])
    traffic = Traffic(cluster.world)
    cluster.put_in(split)
    cluster.run_for(parameters.duration)
    cluster.take_out(split)
    healed = heal(cluster, limit=parameters.limit)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


SCENARIO = experiment(
    "partition", "The network splits, both sides write, it heals.", Partition, _play
)
