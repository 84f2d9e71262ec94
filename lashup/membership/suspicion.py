"""How long a suspect has to refute, and who is waiting for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lashup.machine import NEVER, NodeId
from lashup.membership.config import MembershipConfig
from lashup.membership.deadlines import Deadlines


def suspicion_timeout(
    confirmations: int, *, wanted: int, minimum: float, maximum: float
) -> float:
    """The seconds a member may stay suspect, from the first doubt on.

    Falls from `maximum` to `minimum` with the logarithm of the confirmations: one
    observer may be the one that is ill, a crowd is not.

    Args:
        confirmations: Members beside the first accuser that also doubt.
        wanted: Confirmations at which `minimum` is reached; 0 means at once.
        minimum: Seconds.
        maximum: Seconds, not below `minimum`.

    Source: Dadgar et al., "Lifeguard", arXiv:1707.00788, LHA-Suspicion.
    """
    if confirmations >= wanted:
        return minimum
    share = math.log(confirmations + 1) / math.log(wanted + 1)
    return max(minimum, maximum - share * (maximum - minimum))


@dataclass(frozen=True, slots=True)
class Ladder:
    """The numbers of `suspicion_timeout` in a cluster of some size.

    Attributes:
        minimum: Seconds when `wanted` others confirm.
        maximum: Seconds when nobody does.
        wanted: Confirmations that make it `minimum`.
    """

    minimum: float
    maximum: float
    wanted: int


def ladder(members: int, *, config: MembershipConfig) -> Ladder:
    """The numbers of memberlist for a cluster of so many live members, us included.

    Where fewer than the wanted number could confirm at all (neither we nor the
    suspect can), nobody is waited for.
    """
    scale = max(1.0, math.log10(max(1, members)))
    minimum = config.suspicion_multiplier * scale * config.probe_period
    wanted = config.suspicion_multiplier - 2
    if members - 2 < wanted:
        wanted = 0
    return Ladder(minimum, config.suspicion_max_multiplier * minimum, max(0, wanted))


@dataclass(slots=True)
class _Suspicion:
    """One suspect's clock."""

    started_at: float
    ladder: Ladder
    accusers: set[NodeId] = field(default_factory=set)


class Suspicions:
    """The suspects, who accuses them, and when the first of them is to be given up."""

    def __init__(self) -> None:
        self._open: dict[NodeId, _Suspicion] = {}
        #: When who was last suspected without reason.
        self._refuted_at: dict[NodeId, float] = {}
        self._deadlines: Deadlines[NodeId] = Deadlines()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, node: NodeId) -> bool:
        return node in self._open

    def nodes(self) -> frozenset[NodeId]:
        """Who is suspected now."""
        return frozenset(self._open)

    def start(
        self, node: NodeId, accuser: NodeId, *, ladder: Ladder, now: float
    ) -> None:
        """A member came under suspicion, at this incarnation for the first time."""
        self._open[node] = _Suspicion(now, ladder, {accuser})
        self._reschedule(node)

    def confirm(self, node: NodeId, accuser: NodeId) -> bool:
        """Another accuser. Returns whether that is news: worth being passed on."""
        suspicion = self._open.get(node)
        if suspicion is None or accuser in suspicion.accusers:
            return False
        if len(suspicion.accusers) > suspicion.ladder.wanted:
            return False
        suspicion.accusers.add(accuser)
        self._reschedule(node)
        return True

    def refute(self, node: NodeId, *, now: float) -> None:
        """A member is alive; if it was suspected, this was wrong."""
        if node in self._open:
            self._refuted_at[node] = now
            self._close(node)

    def end(self, node: NodeId) -> None:
        """A life is over; that it was not suspected is no error."""
        self._refuted_at.pop(node, None)
        self._close(node)

    def has_refuted(self, node: NodeId, *, since: float) -> bool:
        """Whether a suspicion of a member has turned out wrong since a time."""
        return self._refuted_at.get(node, -NEVER) >= since

    def is_old(self, node: NodeId, *, since: float) -> bool:
        """Whether a member is suspected, and has not refuted it since a time."""
        suspicion = self._open.get(node)
        return suspicion is not None and suspicion.started_at <= since

    def accused_by(self, accuser: NodeId) -> list[NodeId]:
        """The suspects whom a member accuses."""
        return [n for n, each in self._open.items() if accuser in each.accusers]

    def restart(self, node: NodeId, *, now: float) -> None:
        """Count from `now`: there is fresh evidence of life, or we were not awake."""
        suspicion = self._open.get(node)
        if suspicion is not None:
            suspicion.started_at = now
            self._reschedule(node)

    def postpone(self, seconds: float) -> None:
        """All suspects get the time back in which we did not listen."""
        for node, suspicion in self._open.items():
            suspicion.started_at += seconds
            self._reschedule(node)

    def started_at(self, node: NodeId) -> float:
        """Since when the suspect's time counts."""
        return self._open[node].started_at

    def next_wakeup(self) -> float:
        """When the first suspect's time is over."""
        return self._deadlines.next_at()

    def take_expired(self, *, now: float) -> list[NodeId]:
        """The suspects whose time is over; they stay suspects until `end`."""
        return list(self._deadlines.take_due(now))

    def _close(self, node: NodeId) -> None:
        self._open.pop(node, None)
        self._deadlines.discard(node)

    def _reschedule(self, node: NodeId) -> None:
        suspicion = self._open[node]
        timeout = suspicion_timeout(
            len(suspicion.accusers) - 1,
            wanted=suspicion.ladder.wanted,
            minimum=suspicion.ladder.minimum,
            maximum=suspicion.ladder.maximum,
        )
        self._deadlines.set(node, suspicion.started_at + timeout)
