"""The whole cluster restarts at once, or one node after the other."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic

#: Seconds in which all start again after a power cut: hosts do not boot in step.
_BOOTING = 2.0


@dataclass(frozen=True, kw_only=True)
class Restart(Conditions):
    """Parameters."""

    how: str = parameter(
        "whole", "All at once, or one by one.", choices=("whole", "rolling")
    )
    down: float = parameter(5.0, "How long a node is off.", unit="s")
    pause: float = parameter(
        1.0, "rolling: time from one node's start to the next one's end.", unit="s"
    )
    seeds: int = parameter(
        0, "Seeds that nodes know beside their memory.", option="known-seeds"
    )
    keys: int = parameter(20, "Keys in the table before.")
    limit: float = parameter(120.0, "When to give up.", unit="s")


def _play(parameters: Restart, cluster: Cluster) -> Measured:
    seeds = cluster.first_addresses(parameters.seeds)
    hosts = cluster.add(parameters.nodes, seeds=seeds)
    cluster.start_acquainted()
    for index in range(parameters.keys):
        cluster.write(hosts[index % len(hosts)], ("key", index), index)
    cluster.run_until_agreed(limit=parameters.limit)
    cluster.run_for(6.0)  # until the members are on every disk
    cluster.heat.watch(period=0.5)
    traffic = Traffic(cluster.world)
    if parameters.how == "whole":
        for host in hosts:
            host.crash()
        cluster.run_for(parameters.down)
        for host in hosts:
            delay = cluster.world.rng.uniform(0, _BOOTING)
            cluster.world.after(delay, host.start)
        cluster.run_for(_BOOTING)
    else:
        _roll(parameters, cluster, hosts)
    healed = heal(cluster, limit=parameters.limit)
    _check_table(parameters, cluster)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


def _roll(parameters: Restart, cluster: Cluster, hosts: list[Host]) -> None:
    for host in hosts:
        host.stop()
        cluster.run_for(parameters.down)
        host.start()
        cluster.run_for(parameters.pause)


def _check_table(parameters: Restart, cluster: Cluster) -> None:
    for host in cluster.hosts:
        there = len(host.running.kv.keys())
        if there != parameters.keys:
            cluster.invariants.violated(
                f"{host.name} has {there} of {parameters.keys} keys after the restart"
            )


SCENARIO = experiment(
    "restart", "The cluster restarts, whole or rolling.", Restart, _play
)
