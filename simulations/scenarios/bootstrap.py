"""A fresh node joins a cluster whose table is full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import MOST_BYTES, Conditions, parameter
from simulations.convergence import Spread
from simulations.experiment import experiment
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic

#: Writes that wait for the disk at a time while the table is filled.
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Conditions):
    """Parameters."""

    nodes: int = parameter(10, "Nodes of the cluster, without the fresh one.")
    facts: int = parameter(10_000, "Facts in the table: one key each.")
    actors: int = parameter(10, "Nodes that wrote them.", least=1)
    size: int = parameter(100, "Bytes of each value.", unit="B", most=MOST_BYTES)
    limit: float = parameter(600.0, "When to give up.", unit="s")


def _play(parameters: Bootstrap, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    _fill(parameters, cluster, hosts[0])
    tables = hosts[0].disk.tables()
    hosts[0].stop()
    for host in hosts[1:]:
        # Everything but who it is: as if it had been told all of it.
        kept = {t: rows for t, rows in tables.items() if t in ("fact", "context")}
        host.disk.restore(kept)
    cluster.start_acquainted()
    cluster.run_until_agreed(limit=parameters.limit)
    traffic = Traffic(cluster.world)
    (fresh,) = cluster.add(1, seeds=cluster.first_addresses(2))
    fresh.start()
    full = hosts[0].running.kv.root
    spread = Spread(cluster.world, "has the whole table", [fresh], has=_has_root(full))
    cluster.run_until(
        lambda: spread.is_complete, limit=parameters.limit, what="the table is there"
    )
    cluster.run_until_agreed(limit=parameters.limit)
    metrics = {
        **spread.metrics(),
        **cluster.detection.metrics(),
        **traffic.metrics(),
    }
    return Measured(metrics, (spread.curve(),))


def _has_root(root: int) -> Callable[[Host], bool]:
    return lambda host: host.running.kv.root == root


def _fill(parameters: Bootstrap, cluster: Cluster, host: Host) -> None:
    """One host writes everything, in as many lives as there are to be actors."""
    lives = max(1, parameters.actors)
    for life in range(lives):
        host.boot()
        for number in range(life, parameters.facts, lives):
            value = f"{number}".ljust(parameters.size, ".")
            cluster.write(host, ("key", number), value)
            if host.running.kv.store.waiting >= _BATCH:
                cluster.run_for(1.0)
        cluster.run_for(1.0)
        if life < lives - 1:
            host.stop()


SCENARIO = experiment("bootstrap", "A fresh node joins a full table.", Bootstrap, _play)
