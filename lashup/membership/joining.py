"""Finding a cluster: seeds are asked again and again while this node is alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from lashup.errors import NodeClosed
from lashup.machine import NEVER, Address
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.messages import Letter, Ping


class Joining:
    """The seeds, and when to ask them.

    Args:
        beliefs: Read for whether this node is alone.
        config: Timing.
        next_seq: Draws sequence numbers that no other message of this node has.
        rng: Chooses seeds, and spreads the attempts of nodes that start together.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        next_seq: Callable[[], int],
        rng: Random,
    ) -> None:
        self._beliefs = beliefs
        self._config = config
        self._next_seq = next_seq
        self._rng = rng
        self._seeds: tuple[Address, ...] = ()
        self._next_at = NEVER

    @property
    def strangers(self) -> list[Address]:
        """The seeds at which no live member is known."""
        members = self._beliefs.members
        return [
            seed
            for seed in self._seeds
            if not any(member.liveness.is_live for member in members.at_address(seed))
        ]

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._next_at if self._beliefs.members.live_count <= 1 else NEVER

    def join(self, seeds: Iterable[Address], *, now: float) -> list[Letter]:
        """Replace the seeds, and ask those at which no live member is known.

        Raises:
            NodeClosed: This node has said goodbye. Nobody is asked.
        """
        if self._beliefs.is_leaving:
            raise NodeClosed("a node that leaves asks nobody for members")
        mine = self._beliefs.me.addresses
        self._seeds = tuple(seed for seed in dict.fromkeys(seeds) if seed not in mine)
        return self._ask(now=now)

    def tick(self, *, now: float) -> list[Letter]:
        """Ask again, while this node is alone."""
        return self._ask(now=now) if self.next_wakeup() <= now else []

    def _ask(self, *, now: float) -> list[Letter]:
        if not self._seeds:
            self._next_at = NEVER
            return []
        self._next_at = now + self._config.join_period * self._rng.uniform(0.5, 1.0)
        strangers = self.strangers
        chosen = self._rng.sample(
            strangers, min(self._config.join_seeds, len(strangers))
        )
        record = self._beliefs.me.encoded
        return [(seed, Ping(self._next_seq(), None, record)) for seed in chosen]
