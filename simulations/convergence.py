"""When nodes come to have something, and when all of them agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

from simulations.host import Host
from simulations.latency import SECOND
from simulations.measure import Curve, Metric
from simulations.world import World

_T = TypeVar("_T")

#: Hash of the live members, how many there are, hash of the table.
_View: TypeAlias = tuple[int, int, int]


class Agreement:
    """Whether all running nodes hold equal members and equal tables, at any moment.

    Args:
        world: Whose hosts; it tells of every step.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_following = False
        self._views: dict[str, _View] = {}
        self._members: Counter[tuple[int, int]] = Counter()
        self._tables: Counter[int] = Counter()

    @property
    def on_members(self) -> bool:
        """All running nodes see the same members live: all that run, and no other."""
        self._look()
        if len(self._members) != 1:
            return not self._members
        ((_, live),) = self._members
        return live == len(self._views)

    @property
    def on_table(self) -> bool:
        """All running nodes hold equal tables."""
        self._look()
        return len(self._tables) <= 1

    @property
    def on_all(self) -> bool:
        """Both."""
        return self.on_table and self.on_members

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Keep count from step to step, so that asking after each is cheap."""
        if self._is_following:
            yield
            return
        self._look()
        self._is_following = True
        self._world.observers.insert(0, self)
        try:
            yield
        finally:
            self._world.observers.remove(self)
            self._is_following = False

    def stepped(self, host: Host) -> None:
        """Look at a host that may have changed."""
        view = _view_of(host)
        known = self._views.get(host.name)
        if view == known:
            return
        if known is not None:
            _less(self._members, known[:2])
            _less(self._tables, known[2])
            del self._views[host.name]
        if view is not None:
            self._views[host.name] = view
            self._members[view[:2]] += 1
            self._tables[view[2]] += 1

    def _look(self) -> None:
        """Look at all hosts, unless that was done step by step."""
        if not self._is_following:
            for host in self._world.hosts.values():
                self.stepped(host)


class Spread:
    """When each of some hosts first has something.

    Args:
        world: Tells of every step.
        name: What they come to have.
        hosts: Which.
        has: Whether a host has it. Asked after every step of those that lack it.
    """

    def __init__(
        self,
        world: World,
        name: str,
        hosts: Iterable[Host],
        *,
        has: Callable[[Host], bool],
    ) -> None:
        self.began_at = world.now
        self._world = world
        self._name = name
        self._has = has
        self._lacking = {host.name for host in hosts}
        self._count = len(self._lacking)
        self._times: list[int] = []
        world.observers.append(self)
        for host in list(world.hosts.values()):
            self.stepped(host)

    @property
    def is_complete(self) -> bool:
        """Whether all have it."""
        return not self._lacking

    @property
    def lacking(self) -> list[str]:
        """Those that do not have it yet, by name."""
        return sorted(self._lacking)

    def stepped(self, host: Host) -> None:
        """Look at a host that may have got it."""
        if host.name in self._lacking and host.node is not None and self._has(host):
            self._lacking.discard(host.name)
            self._times.append(self._world.now)
            if not self._lacking:
                self._world.observers.remove(self)

    def time_of(self, share: float) -> float | None:
        """Seconds until such a share of the hosts had it; None if they never did."""
        wanted = max(1, math.ceil(share * self._count))
        if wanted > len(self._times):
            return None
        return (self._times[wanted - 1] - self.began_at) / SECOND

    def metrics(self) -> dict[Metric, float]:
        """The three times of convergence, as far as they were reached."""
        shares = {
            Metric.CONVERGE_50: 0.5,
            Metric.CONVERGE_99: 0.99,
            Metric.CONVERGE_ALL: 1.0,
        }
        times = {metric: self.time_of(share) for metric, share in shares.items()}
        return {metric: at for metric, at in times.items() if at is not None}

    def curve(self) -> Curve:
        """The share of the hosts that had it, in the course of time."""
        points = [
            ((at - self.began_at) / SECOND, (index + 1) / self._count)
            for index, at in enumerate(self._times)
        ]
        return Curve(self._name, tuple(points))


def _view_of(host: Host) -> _View | None:
    node = host.node
    if node is None or not host.is_running or host.is_leaving:
        return None
    members = node.membership
    return members.table_hash, len(members.alive()), node.kv.root


def _less(counter: Counter[_T], key: _T) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
