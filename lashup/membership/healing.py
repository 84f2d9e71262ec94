"""Members that are down are tried again, so that a partition heals by itself.

A network that is whole again tells nobody. So every node now and then pings a
member that is down, or one that it remembers from an earlier life, or a seed at
which it knows nobody. All nodes of one side together try `heal_rate` of them a
second, whatever the size of the cluster: the more nodes there are, the less each
does. When one answers, reconciliation brings the rest of its side along.

The pauses of one node are exponential. So the attempts of all of them come at random
and at the same rate at any time, also where all have started, or have given up the
other side, at the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from lashup.machine import NEVER, Address, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.joining import Joining
from lashup.membership.member import Liveness, Member
from lashup.membership.messages import Letter, Ping


class Healing:
    """Whom to try, and when.

    Args:
        beliefs: Read for the members that are down, were reaped, or were not met yet.
        config: Timing.
        joining: Read for the seeds.
        next_seq: Draws sequence numbers that no other message of this node has.
        rng: Spreads the attempts of the nodes of one side.
        now: The time.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        joining: Joining,
        next_seq: Callable[[], int],
        rng: Random,
        now: float,
    ) -> None:
        self._beliefs = beliefs
        self._config = config
        self._joining = joining
        self._next_seq = next_seq
        self._rng = rng
        self._round: deque[tuple[Address, NodeId | None]] = deque()
        self._next_at = now

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._next_at

    def tick(self, *, now: float) -> list[Letter]:
        """Try the next one. With nobody to try, look again after the same time."""
        if now < self._next_at:
            return []
        config = self._config
        interval = self._beliefs.members.live_count / config.heal_rate
        pause = interval * self._rng.expovariate(1.0)
        self._next_at = now + max(config.heal_period, pause)
        return self._try_one()

    def _try_one(self) -> list[Letter]:
        if not self._round:
            self._round.extend(self._candidates())
            self._rng.shuffle(self._round)
        while self._round:
            address, node = self._round.popleft()
            if node is None or self._beliefs.members.live_peer(node) is None:
                record = self._beliefs.me.encoded
                return [(address, Ping(self._next_seq(), node, record))]
        return []

    def _candidates(self) -> list[tuple[Address, NodeId | None]]:
        members = self._beliefs.members
        down = [member for node in members.down if (member := members.get(node))]
        gone = [m for m in members.reaped.values() if m.liveness is Liveness.DOWN]
        unmet = [Member(each, Liveness.DOWN, NEVER) for each in self._beliefs.unmet]
        found: list[tuple[Address, NodeId | None]] = [
            (members.address_of(member), member.id) for member in (*down, *gone, *unmet)
        ]
        return found + [(seed, None) for seed in self._joining.strangers]
