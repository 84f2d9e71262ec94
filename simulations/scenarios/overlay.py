"""Agents publish their lines: when does every kernel hold every row?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from navstar.tables import Row
from simulations.agent import Agent
from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.convergence import Spread
from simulations.experiment import experiment
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class OverlayParameters(Conditions):
    """Parameters."""

    restarts: int = parameter(
        2,
        "Agents whose daemon is killed afterwards, and starts on an empty disk.",
        leaves=1,
    )
    down: float = parameter(30.0, "How long those are off.", unit="s")
    limit: float = parameter(180.0, "When to give up.", unit="s")


def _play(parameters: OverlayParameters, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes, seeds=cluster.first_addresses(3))
    cluster.start_acquainted()
    agents = {
        host.name: Agent(cluster.world, host, number=index + 1)
        for index, host in enumerate(hosts)
    }
    traffic = Traffic(cluster.world)
    spread = Spread(
        cluster.world, "kernel holds all rows", hosts, has=_holds_all(agents)
    )
    for agent in agents.values():
        agent.begin()
    cluster.run_until(
        lambda: spread.is_complete,
        limit=parameters.limit,
        what="every kernel holds every row",
    )
    metrics = {**spread.metrics(), **traffic.metrics()}
    _restart_some(parameters, cluster, agents)
    metrics |= cluster.detection.metrics()
    return Measured(metrics, (spread.curve(),))


def _holds_all(agents: Mapping[str, Agent]) -> Callable[[Host], bool]:
    """Whether a host's kernel holds what the lines of all agents come to."""
    lines = 2 * len(agents)  # one for each family
    looked: dict[str, int] = {}

    def has(host: Host) -> bool:
        agent = agents[host.name]
        if looked.get(host.name) == agent.passes:
            return False  # No pass since the last look.
        looked[host.name] = agent.passes
        return agent.holds_rows_of(lines)

    return has


def _restart_some(
    parameters: OverlayParameters, cluster: Cluster, agents: Mapping[str, Agent]
) -> None:
    """Rows outlive daemons: of the one that is killed, and at all others."""
    chosen = cluster.world.rng.sample(cluster.hosts, parameters.restarts)
    rows = {name: agent.kernel.dump() for name, agent in agents.items()}
    for host in chosen:
        host.crash()
    cluster.run_for(parameters.down)
    _expect(cluster, agents, rows, "while daemons were down")
    for host in chosen:
        host.disk.restore({})
        host.start()
        agents[host.name].begin()
    cluster.run_until_agreed(limit=parameters.limit)
    cluster.run_for(25.0)  # two audits
    _expect(cluster, agents, rows, "after daemons came back")


def _expect(
    cluster: Cluster,
    agents: Mapping[str, Agent],
    rows: Mapping[str, frozenset[Row]],
    when: str,
) -> None:
    for name, agent in agents.items():
        lost, added = rows[name] - agent.kernel.dump(), agent.kernel.dump() - rows[name]
        if lost or added:
            row = next(iter(sorted(map(str, lost or added))))
            cluster.invariants.violated(
                f"{name}: {len(lost)} rows lost, {len(added)} new {when}: {row}"
            )


SCENARIO = experiment(
    "overlay",
    "Agents publish lines until every kernel holds every row.",
    OverlayParameters,
    _play,
)
