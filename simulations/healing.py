"""From the end of a fault to the moment when all nodes agree again."""

from __future__ import annotations

from collections.abc import Callable

from simulations.cluster import Cluster
from simulations.convergence import Spread
from simulations.host import Host
from simulations.latency import SECOND
from simulations.measure import Measured, Metric

#: Seconds after agreement in which nothing may come undone.
_GRACE = 3.0


def heal(cluster: Cluster, *, limit: float) -> Measured:
    """Let time pass until all running nodes agree, and say how long each part took.

    Args:
        cluster: From now on nothing is broken.
        limit: Seconds; not to agree by then is a violation.
    """
    began_at = cluster.world.now
    running = [host for host in cluster.hosts if host.is_running]
    spread = Spread(cluster.world, "sees all members", running, has=_sees(len(running)))
    watch = _Watch(cluster)
    metrics: dict[Metric, float] = {}
    if cluster.run_until_agreed(limit=limit):
        metrics[Metric.HEAL] = (cluster.world.now - began_at) / SECOND
        cluster.run_for(_GRACE)
        if not cluster.agreement.on_all:
            cluster.run_until_agreed(limit=limit)
    for metric, at in watch.first.items():
        metrics[metric] = (at - began_at) / SECOND
    return Measured({**metrics, **spread.metrics()}, (spread.curve(),))


class _Watch:
    """When members, and tables, were first equal."""

    def __init__(self, cluster: Cluster) -> None:
        self.first: dict[Metric, int] = {}
        self._cluster = cluster
        cluster.world.observers.append(self)
        self.stepped(cluster.hosts[0])

    def stepped(self, host: Host) -> None:
        del host
        agreement, now = self._cluster.agreement, self._cluster.world.now
        if agreement.on_members:
            self.first.setdefault(Metric.HEAL_MEMBERS, now)
        if agreement.on_table:
            self.first.setdefault(Metric.HEAL_TABLE, now)
        if len(self.first) == 2 and self in self._cluster.world.observers:
            self._cluster.world.observers.remove(self)


def _sees(count: int) -> Callable[[Host], bool]:
    return lambda host: len(host.running.membership.alive()) == count
