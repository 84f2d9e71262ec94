"""Nodes fail: they crash, they are stopped for a while, or they are slow.

Slow is what Lifeguard's authors did: a node deals with nothing for some time, then
runs for a moment, and so on. Such a node is ill and others may say so; what counts
is who is taken for down although nothing is wrong with it.

Source: Dadgar et al., "Lifeguard", arXiv:1707.00788, section V.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Detect(Conditions):
    """Parameters."""

    victims: int = parameter(
        1, "Nodes that fail, all at the same moment.", least=1, leaves=1
    )
    how: str = parameter(
        "crash", "What happens to them.", choices=("crash", "pause", "slow")
    )
    duration: float = parameter(
        60.0, "How long they are stopped, or slow.", unit="s", option="for"
    )
    blocked: float = parameter(
        2.0, "slow: for so long a slow node does nothing.", unit="s"
    )
    running: float = parameter(
        0.01,
        "slow: for so long it then runs, before it is blocked again.",
        unit="s",
        least=0.001,
    )
    limit: float = parameter(120.0, "crash: when to give up.", unit="s")


def _play(parameters: Detect, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    cluster.heat.watch(period=0.5)
    victims = cluster.world.rng.sample(hosts, parameters.victims)
    traffic = Traffic(cluster.world)
    match parameters.how:
        case "crash":
            _crash(parameters, cluster, victims)
        case "pause":
            _pause(parameters, cluster, victims)
        case _:
            _slow_down(parameters, cluster, victims)
    metrics = {**cluster.detection.metrics(), **traffic.metrics()}
    return Measured(metrics, (cluster.detection.curve(),), cluster.heat.map())


def _crash(parameters: Detect, cluster: Cluster, victims: list[Host]) -> None:
    for victim in victims:
        cluster.fail(victim, Host.crash)
    cluster.run_until(
        cluster.detection.is_complete, limit=parameters.limit, what="all have noticed"
    )
    cluster.run_until_agreed(limit=parameters.limit)


def _pause(parameters: Detect, cluster: Cluster, victims: list[Host]) -> None:
    cluster.detection.ailing.update(victim.name for victim in victims)
    for victim in victims:
        cluster.fail(victim, Host.pause)
    cluster.run_for(parameters.duration)
    for victim in victims:
        victim.resume()
    cluster.run_until_agreed(limit=parameters.limit)
    cluster.run_for(5.0)


def _slow_down(parameters: Detect, cluster: Cluster, victims: list[Host]) -> None:
    world = cluster.world
    cluster.detection.ailing.update(victim.name for victim in victims)
    ends_at = world.seconds + parameters.duration

    def block(victim: Host) -> None:
        if world.seconds < ends_at:
            victim.pause()
            world.after(parameters.blocked, lambda: unblock(victim))

    def unblock(victim: Host) -> None:
        victim.resume()
        world.after(parameters.running, lambda: block(victim))

    for victim in victims:
        # Not in step: each begins at a moment of its own.
        phase = world.rng.uniform(0, parameters.blocked + parameters.running)
        world.after(phase, partial(block, victim))
    cluster.run_for(parameters.duration + parameters.blocked + parameters.running)
    cluster.run_until_agreed(limit=parameters.limit)


SCENARIO = experiment(
    "detect", "Nodes crash, are stopped for a while, or are slow.", Detect, _play
)
