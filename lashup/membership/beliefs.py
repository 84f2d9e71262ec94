"""Everything a node believes about the cluster, and how a belief changes.

Theory of operation
-------------------
A belief about a member takes effect when it is greater than the one that is held
(member.py has the order). It then goes into the member list, onto the queue of
updates that ride on packets, and out as an event. Suspects have a clock; when it
runs out, the belief DOWN takes effect like any other.

About itself a node believes nothing but its own word: whatever is said of it that
its own word does not outdo, it outdoes, by a later incarnation, or by a later
epoch where somebody knows a later life of it.

What has been reaped is held against: a belief about that life or an earlier one is
refused, whoever says so. The node itself, told of it, begins a new epoch.

This is the only file that changes what is believed. It sends nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lashup.errors import NodeClosed
from lashup.machine import NEVER, Address, NodeId
from lashup.membership.address_book import AddressBook
from lashup.membership.announcement import events_of
from lashup.membership.config import MembershipConfig
from lashup.membership.deadlines import Deadlines
from lashup.membership.dissemination import Dissemination
from lashup.membership.events import Changed, Conflict, MemberEvent, Reaped, Remember
from lashup.membership.health import LocalHealth
from lashup.membership.member import Belief, Liveness, Member
from lashup.membership.member_list import MemberList
from lashup.membership.record import COUNTER_LIMIT, OUTDO_LIMIT, NodeRecord, check_tags
from lashup.membership.suspicion import Suspicions, ladder

#: Places of copies of this node that are told, at most.
_COPIES = 8


class Reaction(enum.Enum):
    """What hearing a belief came to."""

    #: It was held already, or something greater is.
    NOTHING = enum.auto()
    #: It took effect.
    NEWS = enum.auto()
    #: It was about this node, and this node has outdone it.
    REFUTED = enum.auto()
    #: It is about a life that was reaped.
    REFUSED = enum.auto()


class Beliefs:
    """The beliefs of one node.

    Args:
        record: What the node says of itself.
        config: Timing and limits.
        now: The time.
        remembered: Members of an earlier start.
    """

    def __init__(
        self,
        record: NodeRecord,
        config: MembershipConfig,
        *,
        now: float,
        remembered: Iterable[NodeRecord] = (),
    ) -> None:
        self.me = record
        self.members = MemberList(
            record, hash_key=config.hash_key, reaped_limit=config.reaped_limit
        )
        self.suspicions = Suspicions()
        self.updates = Dissemination()
        self.health = LocalHealth(limit=config.health_limit)
        #: Whether this node has said goodbye.
        self.is_leaving = False
        #: When the table last changed, and how many beliefs have taken effect.
        self.news_at = now
        self.news = 0
        #: Of these, those that all should know at once: that a member is down, or
        #: says something else of itself.
        self.urgent = 0
        self.refutations = 0
        self.accusations = 0
        #: Members that this node gave up on the word of witnesses.
        self.confirmed = 0
        #: Beliefs about unknown members for which there was no room.
        self.crowded_out = 0
        #: Where copies of this node were heard of: each is told once.
        self.copies: set[tuple[Address, ...]] = set()
        self._config = config
        self._arrivals: list[NodeId] = []
        self._events: list[MemberEvent] = []
        self._reaping: Deadlines[NodeId] = Deadlines()
        self._address_book = AddressBook(
            self.members,
            me=record.id,
            period=config.remember_period,
            remembered=remembered,
            forget_at=now + config.reap_down_after,
        )
        self._outbid_at = -NEVER
        self._utter_own(record, Liveness.ALIVE, now=now)

    @property
    def unmet(self) -> list[NodeRecord]:
        """Members of an earlier start of which this one has not heard at all."""
        return self._address_book.unmet

    def next_wakeup(self) -> float:
        """When `expire` has something to do."""
        return min(
            self.suspicions.next_wakeup(),
            self._reaping.next_at(),
            self._address_book.next_wakeup(),
        )

    def take_events(self) -> list[MemberEvent]:
        """What has changed since the last call."""
        events, self._events = self._events, []
        return events

    def take_arrivals(self) -> list[NodeId]:
        """The members that have become live since the last call."""
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def believe(self, belief: Belief, *, now: float) -> Reaction:
        """Hear one belief; it takes effect if it is greater than the one held."""
        if belief.record.id == self.me.id:
            return self._hear_of_myself(belief, now=now)
        if self.members.is_reaped(belief):
            return Reaction.REFUSED
        known = self.members.get(belief.record.id)
        if known is None and not self._has_room(now=now):
            self.crowded_out += 1
            return Reaction.NOTHING
        if known is None or belief.precedence > known.precedence:
            self._adopt(belief, known, now=now)
            return Reaction.NEWS
        if belief.precedence == known.precedence:
            self._confirm(belief)
        return Reaction.NOTHING

    def doubt(self, node: NodeId, *, now: float) -> None:
        """This node has probed a member in vain; a member that is not live is kept."""
        member = self.members.live_peer(node)
        if member is not None:
            self.accusations += 1
            accusation = Belief(member.record, Liveness.SUSPECT, self.me.id)
            self.believe(accusation, now=now)

    def repeat_accusations(self) -> None:
        """Say again whom this node suspects.

        Whoever hears us may be one of a few: an update that is dropped after so many
        packets may have reached nobody, and the suspect could not refute.
        """
        for node in self.suspicions.accused_by(self.me.id):
            belief = self.held(node)
            if belief is not None:
                self.updates.put(node, belief.encode())

    def give_up(self, node: NodeId, *, now: float) -> None:
        """Enough members have asked for a member in vain: it is down."""
        member = self.members.live_peer(node)
        if member is not None:
            self.confirmed += 1
            self.believe(Belief(member.record, Liveness.DOWN, self.me.id), now=now)

    def held(self, node: NodeId) -> Belief | None:
        """What this node would tell another about a member."""
        member = self.members.get(node)
        if member is None:
            return None
        if member.liveness in (Liveness.SUSPECT, Liveness.DOWN):
            return Belief(member.record, member.liveness, self.me.id)
        return Belief(member.record, member.liveness)

    def namesakes_at(self, node: NodeId, address: Address) -> list[Member]:
        """Other identities of a live member's name that say they are at an address."""
        newcomer = self.members.live_peer(node)
        if newcomer is None:
            return []
        return [
            other
            for other in self.members.at_address(address)
            if other.id not in (node, self.me.id)
            and other.name == newcomer.name
            and other.liveness is not Liveness.LEFT
        ]

    def met(self, node: NodeId, address: Address, *, now: float) -> None:
        """A member was met at this address: no earlier holder of its name is there."""
        for other in self.namesakes_at(node, address):
            self.believe(Belief(other.record, Liveness.LEFT), now=now)

    def set_tags(self, tags: Mapping[str, str], *, now: float) -> None:
        """Say something else of this node.

        Raises:
            ConfigError: Other than strings by strings. Nothing has changed.
            LimitExceeded: More than the tags' limit. Nothing has changed.
            NodeClosed: This node has said goodbye. Nothing has changed.
        """
        check_tags(tags)
        self._change_own(replace(self.me, tags=tags), now=now)

    def set_addresses(self, addresses: tuple[Address, ...], *, now: float) -> None:
        """This node is reached elsewhere.

        Raises:
            UsageError: No address, or more than the limit. Nothing has changed.
            NodeClosed: This node has said goodbye. Nothing has changed.
        """
        self._change_own(replace(self.me, addresses=addresses), now=now)

    def leave(self, *, now: float) -> None:
        """Say goodbye."""
        self.is_leaving = True
        self._utter_own(self.me, Liveness.LEFT, now=now)

    def hear_obituary(self, epoch: int, *, now: float) -> Reaction:
        """Somebody has reaped this node's life: begin a new one."""
        if epoch < self.me.epoch or epoch + 1 >= OUTDO_LIMIT or self.is_leaving:
            return Reaction.NOTHING
        self._outdo(epoch + 1, 0, now=now)
        return Reaction.REFUTED

    def expire(self, *, now: float) -> list[Remember]:
        """Give up suspects and forget members whose time is over."""
        for node in self.suspicions.take_expired(now=now):
            member = self.members.get(node)
            if member is not None:
                down = Belief(member.record, Liveness.DOWN, self.me.id)
                self.believe(down, now=now)
        for node in self._reaping.take_due(now):
            self._reap(node, now=now)
        return self._address_book.take(now=now)

    def _adopt(self, belief: Belief, known: Member | None, *, now: float) -> None:
        liveness, record = belief.liveness, belief.record
        since = now
        if known is not None and known.liveness is liveness:
            since = known.since
        member = Member(record, liveness, since)
        self.members.put(member)
        self.updates.put(member.id, belief.encode())
        self.news += 1
        self.news_at = now
        if known is not None and known.liveness.is_live:
            says_else = (known.tags, known.addresses) != (record.tags, record.addresses)
            self.urgent += liveness is Liveness.DOWN or says_else
        self._time_out(belief, known, now=now)
        self._events += events_of(member, known=known)
        if known is None or known.addresses != record.addresses:
            self._address_book.changed(now=now)
        if liveness.is_live:
            self._address_book.met(member.id)
            if known is None or not known.liveness.is_live:
                self._arrivals.append(member.id)
            if known is None or known.epoch != member.epoch:
                self._claim_name(member, now=now)

    def _has_room(self, *, now: float) -> bool:
        """Whether one member more can be known; one that is down may have to go."""
        if len(self.members) < self._config.members_limit:
            return True
        longest_down = next(iter(self.members.down), None)
        if longest_down is None:
            return False
        self._reaping.discard(longest_down)
        self._reap(longest_down, now=now)
        return True

    def _reap(self, node: NodeId, *, now: float) -> None:
        self.updates.discard(node)
        self._events.append(Reaped(self.members.reap(node)))
        self._address_book.changed(now=now)

    def _confirm(self, belief: Belief) -> None:
        """Somebody else says the same: of a suspicion, that is worth gossip."""
        node, accuser = belief.record.id, belief.accuser
        if accuser is not None and self.suspicions.confirm(node, accuser):
            self.updates.put(node, belief.encode())

    def _time_out(self, belief: Belief, known: Member | None, *, now: float) -> None:
        """Start and stop the clocks that go with a belief."""
        node, config = belief.record.id, self._config
        self._reaping.discard(node)
        is_new_life = known is not None and known.epoch != belief.record.epoch
        if belief.liveness is Liveness.ALIVE and not is_new_life:
            self.suspicions.refute(node, now=now)
        elif belief.liveness is not Liveness.SUSPECT:
            self.suspicions.end(node)
        elif belief.accuser is not None:
            rungs = ladder(self.members.live_count, config=config)
            self.suspicions.start(node, belief.accuser, ladder=rungs, now=now)
        if belief.liveness is Liveness.DOWN:
            self._reaping.set(node, now + config.reap_down_after)
        elif belief.liveness is Liveness.LEFT:
            self._reaping.set(node, now + config.reap_left_after)
            if known is not None and known.liveness is not Liveness.LEFT:
                self._address_book.changed(now=now)

    def _claim_name(self, member: Member, *, now: float) -> None:
        """A new life of a member: does it replace, or contest, another of its name?

        Where many contest one, each is told of with the one that keeps it: pairs of
        all would be more than anybody could read, or this node could hold.
        """
        names = self.members.names
        for node in names.earlier(member):
            other = self.members.get(node)
            if other is None or node == self.me.id:
                continue
            if set(other.addresses) & set(member.addresses):
                self.believe(Belief(other.record, Liveness.LEFT), now=now)
        rival = self.members.get(names.rival(member) or member.id)
        if rival is not None and rival.id != member.id:
            loser, keeper = sorted((member, rival), key=lambda m: (m.epoch, m.id))
            self._events.append(Conflict(loser, keeper))

    def _hear_of_myself(self, belief: Belief, *, now: float) -> Reaction:
        said = belief.record
        mine = (self.me.epoch, self.me.incarnation)
        if self.is_leaving or (said.epoch, said.incarnation) < mine:
            return Reaction.NOTHING
        if belief.liveness is Liveness.ALIVE:
            # Our own word, a later life than we remember, or a copy of us that runs
            # elsewhere. Two copies would outbid each other as fast as they can.
            if said == self.me or now < self._outbid_at + self._config.probe_period:
                return Reaction.NOTHING
            if self._outbid_at > -NEVER:
                self._notice_copy(said, now=now)
            self._outbid_at = now
        else:
            self.health.refuted()
            self.refutations += 1
        if said.epoch + 1 >= OUTDO_LIMIT or said.incarnation + 1 >= COUNTER_LIMIT:
            return Reaction.NOTHING
        if said.epoch == self.me.epoch:
            self._outdo(said.epoch, said.incarnation + 1, now=now)
        else:
            self._outdo(said.epoch + 1, 0, now=now)
        return Reaction.REFUTED

    def _notice_copy(self, said: NodeRecord, *, now: float) -> None:
        """Our last word was outdone, and not by us: a copy of us lives elsewhere.

        The first time it may have been the word of a life of ours that we forgot.
        """
        is_told = said.addresses in self.copies or len(self.copies) >= _COPIES
        if said.addresses == self.me.addresses or is_told:
            return
        self.copies.add(said.addresses)
        self._events.append(Conflict(Member(said, Liveness.ALIVE, now), self._own()))

    def _outdo(self, epoch: int, incarnation: int, *, now: float) -> None:
        is_new_life = epoch != self.me.epoch
        record = replace(self.me, epoch=epoch, incarnation=incarnation)
        self._utter_own(record, Liveness.ALIVE, now=now)
        if is_new_life:
            self._events.append(Changed(self._own()))

    def _change_own(self, record: NodeRecord, *, now: float) -> None:
        if self.is_leaving:
            raise NodeClosed("a node that leaves has nothing more to say of itself")
        incarnation = self.me.incarnation + 1
        record = replace(record, incarnation=incarnation)
        self._utter_own(record, Liveness.ALIVE, now=now)
        self.urgent += 1
        self._events.append(Changed(self._own()))

    def _utter_own(self, record: NodeRecord, liveness: Liveness, *, now: float) -> None:
        self.me = record
        known = self.members.get(record.id)
        since = now if known is None or known.liveness != liveness else known.since
        self.members.put(Member(record, liveness, since))
        self.updates.put(record.id, Belief(record, liveness).encode())
        self.news += 1
        self.news_at = now

    def _own(self) -> Member:
        own = self.members.get(self.me.id)
        assert own is not None  # noqa: S101  # put there when we were made
        return own
