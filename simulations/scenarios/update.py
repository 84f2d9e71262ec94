"""How a write reaches all nodes: one, many of different nodes, or all to one key."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import MOST_BYTES, Conditions, parameter
from simulations.convergence import Spread
from simulations.experiment import experiment
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic

#: Seconds after which everything that the write has set off is over.
_AFTERMATH = 5.0


@dataclass(frozen=True, kw_only=True)
class Update(Conditions):
    """Parameters."""

    writers: int = parameter(
        1, "Nodes that write, all at the same moment.", least=1, leaves=0
    )
    keys: str = parameter(
        "own",
        "Whether every writer has a key of its own, or all write one.",
        choices=("own", "hot"),
    )
    size: int = parameter(100, "Bytes of each value.", unit="B", most=MOST_BYTES)
    limit: float = parameter(120.0, "When to give up.", unit="s")


def _play(parameters: Update, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    writers = cluster.world.rng.sample(hosts, parameters.writers)
    traffic = Traffic(cluster.world)
    for writer in writers:
        key = ("hot",) if parameters.keys == "hot" else ("key", writer.name)
        value = writer.name.encode().ljust(parameters.size, b".")
        cluster.write(writer, key, value)
    spread = _spread(cluster, writers)
    cluster.run_until(
        lambda: spread.is_complete and cluster.agreement.on_table,
        limit=parameters.limit,
        what="all nodes have all updates",
    )
    cluster.run_for(_AFTERMATH)
    metrics = {**spread.metrics(), **traffic.metrics(), **traffic.copies(len(writers))}
    # Where much is lost, somebody healthy may be down just now, and is to refute it.
    cluster.run_until_agreed(limit=parameters.limit)
    return Measured(metrics, (spread.curve(),))


def _spread(cluster: Cluster, writers: list[Host]) -> Spread:
    """When nodes hold something of every writer: each has one actor."""

    def has(host: Host) -> bool:
        return len(host.running.kv.store.facts.context) >= len(writers)

    return Spread(cluster.world, "has all updates", cluster.hosts, has=has)


SCENARIO = experiment(
    "update", "Writes reach all nodes: one, many, or a hot key.", Update, _play
)
