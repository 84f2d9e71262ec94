"""The membership machine: bytes, calls and time in, effects out.

Theory of operation
-------------------
Once a period each node probes one other (probe.py), with the help of some more
(relay.py); who does not answer is suspected, and is down unless it refutes in time
(suspicion.py). What a node believes (beliefs.py) rides on every packet, goes out in
a burst when it is news, and is repeated until it was sent often enough
(piggyback.py, dissemination.py). Every ack carries the hash of the member table;
tables that differ are walked to where they do (reconciliation.py). A node that is
alone asks its seeds (joining.py); members that are down are tried again
(healing.py); a goodbye is repeated until some have heard it (leaving.py).

This file puts the parts together and has no state of its own. A part returns
letters; here they become payloads.

Source: Das, Gupta, Motivala, "SWIM", DSN 2002; Dadgar et al., "Lifeguard",
arXiv:1707.00788.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from random import Random

from lashup.machine import Address, NodeId
from lashup.membership.admission import Admission
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.events import (
    Effect,
    Failed,
    Left,
    LinkFault,
    Reaped,
    Returned,
    RiderHeard,
)
from lashup.membership.healing import Healing
from lashup.membership.joining import Joining
from lashup.membership.leaving import Leaving
from lashup.membership.link_faults import LinkFaults
from lashup.membership.member import Member
from lashup.membership.messages import (
    KIND_NAMES,
    UNKNOWN_KIND,
    Letter,
    Packet,
    packet_untrusted,
)
from lashup.membership.piggyback import Piggyback
from lashup.membership.probe import Prober
from lashup.membership.reachability import Reachabilities, Reachability
from lashup.membership.reception import Reception
from lashup.membership.reconciliation import Reconciliation
from lashup.membership.record import NodeRecord
from lashup.membership.relay import Relays
from lashup.membership.round_trip import RoundTrips
from lashup.membership.turns import Turns


class Swim:
    """One node's part in the membership protocol, and its view of the cluster.

    Args:
        record: What the node says of itself. Its epoch must be above that of every
            earlier start; where it is not, the machine raises it when it is told.
        config: Timing and limits, the same on all members.
        rng: All randomness.
        now: The time.
        remembered: Members of an earlier run, from the last `Remember`: tried until
            they answer or are heard of, for `reap_down_after` at most.
        wall_offset: Seconds since 1970 less the machine's clock: members whose wall
            clocks agree have a schedule in common.
    """

    def __init__(
        self,
        record: NodeRecord,
        config: MembershipConfig,
        *,
        rng: Random,
        now: float,
        remembered: Iterable[NodeRecord] = (),
        wall_offset: float = 0.0,
    ) -> None:
        numbers = count(rng.getrandbits(32))

        def next_seq() -> int:
            return next(numbers)

        beliefs = Beliefs(record, config, now=now, remembered=remembered)
        self._config = config
        self._beliefs = beliefs
        self._round_trips = RoundTrips(config)
        self._piggyback = Piggyback(beliefs, config, rng=rng)
        self._turns = Turns(beliefs, config, rng=rng)
        self._turns.schedule.wall_offset = wall_offset
        self._reachabilities = Reachabilities()
        self._link_faults = LinkFaults(beliefs, self._reachabilities, config, rng=rng)
        self._prober = Prober(
            beliefs,
            config,
            turns=self._turns,
            round_trips=self._round_trips,
            reachabilities=self._reachabilities,
            next_seq=next_seq,
            rng=rng,
            now=now,
        )
        self._relays = Relays(beliefs, config, next_seq=next_seq)
        self._joining = Joining(beliefs, config, next_seq=next_seq, rng=rng)
        self._healing = Healing(
            beliefs,
            config,
            joining=self._joining,
            next_seq=next_seq,
            rng=rng,
            now=now,
        )
        self._leaving = Leaving(beliefs, config, next_seq=next_seq, rng=rng)
        self._reconciliation = Reconciliation(beliefs, config)
        self._admission = Admission(beliefs, config, rng=rng)
        self._reception = Reception(
            beliefs,
            prober=self._prober,
            turns=self._turns,
            relays=self._relays,
            leaving=self._leaving,
            reconciliation=self._reconciliation,
            link_faults=self._link_faults,
            admission=self._admission,
            next_seq=next_seq,
        )
        self._stalls = 0
        self._evidence = 0

    @property
    def me(self) -> NodeRecord:
        """What this node says of itself now."""
        return self._beliefs.me

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody who is known, this node included, whether live or not."""
        return tuple(self._beliefs.members)

    @property
    def table_hash(self) -> int:
        """A hash of the live members' records: equal where views are equal."""
        return self._beliefs.members.summary.root

    @property
    def has_left(self) -> bool:
        """Whether the goodbye was heard by enough, or was waited for long enough."""
        return self._leaving.is_over

    @property
    def rider(self) -> bytes:
        """Opaque bytes of the node, up to 128, that ride on every ping and ack.

        Raises:
            LimitExceeded: On setting more. Nothing has changed.
        """
        return self._piggyback.rider

    @rider.setter
    def rider(self, rider: bytes) -> None:
        self._piggyback.rider = rider

    @property
    def wall_offset(self) -> float:
        """Seconds since 1970 less the machine's clock; the driver keeps it right."""
        return self._turns.schedule.wall_offset

    @wall_offset.setter
    def wall_offset(self, seconds: float) -> None:
        self._turns.schedule.wall_offset = seconds

    def alive(self) -> tuple[NodeId, ...]:
        """The ids of the live members, sorted: this node and suspects included."""
        return self._beliefs.members.live

    def member(self, node: NodeId) -> Member | None:
        """What is known of one node."""
        return self._beliefs.members.get(node)

    def address_of(self, node: NodeId) -> Address | None:
        """Where to send what is for a member; None if it is not known."""
        member = self._beliefs.members.get(node)
        return None if member is None else self._beliefs.members.address_of(member)

    def is_at(self, address: Address) -> bool:
        """Whether a live member says that it listens at an address."""
        there = self._beliefs.members.at_address(address)
        return any(member.liveness.is_live for member in there)

    def peer_at(self, address: Address) -> NodeId | None:
        """The other live member that is reached at an address; None if none is."""
        members = self._beliefs.members
        for member in members.at_address(address):
            peer = members.live_peer(member.id)
            if peer is not None and members.address_of(peer) == address:
                return peer.id
        return None

    def round_trip(self, node: NodeId) -> float | None:
        """The smoothed round trip to a member in seconds; None before the first."""
        return self._round_trips.mean(node)

    def reachability(self, node: NodeId) -> Reachability | None:
        """How this node reaches a member; None if it has not probed it yet."""
        found = self._reachabilities.of(node)
        if found is None:
            return None
        return replace(found, round_trip=self._round_trips.mean(node))

    def link_faults(self, *, now: float) -> tuple[LinkFault, ...]:
        """Who cannot hear whom, as far as this node was told."""
        return self._link_faults.faults(now=now)

    def statistics(self) -> dict[str, int | float]:
        """Counters since the start, and a few gauges, by name."""
        beliefs, members = self._beliefs, self._beliefs.members
        return {
            **self._piggyback.traffic.statistics(),
            **self._round_trips.statistics(),
            **self._prober.statistics,
            "walks": self._reconciliation.walks,
            "redirects": self._admission.redirects,
            "suspicions": beliefs.accusations,
            "refutations": beliefs.refutations,
            "stalls": self._stalls,
            "evidence": self._evidence,
            "local_health": beliefs.health.score,
            "updates_waiting": len(beliefs.updates),
            "members_known": len(members),
            "members_crowded_out": beliefs.crowded_out,
            "members_live": members.live_count,
            "members_suspect": len(beliefs.suspicions),
            "members_down": len(members.down),
            "members_reaped": len(members.reaped),
            "copies": len(beliefs.copies),
            "names_contested": len(members.names.contested),
        }

    def next_wakeup(self) -> float:
        """The time by which `tick` must be called. A late call is safe."""
        beliefs_at = self._beliefs.next_wakeup()
        gossip_at = self._piggyback.next_wakeup()
        if self._beliefs.is_leaving:
            return min(beliefs_at, gossip_at, self._leaving.next_wakeup())
        return min(
            beliefs_at,
            gossip_at,
            self._prober.next_wakeup(),
            self._relays.next_wakeup(),
            self._joining.next_wakeup(),
            self._healing.next_wakeup(),
            self._reconciliation.next_wakeup(),
            self._link_faults.next_wakeup(),
        )

    def tick(self, *, now: float) -> list[Effect]:
        """Do whatever has come due by `now`."""
        letters = self._notice_stall(now=now)
        effects: list[Effect] = [*self._beliefs.expire(now=now)]
        if self._beliefs.is_leaving:
            letters += self._leaving.tick(now=now)
        else:
            letters += self._prober.tick(now=now)
            letters += self._relays.tick(now=now)
            letters += self._joining.tick(now=now)
            letters += self._healing.tick(now=now)
            letters += self._reconciliation.tick(now=now)
            letters += self._link_faults.tick(now=now)
            effects += self._link_faults.news(now=now)
        return effects + self._settle(letters, now=now)

    def receive(self, payload: bytes, sender: Address, *, now: float) -> list[Effect]:
        """Take in one payload that came from `sender`.

        A kind of message that we do not know is counted and passed over.

        Raises:
            MalformedDatagram: Not a membership message. Nothing has changed.
        """
        traffic = self._piggyback.traffic
        packet = packet_untrusted(payload, known=self._reception.seen)
        if packet is None:
            traffic.received(UNKNOWN_KIND, len(payload))
            return []
        if packet.header.sender == self.me.id:
            return []  # Our own: a seed that is us by another address.
        letters = self._reception.walk_untrusted(packet, sender, now=now)
        # From here on nothing can fail.
        traffic.received(KIND_NAMES[type(packet.message)], len(payload))
        letters += self._notice_stall(now=now)
        letters += self._reception.hear(packet, sender, now=now)
        letters += self._reception.respond(packet, sender, now=now)
        effects = self._settle(letters, now=now)
        return effects + self._riders(packet, sender)

    def join(self, seeds: Iterable[Address], *, now: float) -> list[Effect]:
        """Ask these for the cluster, again and again while this node is alone.

        May be called at any time; the seeds replace those of an earlier call.

        Raises:
            NodeClosed: This node has said goodbye. Nobody is asked.
        """
        return self._settle(self._joining.join(seeds, now=now), now=now)

    def evidence(self, address: Address, *, now: float) -> list[Effect]:
        """Something says that nobody listens at an address any more.

        "Port unreachable", say, or the break of a tripwire. Evidence decides nothing:
        the member there is probed at once, and witnesses with it.
        """
        letters: list[Letter] = []
        self._evidence += 1
        for member in self._beliefs.members.at_address(address):
            if self._beliefs.members.live_peer(member.id) is None:
                continue
            if self._relays.works_on(member.id):
                letters += self._relays.refused(member.id, now=now)
            else:
                letters += self._prober.suspect_gone(member.id, now=now)
        return self._settle(letters, now=now)

    def tripwires(self) -> tuple[Member, ...]:
        """The members whose process this node should be connected to.

        The next ones in the order of the ids, so each member is watched by as many.
        """
        live = self._beliefs.members.live
        place = bisect_left(live, self.me.id)
        if self._beliefs.is_leaving or place == len(live) or live[place] != self.me.id:
            return ()
        count = min(self._config.tripwires, len(live) - 1)
        following = (live[(place + 1 + i) % len(live)] for i in range(count))
        watched = (self._beliefs.members.get(node) for node in following)
        return tuple(member for member in watched if member is not None)

    def leave(self, *, now: float) -> list[Effect]:
        """Say goodbye. Go on driving the machine until `has_left`."""
        return self._settle(self._leaving.begin(now=now), now=now)

    def set_tags(self, tags: Mapping[str, str], *, now: float) -> list[Effect]:
        """Replace the tags that this node says of itself.

        Raises:
            ConfigError: Other than strings by strings. Nothing has changed.
            LimitExceeded: More than 512 bytes packed. Nothing has changed.
            NodeClosed: This node has said goodbye. Nothing has changed.
        """
        self._beliefs.set_tags(tags, now=now)
        return self._settle([], now=now)

    def set_addresses(
        self, addresses: tuple[Address, ...], *, now: float
    ) -> list[Effect]:
        """Tell everybody that this node is reached elsewhere.

        Raises:
            UsageError: No address, or more than the limit. Nothing has changed.
            NodeClosed: This node has said goodbye. Nothing has changed.
        """
        self._beliefs.set_addresses(addresses, now=now)
        return self._settle([], now=now)

    def _notice_stall(self, *, now: float) -> list[Letter]:
        """If this node did not run when it should have, it blames nobody else."""
        late = now - self._prober.next_wakeup()
        allowed = self._config.stall * self._config.probe_period
        if late <= allowed or self._beliefs.is_leaving:
            return []
        self._stalls += 1
        self._beliefs.health.stalled(late / self._config.probe_period)
        self._beliefs.suspicions.postpone(late)
        self._relays.wake()
        return self._prober.wake(now=now)

    def _settle(self, letters: Iterable[Letter], *, now: float) -> list[Effect]:
        """Turn what the parts have done into effects."""
        effects: list[Effect] = []
        for node in self._beliefs.take_arrivals():
            self._turns.add(node)
        for event in self._beliefs.take_events():
            match event:
                case Failed(member):
                    self._reachabilities.failed(member.id, now=now)
                case Returned(member):
                    self._reachabilities.returned(member.id)
                case Left(member):
                    self._reachabilities.forget(member.id)
                case Reaped(member):
                    self._round_trips.forget(member.id)
                    self._reachabilities.forget(member.id)
                case _:
                    pass
            effects.append(event)
        effects += [self._piggyback.load(to, message) for to, message in letters]
        effects += self._piggyback.gossip(now=now)
        return effects

    def _riders(self, packet: Packet, sender: Address) -> list[RiderHeard]:
        node, rider = packet.header.sender, packet.header.rider
        if not rider or self._beliefs.members.live_peer(node) is None:
            return []
        return [RiderHeard(node, sender, rider)]
