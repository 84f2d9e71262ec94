"""Nodes come and go all the time, and write meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic

#: A leaver's process ends when its goodbye has been heard, or after this time.
_GOODBYE = 2.5


@dataclass(frozen=True, kw_only=True)
class Churn(Conditions):
    """Parameters."""

    every: float = parameter(2.0, "Time between two departures.", unit="s", least=0.001)
    away: float = parameter(10.0, "How long a node stays away.", unit="s")
    crashes: float = parameter(0.5, "Share of departures without a goodbye.", most=1)
    fresh: float = parameter(0.2, "Share that comes back with an empty disk.", most=1)
    writes: float = parameter(1.0, "Writes a second, at random nodes.")
    duration: float = parameter(60.0, "How long it goes on.", unit="s", option="for")
    limit: float = parameter(180.0, "When to give up on agreement after.", unit="s")


def _play(parameters: Churn, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes, seeds=cluster.first_addresses(3))
    cluster.start_acquainted()
    cluster.heat.watch(period=max(0.5, parameters.duration / 300))
    traffic = Traffic(cluster.world)
    rng = cluster.world.rng
    for number in range(round(parameters.duration / parameters.every)):
        at = parameters.every * number
        cluster.world.after(at, lambda: _depart(parameters, cluster))
    for number in range(round(parameters.duration * parameters.writes)):
        key = ("key", rng.randrange(50))
        cluster.write_later(number / parameters.writes, rng.choice(hosts), key, number)
    cluster.run_for(parameters.duration + parameters.away + _GOODBYE + 1.0)
    healed = heal(cluster, limit=parameters.limit)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


def _depart(parameters: Churn, cluster: Cluster) -> None:
    """One node goes, and comes back later."""
    rng = cluster.world.rng
    there = [h for h in cluster.hosts if h.is_running and not h.is_leaving]
    if len(there) < 3:
        return
    host = rng.choice(there)
    if rng.random() < parameters.crashes:
        host.crash()
    else:
        host.leave()
        cluster.world.after(_GOODBYE, host.stop)
    is_fresh = rng.random() < parameters.fresh
    back = _GOODBYE + parameters.away
    cluster.world.after(back, lambda: _return(host, cluster, is_fresh=is_fresh))


def _return(host: Host, cluster: Cluster, *, is_fresh: bool) -> None:
    if is_fresh:
        host.disk.restore({})
        cluster.invariants.rolled_back()
    host.start()


SCENARIO = experiment("churn", "Nodes come and go, and write.", Churn, _play)
