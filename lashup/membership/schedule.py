"""Who probes whom, and when, so that everybody is probed once a period by somebody.

Theory of operation
-------------------
Time is cut into periods by the wall clock; they are numbered alike at all nodes
whose clocks agree. In period k the member at place i of the sorted ids probes the
one at place i + s, where s is a hash of k and of the member table: a permutation
without fixed points, another one each period, which costs no memory and no sort.
Each node acts at a phase of its own, which its id tells, so probes are spread over
the period.

All who hold the same table know the whole plan. So each also knows who is to probe
*it*, and when: whoever does not is as worth a question as one who does not answer.
A member is thus looked at twice a period for the price of one probe.

Nothing depends on it: where tables or clocks differ, a period may see a member
probed twice or not at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import floor

from lashup.machine import NodeId
from lashup.reconcile import keyed_hash

_PHASES = 1 << 32


class Schedule:
    """The plan of all who hold one member table.

    Args:
        period: Seconds.
        hash_key: The same on all members.

    Attributes:
        wall_offset: Seconds since 1970 less this machine's clock.
    """

    def __init__(self, *, period: float, hash_key: bytes) -> None:
        self.wall_offset = 0.0
        self._period = period
        self._hash_key = hash_key

    def number(self, node: NodeId, *, now: float) -> int:
        """The period in which a node's act that is nearest to `now` falls."""
        return round((now + self.wall_offset) / self._period - phase(node))

    def act_at(self, node: NodeId, number: int) -> float:
        """When a node acts in a period, on this machine's clock."""
        return (number + phase(node)) * self._period - self.wall_offset

    def next_act(self, node: NodeId, *, after: float) -> float:
        """The first time a node acts at `after` or later."""
        number = floor((after + self.wall_offset) / self._period - phase(node))
        at = self.act_at(node, number)
        return at if at >= after else self.act_at(node, number + 1)

    def target(
        self, node: NodeId, number: int, *, live: Sequence[NodeId], table_hash: int
    ) -> NodeId | None:
        """Whom a live member probes in a period; None if there is nobody else.

        Args:
            node: Whose turn.
            number: The period.
            live: Ids of the live members, sorted.
            table_hash: Of the table that holds these.
        """
        return self._at(node, self._shift(number, len(live), table_hash), live)

    def prober(
        self, node: NodeId, number: int, *, live: Sequence[NodeId], table_hash: int
    ) -> NodeId | None:
        """Who probes a live member in a period: the inverse of `target`."""
        return self._at(node, -self._shift(number, len(live), table_hash), live)

    def _shift(self, number: int, members: int, table_hash: int) -> int:
        if members < 2:
            return 0
        seed = number.to_bytes(8, "big", signed=True), table_hash.to_bytes(8, "big")
        return 1 + keyed_hash(self._hash_key, *seed) % (members - 1)

    def _at(self, node: NodeId, by: int, live: Sequence[NodeId]) -> NodeId | None:
        place = bisect_left(live, node)
        if by == 0 or place == len(live) or live[place] != node:
            return None
        return live[(place + by) % len(live)]


def phase(node: NodeId) -> float:
    """The share of the period that has passed when a node acts; 0 to below 1."""
    return int.from_bytes(node[:4], "big") / _PHASES
