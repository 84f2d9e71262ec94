"""Whose turn it is to be probed: by the schedule in common, or by our own ring."""

from __future__ import annotations

from random import Random

from lashup.machine import NEVER, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import Confirmation, MembershipConfig
from lashup.membership.schedule import Schedule

#: Members that were awaited, did not come, and answered at once: after so many in a
#: row their clocks are not ours, and nobody is awaited until one comes in time.
_IN_VAIN = 3


class Turns:
    """Says whom to probe, and who should have probed us.

    Args:
        beliefs: Read for the members.
        config: Timing.
        rng: Shuffles the ring.

    Attributes:
        schedule: The plan of all who hold the same table.
        common_hash: The table that the last sender we have heard holds.
    """

    def __init__(
        self, beliefs: Beliefs, config: MembershipConfig, *, rng: Random
    ) -> None:
        self.schedule = Schedule(period=config.probe_period, hash_key=config.hash_key)
        self.common_hash: int | None = None
        self._beliefs = beliefs
        self._config = config
        self._rng = rng
        self._ring: list[NodeId] = []
        #: Who is to ping us, when, the next first.
        self._expected: list[tuple[float, NodeId]] = []
        self._in_vain = 0

    def number(self, now: float) -> int:
        """The period that is nearest to our own act."""
        return self.schedule.number(self._beliefs.me.id, now=now)

    def next_at(self, after: float) -> float:
        """When our own turn to probe comes next, strictly after a time."""
        soon = after + self._config.probe_period / 1000
        return self.schedule.next_act(self._beliefs.me.id, after=soon)

    def add(self, node: NodeId) -> None:
        """A member became live: somewhere among those still to be probed."""
        self._ring.insert(self._rng.randrange(len(self._ring) + 1), node)

    def take(self, *, now: float) -> NodeId | None:
        """Whom to probe now, at our own phase; plans whom to await in a period."""
        members, me = self._beliefs.members, self._beliefs.me.id
        self._plan(now=now)
        if self._is_common():
            number = self.number(now)
            return self.schedule.target(
                me, number, live=members.live, table_hash=members.summary.root
            )
        for _ in range(len(self._ring)):
            node = self._ring.pop()
            if members.live_peer(node) is not None:
                return node
        self._ring = [node for node in members.live if node != me]
        self._rng.shuffle(self._ring)
        return self._ring.pop() if self._ring else None

    def overdue_at(self) -> float:
        """When a member that should have pinged us is overdue."""
        if not self._expected or self._in_vain >= _IN_VAIN:
            return NEVER
        return self._expected[0][0] + self._config.tardiness

    def take_overdue(self, *, now: float) -> NodeId | None:
        """The member that should have pinged us by now, and has not."""
        if now < self.overdue_at():
            return None
        self._in_vain += 1
        return self._expected.pop(0)[1]

    def pinged_by(self, node: NodeId, *, now: float) -> None:
        """A member has pinged us."""
        for expected in self._expected:
            if expected[1] == node:
                self._expected.remove(expected)
                if abs(expected[0] - now) <= self._config.tardiness:
                    self._in_vain = 0
                return

    def wake(self) -> None:
        """We have slept: who was late meanwhile cannot be told."""
        self._expected.clear()

    def _is_common(self) -> bool:
        return self.common_hash == self._beliefs.members.summary.root

    def _plan(self, *, now: float) -> None:
        """Once a period: who is to ping us in the period that begins with our act?"""
        if self._config.confirmation is not Confirmation.ACTIVE:
            return
        self._expected.clear()
        if not self._is_common():
            return
        members, me = self._beliefs.members, self._beliefs.me.id
        first = self.number(now)
        for number in (first, first + 1):
            node = self.schedule.prober(
                me, number, live=members.live, table_hash=members.summary.root
            )
            if node is None:
                return
            at = self.schedule.act_at(node, number)
            if now < at <= now + self._config.probe_period:
                self._expected.append((at, node))
        self._expected.sort()
