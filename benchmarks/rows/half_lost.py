"""Writes while half of all datagrams are lost: how long until all tables are equal."""

from __future__ import annotations

from random import Random

from benchmarks.row import Case, Effort, Row
from benchmarks.simulated import cluster_of

_GOAL = 15.0
_LIMIT = 120.0


def measure(effort: Effort) -> list[Case]:
    """Twenty simulated nodes, in virtual time; the machines are those of production."""
    nodes, writes = (8, 100) if effort is Effort.QUICK else (20, 1_000)
    seeds = (1,) if effort is Effort.QUICK else (1, 2, 3)
    return [_case(nodes, writes, seed) for seed in seeds]


def _case(nodes: int, writes: int, seed: int) -> Case:
    cluster = cluster_of(nodes, seed=seed, loss=0.5)
    rng = Random(f"{seed} half lost")
    for number in range(writes):
        cluster.write(rng.choice(cluster.hosts), ("k", rng.randrange(100)), number)
        cluster.run_for(0.01)
    began = cluster.world.seconds

    def are_equal() -> bool:
        roots = {host.node.kv.root for host in cluster.hosts if host.node}
        return len(roots) == 1

    cluster.world.run_until(are_equal, limit=_LIMIT)
    seconds = cluster.world.seconds - began
    name = f"{nodes} nodes, {writes:,} writes, seed {seed}"
    return Case(name, seconds, seconds <= _GOAL)


ROW = Row(
    name="half-lost",
    what="half of all datagrams lost: from the last write until all tables are equal",
    unit="s, virtual",
    goal="≤ 15",
    peer="the original: its anti-entropy begins every 60-120 s",
    measure=measure,
)
