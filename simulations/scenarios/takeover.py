"""A node's name comes back elsewhere, or its address belongs to another one."""

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
class Takeover(Conditions):
    """Parameters."""

    what: str = parameter(
        "name",
        "name: the old node's name comes back at a new address; address: another "
        "node gets its address; both: a new node takes name and address; moved: the "
        "node itself comes back elsewhere with its disk.",
        choices=("name", "address", "both", "moved"),
    )
    after: float = parameter(0.5, "How long nobody is there.", unit="s")
    limit: float = parameter(120.0, "When to give up.", unit="s")


def _play(parameters: Takeover, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    cluster.heat.watch(period=0.5)
    traffic = Traffic(cluster.world)
    old = hosts[-1]
    old_address = old.address
    cluster.fail(old, Host.crash)
    cluster.run_for(parameters.after)
    if parameters.what == "moved":
        new = old
    else:
        (new,) = cluster.add(1, seeds=cluster.first_addresses(2))
    if parameters.what == "moved":
        cluster.move(new, cluster.spare_address())
    if parameters.what in ("name", "both"):
        cluster.rename(new, old.config.name)
    if parameters.what in ("address", "both"):
        cluster.move(new, old_address)
    new.start()
    spread = _spread(cluster, new)
    cluster.run_until(
        lambda: spread.is_complete, limit=parameters.limit, what="all see the new one"
    )
    cluster.run_until_agreed(limit=parameters.limit)
    metrics = {
        **spread.metrics(),
        **cluster.detection.metrics(),
        **traffic.metrics(),
    }
    return Measured(metrics, (spread.curve(),), cluster.heat.map())


def _spread(cluster: Cluster, new: Host) -> Spread:
    """When nodes see the new life, and where it is."""
    me = new.running.membership.me

    def has(host: Host) -> bool:
        member = host.running.membership.member(me.id)
        return (
            member is not None
            and member.liveness.is_live
            and member.epoch >= me.epoch
            and member.addresses == me.addresses
        )

    running = [host for host in cluster.hosts if host.is_running]
    return Spread(cluster.world, "sees the new node", running, has=has)


SCENARIO = experiment(
    "takeover", "A name comes back elsewhere; an address is reused.", Takeover, _play
)
