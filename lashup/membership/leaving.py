"""Going in order: say goodbye until some have heard it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from lashup.machine import NEVER, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.messages import Letter, Ping


class Leaving:
    """The goodbye of this node. A ping that carries it is acknowledged like any.

    Args:
        beliefs: Told that this node leaves; read for whom to tell.
        config: Timing, and how many must have heard.
        next_seq: Draws sequence numbers that no other message of this node has.
        rng: Chooses whom to tell.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        next_seq: Callable[[], int],
        rng: Random,
    ) -> None:
        self.is_over = False
        self._beliefs = beliefs
        self._config = config
        self._next_seq = next_seq
        self._rng = rng
        self._wanted = 0
        self._told: dict[int, NodeId] = {}
        self._heard: set[NodeId] = set()
        self._next_at = NEVER
        self._ends_at = NEVER

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return NEVER if self.is_over else min(self._next_at, self._ends_at)

    def begin(self, *, now: float) -> list[Letter]:
        """Say goodbye. A second call changes nothing."""
        if self._beliefs.is_leaving:
            return []
        peers = self._beliefs.members.live_count - 1
        self._beliefs.leave(now=now)
        self._wanted = min(self._config.leave_acknowledgements, peers)
        self._ends_at = now + self._config.leave_timeout
        self.is_over = self._wanted == 0
        return self._tell(now=now)

    def acked(self, seq: int, sender: NodeId) -> None:
        """A member has heard the goodbye."""
        if self._told.get(seq) == sender:
            self._heard.add(sender)
            self.is_over = len(self._heard) >= self._wanted

    def tick(self, *, now: float) -> list[Letter]:
        """Tell others, or give up."""
        if now >= self._ends_at:
            self.is_over = True
        return self._tell(now=now) if now >= self.next_wakeup() else []

    def _tell(self, *, now: float) -> list[Letter]:
        if self.is_over:
            return []
        self._next_at = now + self._config.gossip_period
        members = self._beliefs.members
        letters: list[Letter] = []
        for member in members.sample(
            self._wanted + 1, without=frozenset(self._heard), rng=self._rng
        ):
            seq = self._next_seq()
            self._told[seq] = member.id
            letters.append((members.address_of(member), Ping(seq, member.id)))
        return letters
