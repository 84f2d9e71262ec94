"""Pinging a member for somebody else, and saying so when it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lashup.machine import Address, NodeId
from lashup.membership.config import MembershipConfig
from lashup.membership.deadlines import Deadlines
from lashup.membership.member_list import MemberList
from lashup.membership.messages import Ack, Letter, Nack, Ping, PingRequest

#: Requests that one node works on at a time; more are not worth the memory.
RELAYS_LIMIT = 1024


@dataclass(slots=True)
class _Relay:
    """One request that is being worked on."""

    asker: Address
    asker_seq: int
    target: NodeId
    ends_at: float


class Relays:
    """The requests of others that this node pings for.

    Args:
        members: Read for where the target is.
        config: Timing.
        next_seq: Draws sequence numbers that no other message of this node has.
    """

    def __init__(
        self,
        members: MemberList,
        config: MembershipConfig,
        *,
        next_seq: Callable[[], int],
    ) -> None:
        self._members = members
        self._config = config
        self._next_seq = next_seq
        self._relays: dict[int, _Relay] = {}
        self._deadlines: Deadlines[int] = Deadlines()

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._deadlines.next_at()

    def begin(
        self, request: PingRequest, asker: Address, *, now: float
    ) -> list[Letter]:
        """Ping the target for the asker."""
        if len(self._relays) >= RELAYS_LIMIT:
            return []
        seq = self._next_seq()
        ends_at = now + request.patience
        self._relays[seq] = _Relay(asker, request.seq, request.target, ends_at)
        self._deadlines.set(seq, now + request.patience * self._config.nack_share)
        known = self._members.get(request.target)
        to = request.address if known is None else self._members.address_of(known)
        return [(to, Ping(seq, request.target))]

    def acked(self, seq: int, target: NodeId) -> list[Letter]:
        """An ack came in: pass it on if it is for a request that we work on."""
        relay = self._relays.get(seq)
        if relay is None or relay.target != target:
            return []
        self._forget(seq)
        return [(relay.asker, Ack(relay.asker_seq, target))]

    def tick(self, *, now: float) -> list[Letter]:
        """Send the nacks that are due, and drop the requests that are over."""
        letters: list[Letter] = []
        for seq in self._deadlines.take_due(now):
            relay = self._relays[seq]
            if now >= relay.ends_at:
                self._forget(seq)
                continue
            # The ack may still come in time, and is then passed on as well.
            self._deadlines.set(seq, relay.ends_at)
            letters.append((relay.asker, Nack(relay.asker_seq, relay.target)))
        return letters

    def _forget(self, seq: int) -> None:
        del self._relays[seq]
        self._deadlines.discard(seq)
