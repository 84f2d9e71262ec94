"""Short experiments on simulated clusters, each a function of its seed.

They are played by the simulator's cluster, with the nodes of production, on a network
of 0.2 to 1 ms each way. What differs between two runs of one seed is only what the
caller says, e.g. how members are confirmed to be gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from lashup.membership import LAN, Failed, MemberEvent, MembershipConfig
from simulations.cluster import Cluster
from simulations.conditions import Conditions
from simulations.host import Host
from simulations.trace import Trace

#: Virtual seconds after which a crash that not all have noticed counts as missed.
_LIMIT = 120.0


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What was said about members with which nothing was wrong.

    Attributes:
        downs: (observer, healthy member) pairs taken for down.
        suspicions: The same, suspected.
    """

    downs: int
    suspicions: int


class Watched(Cluster):
    """A cluster that counts who was announced to be down, rightly or not."""

    failures = 0

    def member_event(self, host: Host, event: MemberEvent) -> None:
        """A node tells of a member."""
        self.failures += isinstance(event, Failed)
        super().member_event(host, event)


def cluster_of(
    nodes: int,
    *,
    seed: int,
    membership: MembershipConfig = LAN,
    loss: float = 0.0,
    burst: float = 0.0,
) -> Watched:
    """A cluster whose members know each other, at rest for a few virtual seconds."""
    conditions = Conditions(nodes=nodes, loss=loss, burst=burst)
    trace = Trace(None)
    cluster = Watched(conditions, seed=seed, trace=trace, membership=membership)
    cluster.add(nodes)
    cluster.start_acquainted()
    return cluster


def seconds_until_known(
    nodes: int,
    *,
    seed: int,
    how: Callable[[Host], None] = Host.crash,
    victims: int = 1,
    membership: MembershipConfig = LAN,
    loss: float = 0.0,
) -> float:
    """From the moment at which hosts fall silent until all others take them for down.

    The limit of 120 s where that does not happen.
    """
    cluster = cluster_of(nodes, seed=seed, membership=membership, loss=loss)
    rng = Random(f"{seed} benchmark")
    cluster.run_for(rng.uniform(0.0, 2.0))
    began = cluster.world.seconds
    for victim in rng.sample(cluster.hosts, victims):
        cluster.detection.ailing.add(victim.name)
        cluster.fail(victim, how)
    cluster.world.run_until(cluster.detection.is_complete, limit=_LIMIT)
    return cluster.world.seconds - began


def mistakes_in_stalls(
    nodes: int, *, seed: int, share: float, stall: float, membership: MembershipConfig
) -> Mistakes:
    """A share of the nodes stop together for some seconds, then go on."""
    cluster = cluster_of(nodes, seed=seed, membership=membership)
    rng = Random(f"{seed} benchmark")
    cluster.run_for(rng.uniform(0.0, 2.0))
    stalling = rng.sample(cluster.hosts, max(1, round(share * nodes)))
    cluster.detection.ailing.update(host.name for host in stalling)
    for host in stalling:
        # Not at one moment: they have one reason, not one clock.
        cluster.world.after(rng.uniform(0.0, 1.0), host.pause)
        cluster.world.after(rng.uniform(stall, stall + 1.0), host.resume)
    cluster.run_for(stall + 15.0)
    return _mistakes(cluster)


def downs_after_short_stalls(
    nodes: int, *, seed: int, stall: float, seconds: float, membership: MembershipConfig
) -> int:
    """Nodes stop one after the other for a moment; how often is one taken for down?"""
    cluster = cluster_of(nodes, seed=seed, membership=membership)
    rng = Random(f"{seed} benchmark")
    ends_at = cluster.world.seconds + seconds
    while cluster.world.seconds < ends_at:
        host = rng.choice(cluster.hosts)
        host.pause()
        cluster.run_for(stall)
        host.resume()
        cluster.run_for(rng.uniform(0.0, 0.5))
    cluster.run_for(10.0)
    return cluster.failures


def mistakes_in_loss(
    nodes: int,
    *,
    seed: int,
    seconds: float,
    membership: MembershipConfig,
    loss: float,
    burst: float = 0.0,
) -> Mistakes:
    """The network loses a share of all datagrams, each for itself or in bursts."""
    cluster = cluster_of(
        nodes, seed=seed, membership=membership, loss=loss, burst=burst
    )
    cluster.run_for(seconds)
    return _mistakes(cluster)


def mistakes_with_a_rack_gone(
    nodes: int, *, seed: int, rack: int, seconds: float, membership: MembershipConfig
) -> Mistakes:
    """A whole rack loses its power at once."""
    cluster = cluster_of(nodes, seed=seed, membership=membership)
    rng = Random(f"{seed} benchmark")
    cluster.run_for(rng.uniform(0.0, 2.0))
    for host in cluster.hosts[:rack]:
        cluster.detection.ailing.add(host.name)
        cluster.fail(host, Host.crash)
    cluster.run_for(seconds)
    return _mistakes(cluster)


def _mistakes(cluster: Cluster) -> Mistakes:
    return Mistakes(cluster.detection.false_downs, cluster.detection.false_suspicions)
