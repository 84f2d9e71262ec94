"""A node comes back on an old copy of its disk, and writes at once."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class RejoinOldDisk(Conditions):
    """Parameters."""

    victims: int = parameter(1, "Nodes whose disks go back in time.", least=1, leaves=1)
    before: int = parameter(5, "Writes of each victim before the copy is made.")
    since: int = parameter(20, "Writes of each victim after that.")
    after: int = parameter(5, "Writes of each at once when it is back.")
    down: float = parameter(3.0, "How long they are off.", unit="s")
    limit: float = parameter(120.0, "When to give up.", unit="s")


def _play(parameters: RejoinOldDisk, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes, seeds=cluster.first_addresses(3))
    cluster.start_acquainted()
    victims = cluster.world.rng.sample(hosts, parameters.victims)
    _write_all(cluster, victims, parameters.before)
    cluster.run_for(2.0)
    copies = [victim.disk.tables() for victim in victims]
    _write_all(cluster, victims, parameters.since)
    cluster.run_until_agreed(limit=parameters.limit)
    cluster.heat.watch(period=0.5)
    traffic = Traffic(cluster.world)
    for victim, copy in zip(victims, copies, strict=True):
        victim.crash()
        victim.disk.restore(copy)
    cluster.invariants.rolled_back()
    cluster.run_for(parameters.down)
    for victim in victims:
        victim.start()
    _write_all(cluster, victims, parameters.after)
    healed = heal(cluster, limit=parameters.limit)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


def _write_all(cluster: Cluster, hosts: list[Host], count: int) -> None:
    """Each writes keys of its own, and one that all of them fight for."""
    for number in range(count):
        for host in hosts:
            cluster.write(host, ("own", host.name, number % 7), number)
            cluster.write(host, ("hot",), f"{host.name} {number}")


SCENARIO = experiment(
    "rejoin-old-disk",
    "A node comes back on an old copy of its disk.",
    RejoinOldDisk,
    _play,
)
