"""Payloads: a message, the sender's header, and whatever gossip still fits.

Nothing leaves a node but through here, so every packet says who sends it, and none
leaves with room to spare while there is something to say. News goes out at once to
a few members at random, and again every gossip period while any of it is still to
be sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from lashup.errors import LimitExceeded
from lashup.machine import NEVER, Address, Send
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.dissemination import transmissions
from lashup.membership.member import Liveness
from lashup.membership.messages import (
    KIND_NAMES,
    RIDER_LIMIT,
    UNKNOWN_KIND,
    Ack,
    Encoding,
    Gossip,
    Header,
    Message,
    Ping,
)
from lashup.membership.pace import FULL, Pace
from lashup.traffic import Traffic

#: Bytes that the list of gossip itself takes beyond an empty one.
_LIST_FRAMING = 4


class Piggyback:
    """Makes the payloads of one node, and gossips.

    Args:
        beliefs: Read for the header; its queue of updates is sent from.
        config: Timing and the size of payloads.
        rng: Chooses whom to gossip to.
    """

    def __init__(
        self, beliefs: Beliefs, config: MembershipConfig, *, rng: Random
    ) -> None:
        #: Payloads by kind of message.
        self.traffic = Traffic((*KIND_NAMES.values(), UNKNOWN_KIND))
        self._rider = b""
        self._beliefs = beliefs
        self._config = config
        self._rng = rng
        self._gossip_at = NEVER
        self._pace = Pace(config)
        self._news_gossiped = 0
        self._urgent_gossiped = 0

    @property
    def rider(self) -> bytes:
        """What rides on every ping and every ack."""
        return self._rider

    @rider.setter
    def rider(self, rider: bytes) -> None:
        if len(rider) > RIDER_LIMIT:
            raise LimitExceeded(f"a rider of more than {RIDER_LIMIT} bytes")
        self._rider = rider

    def next_wakeup(self) -> float:
        """When `gossip` has something to do."""
        return self._gossip_at

    def load(self, to: Address, message: Message) -> Send:
        """Make one payload."""
        return self._loaded(to, message, self._encoding(message))

    def gossip(self, *, now: float) -> list[Send]:
        """Spread news at once, and what is left of it once a gossip period."""
        if self._beliefs.news != self._news_gossiped:
            self._news_gossiped = self._beliefs.news
            soon = max(now, self._pace.next_at(waiting=self._beliefs.updates.unsent))
            self._gossip_at = min(self._gossip_at, soon)
        if self._gossip_at > now:
            return []
        peers = self._beliefs.members.sample(
            self._fanout(now=now), without=frozenset(), rng=self._rng
        )
        message = Gossip()
        encoding = self._encoding(message)
        sends = [
            self._loaded(self._beliefs.members.address_of(peer), message, encoding)
            for peer in peers
            if self._beliefs.updates
        ]
        self._pace.went_out(now=now)
        self._gossip_at = now + self._until_next_round() if sends else NEVER
        return sends

    def _encoding(self, message: Message) -> Encoding:
        """A payload but for its gossip: the same for all whom one message goes to."""
        me = self._beliefs.me
        rider = self._rider if isinstance(message, (Ping, Ack)) else b""
        root = self._beliefs.members.summary.root
        return Encoding(Header(me.id, me.epoch, me.incarnation, root, rider), message)

    def _loaded(self, to: Address, message: Message, encoding: Encoding) -> Send:
        gossip: Sequence[bytes] = ()
        if isinstance(message, (Ping, Ack, Gossip)):
            budget = self._config.max_payload - len(encoding) - _LIST_FRAMING
            gossip = self._gossip_for(to, budget)
        payload = encoding.carrying(gossip)
        self.traffic.sent(KIND_NAMES[type(message)], len(payload))
        return Send(to, payload)

    def _until_next_round(self) -> float:
        """Seconds. What waits goes out once in a gossip period, however much it is."""
        waiting = len(self._beliefs.updates)
        if not waiting:
            return NEVER
        carried = FULL * self._config.gossip_nodes
        share = min(1.0, carried / waiting)
        return max(self._config.gossip_spacing, self._config.gossip_period * share)

    def _fanout(self, *, now: float) -> int:
        """How many this round goes to: what is urgent should reach all in one go.

        Where everybody who hears something tells f others, once, all but a share of
        e**-f hear of it: with ln(n) + 3 nearly always all n. Where one urgent thing
        follows the other, the next rounds carry this one as well.
        """
        is_urgent = self._beliefs.urgent != self._urgent_gossiped
        self._urgent_gossiped = self._beliefs.urgent
        if not is_urgent or not self._pace.is_rare(now=now):
            return self._config.gossip_nodes
        enough = math.ceil(math.log(self._beliefs.members.live_count + 1)) + 3
        return max(self._config.gossip_nodes, enough)

    def _gossip_for(self, to: Address, budget: int) -> list[bytes]:
        """What is said of the one who receives it, if it needs to know; then news."""
        first = self._doubts_about(to)
        if first is not None and len(first) + _LIST_FRAMING <= budget:
            budget -= len(first) + _LIST_FRAMING
            return [first, *self._news(budget)]
        return self._news(budget)

    def _news(self, budget: int) -> list[bytes]:
        updates = self._beliefs.updates
        if not updates:
            return []
        limit = transmissions(
            self._beliefs.members.live_count, multiplier=self._config.retransmissions
        )
        return updates.take(budget, limit=limit)

    def _doubts_about(self, to: Address) -> bytes | None:
        """What the receiver should refute, where nobody there is alive to us.

        Source: Lifeguard, section IV.C, the buddy system.
        """
        members = self._beliefs.members
        if not members.troubled:
            return None
        there = members.at_address(to)
        if not there or any(m.liveness is Liveness.ALIVE for m in there):
            return None
        belief = self._beliefs.held(there[0].id)
        return None if belief is None else belief.encode()
