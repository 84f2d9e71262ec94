"""Samples of how many members every node sees: the heat map of a run."""

from __future__ import annotations

from simulations.measure import HeatMap
from simulations.world import World


class Heat:
    """Takes a sample every so often, once it was told to.

    Args:
        world: Whose hosts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._times: list[float] = []
        self._live: list[tuple[int | None, ...]] = []
        self._marks: list[tuple[float, str]] = []
        self._period = 0.0

    def watch(self, *, period: float) -> None:
        """Take a sample now, and then every `period` seconds."""
        self._period = period
        self._sample()

    def mark(self, what: str) -> None:
        """The scenario has just done something."""
        self._marks.append((self._world.seconds, what))

    def map(self) -> HeatMap | None:
        """What was sampled; None if nothing was."""
        if not self._times:
            return None
        return HeatMap(
            nodes=tuple(self._world.hosts),
            times=tuple(self._times),
            live=tuple(self._live),
            marks=tuple(self._marks),
        )

    def _sample(self) -> None:
        self._times.append(self._world.seconds)
        self._live.append(
            tuple(
                len(host.node.membership.alive())
                if host.node is not None and host.is_running
                else None
                for host in self._world.hosts.values()
            )
        )
        self._world.after(self._period, self._sample)
