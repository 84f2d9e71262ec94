"""How soon after one round of gossip another may go out.

Theory of operation
-------------------
A round is sent for every piece of news at once, as long as there are few. Where many
come one by one (the hosts of a rack, or of the other half of a split, are given up
one after the other) a round for each would cost as much as all else together, and
each packet would carry one belief where it has room for twenty. So rounds draw on an
allowance that fills up again slowly; without it news waits for company. What fills a
packet by itself waits for nobody.
"""

from __future__ import annotations

from lashup.machine import NEVER
from lashup.membership.config import MembershipConfig

#: News that waits, in beliefs, that is worth a round whatever went before: about as
#: much as one packet holds.
FULL = 16


class Pace:
    """The allowance of one node's rounds of gossip.

    Args:
        config: `gossip_spacing`, `gossip_burst`, and `gossip_refill`.
    """

    def __init__(self, config: MembershipConfig) -> None:
        self._config = config
        self._last_at = -NEVER
        #: When all of the allowance would be there again.
        self._full_at = -NEVER

    def next_at(self, *, waiting: int) -> float:
        """The earliest time of the next round.

        Args:
            waiting: Beliefs that have not been sent at all yet.
        """
        config = self._config
        soon = self._last_at + config.gossip_spacing
        if waiting >= FULL:
            return soon
        allowed = self._full_at - (config.gossip_burst - 1) * config.gossip_refill
        return max(soon, allowed)

    def is_rare(self, *, now: float) -> bool:
        """Whether rounds are few lately: half of the allowance, or more, is there."""
        config = self._config
        return self._full_at - config.gossip_burst * config.gossip_refill / 2 <= now

    def went_out(self, *, now: float) -> None:
        """A round was sent."""
        self._last_at = now
        self._full_at = max(self._full_at, now) + self._config.gossip_refill
