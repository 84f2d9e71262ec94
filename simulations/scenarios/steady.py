"""What a cluster costs when nothing happens."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Steady(Conditions):
    """Parameters."""

    duration: float = parameter(30.0, "How long to look.", unit="s", option="for")
    keys: int = parameter(0, "Keys in the table, written before.")


def _play(parameters: Steady, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    for index in range(parameters.keys):
        cluster.write(hosts[index % len(hosts)], ("key", index), index)
    cluster.run_until_agreed(limit=60)
    traffic = Traffic(cluster.world)
    cluster.run_for(parameters.duration)
    return Measured({**cluster.detection.metrics(), **traffic.metrics()})


SCENARIO = experiment(
    "steady", "What a cluster costs when nothing happens.", Steady, _play
)
