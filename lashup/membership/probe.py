"""SWIM's probe: once a period, is the next member of the ring there?

Theory of operation
-------------------
The ring holds every live member once, shuffled; after the last one it is shuffled
again, and newcomers go in at a random place. So a member is probed within 2n-1
periods of any one prober, and once a period by somebody on average.

A period: ping the target. No ack within its round-trip timeout: ping it again and
ask helpers to ping it too. No ack by the end of the period: the target is doubted.
An ack that comes later still is evidence of life, and measures the round trip.

Source: SWIM, sections 3.1 and 4.3; Lifeguard, section IV.A (period and timeout
grow with the local health score, helpers that hear nothing say so).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from lashup.machine import NEVER, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.member import Member
from lashup.membership.messages import Letter, Ping, PingRequest
from lashup.membership.round_trip import RoundTrips

#: Probes of the past whose acks are still recognised.
_REMEMBERED_PROBES = 16


@dataclass(slots=True)
class _Probe:
    """One probe. Times are on the machine's clock."""

    target: NodeId
    seq: int
    sent_at: float
    indirect_at: float
    helpers: int = 0
    nacks: set[NodeId] = field(default_factory=set)


class Prober:
    """Probes the live members one after the other.

    Args:
        beliefs: Read for the members, and told whom to doubt.
        config: Timing.
        round_trips: Read for timeouts, and told what acks show.
        next_seq: Draws sequence numbers that no other message of this node has.
        rng: Shuffles the ring and chooses helpers.
        now: The time.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        round_trips: RoundTrips,
        next_seq: Callable[[], int],
        rng: Random,
        now: float,
    ) -> None:
        self.statistics = {"probes": 0, "probes_failed": 0, "probes_indirect": 0}
        self._beliefs = beliefs
        self._config = config
        self._round_trips = round_trips
        self._next_seq = next_seq
        self._rng = rng
        self._ring: list[NodeId] = []
        self._probe: _Probe | None = None
        self._past: dict[int, _Probe] = {}
        # A random phase, so that nodes started together do not probe together.
        self._period_at = now + rng.uniform(0, config.probe_period)

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        probe = self._probe
        if probe is None:
            return self._period_at
        return min(self._period_at, probe.indirect_at)

    def add(self, node: NodeId) -> None:
        """A member became live: somewhere among those still to be probed."""
        self._ring.insert(self._rng.randrange(len(self._ring) + 1), node)

    def tick(self, *, now: float) -> list[Letter]:
        """Ask helpers, or end this period's probe and begin the next."""
        if self._period_at <= now:
            self._end_probe(now=now)
            self._period_at = now + self._period()
            return self._begin_probe(now=now)
        if self._probe is not None and self._probe.indirect_at <= now:
            return self._ask_helpers(self._probe, now=now)
        return []

    def wake(self, *, now: float) -> list[Letter]:
        """We were asleep: whoever was being probed gets another whole period."""
        self._period_at = now + self._period()
        probe, self._probe = self._probe, None
        member = (
            None if probe is None else self._beliefs.members.live_peer(probe.target)
        )
        return [] if member is None else self._ping(member, now=now)

    def acked(self, seq: int, target: NodeId, *, sender: NodeId, now: float) -> None:
        """An ack for a probe of ours came in, by the target itself or by a helper."""
        probe = self._past.get(seq)
        if probe is None or probe.target != target:
            return
        if sender == target:
            # Of a ping that was repeated, this is too much rather than too little.
            self._round_trips.measured(target, now - probe.sent_at)
        del self._past[seq]
        self._beliefs.suspicions.restart(target, now=now)
        if probe is self._probe:
            self._probe = None
            self._beliefs.health.probe_succeeded()
            self.statistics["probes_indirect"] += sender != target

    def nacked(self, seq: int, *, sender: NodeId) -> None:
        """A helper has heard nothing of the target either."""
        if self._probe is not None and self._probe.seq == seq:
            self._probe.nacks.add(sender)

    def _period(self) -> float:
        return self._config.probe_period * self._beliefs.health.multiplier

    def _end_probe(self, *, now: float) -> None:
        probe, self._probe = self._probe, None
        if probe is None:
            return
        self.statistics["probes_failed"] += 1
        self._beliefs.health.probe_failed(
            helpers=probe.helpers, nacks=min(len(probe.nacks), probe.helpers)
        )
        self._beliefs.doubt(probe.target, now=now)

    def _begin_probe(self, *, now: float) -> list[Letter]:
        members = self._beliefs.members
        for _ in range(len(self._ring)):
            member = members.live_peer(self._ring.pop())
            if member is not None:
                return self._ping(member, now=now)
        self._ring = [node for node in members.live if node != self._beliefs.me.id]
        self._rng.shuffle(self._ring)
        if not self._ring:
            return []
        member = members.live_peer(self._ring.pop())
        return [] if member is None else self._ping(member, now=now)

    def _ping(self, member: Member, *, now: float) -> list[Letter]:
        seq = self._next_seq()
        patience = (
            self._round_trips.timeout(member.id) * self._beliefs.health.multiplier
        )
        self._probe = _Probe(member.id, seq, now, now + patience)
        self._past[seq] = self._probe
        if len(self._past) > _REMEMBERED_PROBES:
            del self._past[next(iter(self._past))]
        self.statistics["probes"] += 1
        return [(self._beliefs.members.address_of(member), Ping(seq, member.id))]

    def _ask_helpers(self, probe: _Probe, *, now: float) -> list[Letter]:
        probe.indirect_at = NEVER
        members = self._beliefs.members
        target = members.live_peer(probe.target)
        if target is None:
            return []
        helpers = members.sample(
            self._config.indirect_probes,
            without=frozenset((probe.target,)),
            rng=self._rng,
        )
        probe.helpers = len(helpers)
        address = self._beliefs.members.address_of(target)
        patience = self._period_at - now
        request = PingRequest(probe.seq, target.id, address, patience)
        again: list[Letter] = [(address, Ping(probe.seq, target.id))]
        return again + [
            (self._beliefs.members.address_of(helper), request) for helper in helpers
        ]
