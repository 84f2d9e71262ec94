"""Some hear others that do not hear them; or two groups only hear those in between."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.cluster import Cluster
from simulations.conditions import Conditions, parameter
from simulations.experiment import experiment
from simulations.faults import BrokenLinks, Fault, OneWay, Partition
from simulations.healing import heal
from simulations.host import Host
from simulations.measure import Measured
from simulations.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Asymmetric(Conditions):
    """Parameters."""

    fault: str = parameter(
        "partial",
        "partial: A and B hear only M and themselves; deaf: some hear nobody; mute: "
        "nobody hears some; links: single links are broken.",
        choices=("partial", "deaf", "mute", "links"),
    )
    share: float = parameter(
        0.1, "Share of the nodes, or of the links, affected.", most=1
    )
    duration: float = parameter(60.0, "How long it lasts.", unit="s", option="for")
    writes: int = parameter(10, "Writes at random nodes in that time.")
    limit: float = parameter(120.0, "When to give up on healing.", unit="s")


def _play(parameters: Asymmetric, cluster: Cluster) -> Measured:
    hosts = cluster.add(parameters.nodes)
    cluster.start_acquainted()
    cluster.heat.watch(period=max(0.5, parameters.duration / 300))
    for number in range(parameters.writes):
        at = parameters.duration * (number + 0.5) / parameters.writes
        writer = cluster.world.rng.choice(hosts)
        cluster.write_later(at, writer, ("write", number), number)
    fault = _fault(parameters, cluster, hosts)
    if parameters.fault in ("partial", "links"):
        # All can be reached by some, so nobody is rightly taken for down.
        cluster.detection.excuses_faults = False
    traffic = Traffic(cluster.world)
    cluster.put_in(fault)
    cluster.run_for(parameters.duration)
    cluster.take_out(fault)
    healed = heal(cluster, limit=parameters.limit)
    metrics = {**cluster.detection.metrics(), **healed.metrics, **traffic.metrics()}
    return Measured(metrics, healed.curves, cluster.heat.map())


def _fault(parameters: Asymmetric, cluster: Cluster, hosts: list[Host]) -> Fault:
    names = [host.name for host in hosts]
    count = max(1, round(parameters.share * len(names)))
    some, others = names[:count], names[count:]
    match parameters.fault:
        case "partial":
            # `some` are in between; the rest are two groups.
            return Partition([others[::2], others[1::2]])
        case "deaf":
            return OneWay(others, some)
        case "mute":
            return OneWay(some, others)
        case _:
            rng = cluster.world.rng
            pairs = round(parameters.share * len(names) * (len(names) - 1) / 2)
            broken = [rng.sample(names, 2) for _ in range(pairs)]
            ways = frozenset((a, b) for a, b in broken) | {(b, a) for a, b in broken}
            return BrokenLinks(ways)


SCENARIO = experiment(
    "asymmetric", "Some hear others that do not hear them.", Asymmetric, _play
)
