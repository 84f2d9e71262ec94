"""Pinging a member for somebody else, and testifying when it does not answer.

A witness pings the target again and again, for longer than a stall that is to be
forgiven, before it says that the target is silent. An ack is passed on at once, also
after that. When the target's host says that nobody listens there, a witness asks once
more and waits for a moment only: a process that is merely slow has an open port.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lashup.machine import NEVER, Address, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.deadlines import Deadlines
from lashup.membership.messages import Ack, Letter, Nack, Ping, PingRequest

#: Requests that one node works on at a time; more are not worth the memory.
RELAYS_LIMIT = 1024
#: Pings of one witness in the time of a stall that is forgiven.
_PINGS = 5
#: A testimony that comes after this share of the asker's patience comes too late.
_LATEST = 0.95
#: With a worse local health score than this, a node testifies against nobody.
_WELL = 2


@dataclass(slots=True)
class _Relay:
    """One request that is being worked on. Times are on the machine's clock."""

    asker: Address
    asker_seq: int
    target: NodeId
    to: Address
    begun_at: float
    testify_at: float
    ends_at: float
    ping_at: float
    is_refused: bool = False
    has_spoken: bool = False


class Relays:
    """The requests of others that this node pings for.

    Args:
        beliefs: Read for where the target is, and for the local health.
        config: Timing.
        next_seq: Draws sequence numbers that no other message of this node has.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        next_seq: Callable[[], int],
    ) -> None:
        self._beliefs = beliefs
        self._config = config
        self._next_seq = next_seq
        self._relays: dict[int, _Relay] = {}
        #: The same, by who asked and its number: it may ask again.
        self._requests: dict[tuple[Address, int], int] = {}
        self._deadlines: Deadlines[int] = Deadlines()

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._deadlines.next_at()

    def begin(
        self, request: PingRequest, asker: Address, *, now: float
    ) -> list[Letter]:
        """Ping the target for the asker; asked again, say what there is to say."""
        known_seq = self._requests.get((asker, request.seq))
        if known_seq is not None:
            relay = self._relays[known_seq]
            return [self._nack(relay, now=now)] if relay.has_spoken else []
        if len(self._relays) >= RELAYS_LIMIT:
            return []
        seq = self._next_seq()
        known = self._beliefs.members.get(request.target)
        to = request.address
        if known is not None:
            to = self._beliefs.members.address_of(known)
        patience = request.patience
        speak_after = self._config.stall_allowance
        if speak_after > patience * _LATEST:
            speak_after = patience * self._config.nack_share
        relay = _Relay(
            asker,
            request.seq,
            request.target,
            to,
            begun_at=now,
            testify_at=now + speak_after,
            ends_at=now + patience,
            ping_at=now + self._spacing,
        )
        self._relays[seq] = relay
        self._requests[asker, request.seq] = seq
        self._schedule(seq, relay)
        return [(to, Ping(seq, request.target))]

    def acked(self, seq: int, target: NodeId) -> list[Letter]:
        """An ack came in: pass it on if it is for a request that we work on."""
        relay = self._relays.get(seq)
        if relay is None or relay.target != target:
            return []
        self._forget(seq)
        return [(relay.asker, Ack(relay.asker_seq, target))]

    def works_on(self, node: NodeId) -> bool:
        """Whether this node pings a member for somebody else now."""
        return any(relay.target == node for relay in self._relays.values())

    def refused(self, node: NodeId, *, now: float) -> list[Letter]:
        """A host says that nobody listens where this member should be."""
        letters: list[Letter] = []
        for seq, relay in self._relays.items():
            if relay.target == node and not relay.is_refused and not relay.has_spoken:
                relay.is_refused = True
                relay.testify_at = now + self._config.refusal_wait
                self._schedule(seq, relay)
                letters.append((relay.to, Ping(seq, node)))
        return letters

    def tick(self, *, now: float) -> list[Letter]:
        """Ping again, testify, and drop the requests that are over."""
        letters: list[Letter] = []
        for seq in self._deadlines.take_due(now):
            relay = self._relays[seq]
            if now >= relay.ends_at:
                self._forget(seq)
                continue
            if now >= relay.testify_at and not relay.has_spoken:
                # The ack may still come in time, and is then passed on as well.
                relay.has_spoken = True
                relay.ping_at = NEVER
                letters.append(self._nack(relay, now=now))
            elif now >= relay.ping_at:
                relay.ping_at = now + self._spacing
                letters.append((relay.to, Ping(seq, relay.target)))
            self._schedule(seq, relay)
        return letters

    def wake(self) -> None:
        """We were asleep: what we have not heard meanwhile says nothing."""
        for seq in list(self._relays):
            self._forget(seq)

    @property
    def _spacing(self) -> float:
        return self._config.stall_allowance / _PINGS

    def _nack(self, relay: _Relay, *, now: float) -> Letter:
        asked = now - relay.begun_at
        is_long = relay.is_refused or asked >= self._config.stall_allowance - 1e-6
        testifies = is_long and self._beliefs.health.score <= _WELL
        silence = max(asked, 0.001) if testifies else 0.0
        return (relay.asker, Nack(relay.asker_seq, relay.target, silence))

    def _schedule(self, seq: int, relay: _Relay) -> None:
        speak_at = NEVER if relay.has_spoken else relay.testify_at
        self._deadlines.set(seq, min(relay.ping_at, speak_at, relay.ends_at))

    def _forget(self, seq: int) -> None:
        relay = self._relays.pop(seq)
        del self._requests[relay.asker, relay.asker_seq]
        self._deadlines.discard(seq)
