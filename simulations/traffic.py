"""What the nodes send: bytes and datagrams, and copies of what they multicast."""

from __future__ import annotations

from dataclasses import dataclass

from simulations.latency import SECOND
from simulations.measure import Metric
from simulations.world import World


@dataclass(frozen=True, slots=True)
class _Count:
    """What one host has sent and received so far."""

    datagrams: int
    payload: int
    copies: int


class Traffic:
    """Counts from its making on.

    Args:
        world: Whose hosts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._began_at = world.now
        self._before = _counts(world)

    def metrics(self) -> dict[Metric, float]:
        """What nodes have sent a second since the beginning."""
        seconds = (self._world.now - self._began_at) / SECOND
        differences = self._differences()
        if not seconds or not differences:
            return {}
        per = seconds * len(differences)
        return {
            Metric.BYTES: sum(d.payload for d in differences) / per,
            Metric.DATAGRAMS: sum(d.datagrams for d in differences) / per,
            Metric.BYTES_WORST: max(d.payload for d in differences) / seconds,
        }

    def copies(self, updates: int) -> dict[Metric, float]:
        """Payload copies that a node has received of each of so many updates."""
        differences = self._differences()
        if not updates or not differences:
            return {}
        copies = sum(d.copies for d in differences)
        return {Metric.COPIES: copies / (updates * len(differences))}

    def _differences(self) -> list[_Count]:
        none = _Count(0, 0, 0)
        return [
            _Count(
                count.datagrams - before.datagrams,
                count.payload - before.payload,
                max(0, count.copies - before.copies),  # less after a restart
            )
            for name, count in _counts(self._world).items()
            for before in (self._before.get(name, none),)
        ]


def _counts(world: World) -> dict[str, _Count]:
    counts: dict[str, _Count] = {}
    for host in world.hosts.values():
        copies = 0
        if host.node is not None:
            heard = host.node.multicast.statistics()
            copies = int(heard["delivered"] + heard["duplicates"])
        counts[host.name] = _Count(host.sent_datagrams, host.sent_bytes, copies)
    return counts
