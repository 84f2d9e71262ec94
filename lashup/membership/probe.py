"""SWIM's probe: once a period, is a certain other member there?

Theory of operation
-------------------
Whom to probe says the schedule that all have in common (schedule.py), or, where our
table is not the common one, a ring: it holds every live member once, shuffled; after
the last one it is shuffled again, and newcomers go in at a random place. So a member
is probed within 2n-1 periods of any one prober, and once a period by somebody.

A probe: ping the target. No ack within its round-trip timeout: ping it again and ask
witnesses to ping it too. As soon as enough of these (witnesses.py) have asked for
longer than a stall that is forgiven, and nobody has heard of the target, it is down.
No ack by the end of the period, and not enough witnesses: the target is doubted, and
suspicion takes its time. An ack that comes later still is evidence of life, and
measures the round trip.

A probe beside that of the period is begun when a member is overdue: it should have
pinged us, by the common schedule; or when there is evidence that it has gone.

Source: SWIM, sections 3.1 and 4.3; Lifeguard, section IV.A (period and timeout
grow with the local health score, helpers that hear nothing say so). The schedule and
the witnesses are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from lashup.machine import NEVER, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import Confirmation, MembershipConfig
from lashup.membership.member import Member
from lashup.membership.messages import Letter, Ping, PingRequest
from lashup.membership.panel import Panel
from lashup.membership.reachability import Reachabilities
from lashup.membership.round_trip import RoundTrips
from lashup.membership.turns import Turns

#: Probes of the past whose acks are still recognised.
_REMEMBERED_PROBES = 64
#: Probes that are open at a time: a whole rack may go at once.
_OPEN_PROBES = 64
#: Witnesses that have not answered are asked again after this share of the time
#: that they take.
ASKED_AGAIN = 0.5
#: Witnesses get at least so many times what they take.
_ENOUGH_TIME = 1.5
#: With a worse local health score than this, we trust our own pings too little.
_WELL = 2


@dataclass(slots=True)
class _Probe:
    """One probe. Times are on the machine's clock.

    Attributes:
        needed: Witnesses that must have asked in vain; None: no number will do.
        silent: Those that have.
        is_answered: Whether a helper has heard the target; it may still answer us.
    """

    target: NodeId
    seq: int
    sent_at: float
    ask_at: float
    ends_at: float
    helpers: tuple[NodeId, ...] = ()
    nacks: set[NodeId] = field(default_factory=set)
    silent: set[NodeId] = field(default_factory=set)
    needed: int | None = None
    is_answered: bool = False


class Prober:
    """Probes the live members, one each period and any that are overdue.

    Args:
        beliefs: Read for the members, and told whom to doubt.
        config: Timing.
        turns: Says whose turn it is.
        round_trips: Read for timeouts, and told what acks show.
        reachabilities: Told what probes show.
        next_seq: Draws sequence numbers that no other message of this node has.
        rng: Shuffles the ring and chooses helpers.
        now: The time.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        config: MembershipConfig,
        *,
        turns: Turns,
        round_trips: RoundTrips,
        reachabilities: Reachabilities,
        next_seq: Callable[[], int],
        rng: Random,
        now: float,
    ) -> None:
        self.statistics = dict.fromkeys(
            ("probes", "probes_failed", "probes_indirect", "probes_extra"), 0
        )
        self.statistics["confirmations"] = 0
        self._beliefs = beliefs
        self._config = config
        self._turns = turns
        self._round_trips = round_trips
        self._reachabilities = reachabilities
        self._next_seq = next_seq
        self._panel = Panel(beliefs, config, turns=turns, rng=rng)
        self._open: dict[int, _Probe] = {}
        self._past: dict[int, _Probe] = {}
        #: A member to be probed once more, and when.
        self._again: tuple[float, NodeId] | None = None
        self._period_at = turns.next_at(now)

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        at = min(self._period_at, self._turns.overdue_at())
        if self._again is not None:
            at = min(at, self._again[0])
        for probe in self._open.values():  # Often several; asked after every packet.
            if probe.ask_at < at:
                at = probe.ask_at
            if probe.ends_at < at:
                at = probe.ends_at
        return at

    def tick(self, *, now: float) -> list[Letter]:
        """Ask witnesses, end probes, and begin that of this period."""
        letters: list[Letter] = []
        for probe in list(self._open.values()):
            if probe.ends_at <= now:
                self._end(probe, now=now)
            elif probe.ask_at <= now:
                letters += self._ask(probe, now=now)
        if self._period_at <= now:
            periods = self._beliefs.health.multiplier - 1
            skipped = periods * self._config.probe_period
            self._beliefs.repeat_accusations()
            letters += self._begin(self._turns.take(now=now), now=now)
            self._period_at = self._turns.next_at(now + skipped)
        if self._again is not None and self._again[0] <= now:
            (_, node), self._again = self._again, None
            letters += self._begin(node, now=now)
        if (missed := self._turns.take_overdue(now=now)) is not None:
            self.statistics["probes_extra"] += 1
            letters += self._begin(missed, now=now)
        return letters

    def wake(self, *, now: float) -> list[Letter]:
        """We were asleep: whoever was being probed gets another whole period."""
        targets = [probe.target for probe in self._open.values()]
        self._open.clear()
        self._turns.wake()
        self._period_at = self._turns.next_at(now + self._config.probe_period / 2)
        letters: list[Letter] = []
        for target in targets:
            letters += self._begin(target, now=now)
        return letters

    def examine(self, node: NodeId, *, now: float) -> list[Letter]:
        """A member is worth a probe beside that of the period."""
        if self._config.confirmation is Confirmation.LADDER:
            return []
        return self._begin(node, now=now)

    def suspect_gone(self, node: NodeId, *, now: float) -> list[Letter]:
        """There is evidence that a member is gone: witnesses are asked at once.

        The evidence itself decides nothing.
        """
        probe = self._probe_of(node)
        if self._config.confirmation is Confirmation.LADDER:
            return []
        letters = [] if probe is not None else self._begin(node, now=now)
        probe = self._probe_of(node)
        if probe is not None and not probe.helpers:
            letters += self._ask(probe, now=now)
        return letters

    def acked(self, seq: int, target: NodeId, *, sender: NodeId, now: float) -> None:
        """An ack for a probe of ours came in, by the target itself or by a helper."""
        probe = self._past.get(seq)
        if probe is None or probe.target != target:
            return
        if sender == target:
            # Of a ping that was repeated, this is too much rather than too little.
            self._round_trips.measured(target, now - probe.sent_at)
            self._reachabilities.heard(target, now=now)
            del self._past[seq]
        if probe.is_answered:
            return
        probe.is_answered = True
        self._beliefs.suspicions.restart(target, now=now)
        if sender != target and self._reachabilities.heard_through_others(
            target, now=now
        ):
            self._again = (now + self._config.probe_period / 2, target)
        if probe.helpers:
            self._panel.vain_pings.in_vain()
        else:
            self._panel.vain_pings.answered()
        if self._open.pop(seq, None) is not None:
            self._beliefs.health.probe_succeeded()
            self.statistics["probes_indirect"] += sender != target

    def nacked(self, seq: int, *, sender: NodeId, silence: float, now: float) -> None:
        """A helper has heard nothing of the target either.

        Args:
            seq: Of the request.
            sender: The helper.
            silence: Seconds that it has asked in vain, if that is long enough to
                count; 0 otherwise.
            now: The time.
        """
        probe = self._open.get(seq)
        if probe is None or sender not in probe.helpers:
            return
        probe.nacks.add(sender)
        if silence > 0:
            probe.silent.add(sender)
        if len(probe.nacks) == len(probe.helpers) and self._is_vain(probe):
            self._give_up(probe, now=now)

    def _probe_of(self, node: NodeId) -> _Probe | None:
        return next((p for p in self._open.values() if p.target == node), None)

    def _close(self, probe: _Probe) -> None:
        del self._open[probe.seq]
        self.statistics["probes_failed"] += 1
        suspects, nacks = self._beliefs.suspicions, probe.nacks
        expected = sum(h in nacks or h not in suspects for h in probe.helpers)
        self._beliefs.health.probe_failed(helpers=expected, nacks=len(nacks))

    def _is_vain(self, probe: _Probe) -> bool:
        """Whether enough have asked in vain, and we are well enough to hear them."""
        if probe.needed is None or len(probe.silent) < probe.needed:
            return False
        return self._beliefs.health.score <= _WELL

    def _give_up(self, probe: _Probe, *, now: float) -> None:
        self.statistics["confirmations"] += 1
        self._close(probe)
        self._beliefs.give_up(probe.target, now=now)

    def _end(self, probe: _Probe, *, now: float) -> None:
        # Not all witnesses were heard, so it is not this one member that is gone.
        since = now - self._config.probe_period
        is_old = self._beliefs.suspicions.is_old(probe.target, since=since)
        if is_old and self._is_vain(probe):
            self._give_up(probe, now=now)
            return
        self._close(probe)
        self._reachabilities.unheard(probe.target, now=now)
        self._beliefs.doubt(probe.target, now=now)

    def _begin(self, node: NodeId | None, *, now: float) -> list[Letter]:
        member = None if node is None else self._beliefs.members.live_peer(node)
        if member is None or len(self._open) >= _OPEN_PROBES:
            return []
        if self._probe_of(member.id) is not None:
            return []
        return self._ping(member, now=now)

    def _ping(self, member: Member, *, now: float) -> list[Letter]:
        seq = self._next_seq()
        patience = (
            self._round_trips.timeout(member.id) * self._beliefs.health.multiplier
        )
        period = self._config.probe_period * self._beliefs.health.multiplier
        probe = _Probe(member.id, seq, now, now + patience, now + period)
        self._open[seq] = self._past[seq] = probe
        if len(self._past) > _REMEMBERED_PROBES:
            del self._past[next(iter(self._past))]
        self.statistics["probes"] += 1
        return [(self._beliefs.members.address_of(member), Ping(seq, member.id))]

    def _ask(self, probe: _Probe, *, now: float) -> list[Letter]:
        """Ping again, and ask the witnesses that have not answered."""
        members = self._beliefs.members
        target = members.live_peer(probe.target)
        if target is None:
            probe.ask_at = NEVER
            return []
        if not probe.helpers:
            probe.helpers, probe.needed = self._panel.choose(target, now=now)
            if probe.needed is not None:
                enough = _ENOUGH_TIME * self._config.stall_allowance
                probe.ends_at = max(probe.ends_at, now + enough)
        again = now + ASKED_AGAIN * self._config.stall_allowance
        probe.ask_at = NEVER if probe.needed is None else again
        address = members.address_of(target)
        request = PingRequest(probe.seq, target.id, address, probe.ends_at - now)
        letters: list[Letter] = [(address, Ping(probe.seq, target.id))]
        for helper in probe.helpers:
            member = members.live_peer(helper)
            if member is not None and helper not in probe.nacks:
                letters.append((members.address_of(member), request))
        return letters
