"""Many nodes start at once and know one seed."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.convergence import Spread
from simulations.experiment import experiment
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Join(Conditions):
    """Parameters."""

    within: float = parameter(0.0, "The starts are spread over this time.", unit="s")
    limit: float = parameter(120.0, "When to give up.", unit="s")


def _play(parameters: Join, cluster: Cluster) -> Measured:
    (seed,) = cluster.add(1)
    newcomers = cluster.add(parameters.nodes - 1, seeds=[seed.address])
    seed.start()
    cluster.run_for(1.0)
    cluster.heat.watch(period=0.25)
    traffic = Traffic(cluster.world)
    spread = Spread(cluster.world, "sees all members", cluster.hosts, has=_sees_all)
    for host in newcomers:
        at = cluster.world.rng.uniform(0, parameters.within)
        cluster.world.after(at, host.start)
    cluster.run_until(
        lambda: spread.is_complete and cluster.agreement.on_all,
        limit=parameters.limit,
        what="all see all members",
    )
    metrics = {
        **spread.metrics(),
        **cluster.detection.metrics(),
        **traffic.metrics(),
    }
    return Measured(metrics, (spread.curve(),), cluster.heat.map())


def _sees_all(host: Host) -> bool:
    return len(host.running.membership.alive()) == len(host.world.hosts)


SCENARIO = experiment("join", "Nodes start all at once and know one seed.", Join, _play)
