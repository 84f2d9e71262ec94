"""Making two member tables equal: walk to where they differ, exchange beliefs there.

Theory of operation
-------------------
Every ack brings the hash of the sender's table. Where it is not ours, and gossip
that is on its way does not explain it, we walk that member's table (reconcile.py)
to the ids that differ. For these we tell it what we believe and ask what it
believes, some dozens at a time.

What comes is merged like gossip, with one difference: DOWN becomes SUSPECT, by
the member that says so. It may have been DOWN there for an hour of partition; the
member in question is asked before it is given up here.

Walks that change nothing are followed by longer and longer rests: tables may differ
for as long as a suspicion lasts, and no walk mends that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from lashup.machine import NEVER, Address, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.member import Belief, Liveness
from lashup.membership.messages import (
    Answer,
    Ask,
    Letter,
    Obituary,
    Want,
)
from lashup.membership.messages import Beliefs as Told
from lashup.reconcile import Walk

#: Ids that are being exchanged at a time. Their beliefs are some 15 datagrams.
WINDOW = 128

#: How often ids are asked for before they are dropped, when no answer comes at all.
_ATTEMPTS = 6

#: Bytes of one id in a list of them.
_ID_SIZE = 18

#: A peer that says nothing for so many times the retry is given up on.
_SILENCE = 8

#: How often in a row a walk is taken elsewhere before it insists.
_REDIRECTS = 3

#: Bytes of a payload that are not the body: header and framing, without a rider.
_HEADER = 100


@dataclass(slots=True)
class _Visit:
    """The walk of one member's table, and what it has shown."""

    peer: NodeId
    address: Address
    walk: Walk
    news_before: int
    live_before: int
    differing: int = 0
    waiting: deque[NodeId] = field(default_factory=deque)
    asked: dict[NodeId, None] = field(default_factory=dict)
    exchange_at: float = NEVER
    repeat_at: float = NEVER
    attempts: int = 0
    heard_at: float = 0.0


class Reconciliation:
    """This node's walks over the tables of others; one at a time.

    Args:
        beliefs: Compared, and read for what to tell.
        config: Timing.
    """

    def __init__(self, beliefs: Beliefs, config: MembershipConfig) -> None:
        #: Walks begun so far.
        self.walks = 0
        self._beliefs = beliefs
        self._config = config
        self._visit: _Visit | None = None
        self._waiting_since = NEVER
        self._peer: tuple[NodeId, Address] | None = None
        self._peer_hash = 0
        self._start_at = NEVER
        self._rest = 0.0
        self._rest_until = -NEVER
        self._news_at_rest = 0
        self._has_walked = False
        #: Members that were down and have spoken to us since the last walk.
        self._back: set[NodeId] = set()
        #: How often we were sent on to others since our table was last equal to one.
        self._redirects = 0

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        visit = self._visit
        if visit is None:
            return self._start_at
        return min(visit.walk.next_wakeup(), visit.exchange_at, visit.repeat_at)

    def came_back(self, peer: NodeId) -> None:
        """A member was down, and is not: its next ack is not left to gossip."""
        self._back.add(peer)

    def compare(
        self, table_hash: int, *, peer: NodeId, address: Address, now: float
    ) -> list[Letter]:
        """A live member's ack says what its table hashes to."""
        if table_hash == self._beliefs.members.summary.root:
            self._waiting_since = self._start_at = NEVER
            self._rest = 0.0
            self._back.discard(peer)
            self._redirects = 0
            return []
        if self._visit is not None:
            return []
        if self._beliefs.news != self._news_at_rest:
            self._rest_until = now
        self._waiting_since = min(self._waiting_since, now)
        self._peer = (peer, address)
        self._peer_hash = table_hash
        self._start_at = max(now, self._rest_until)
        if self._has_walked and peer not in self._back:
            # Where gossip is on its way it is left to it, but not for ever.
            quiet_at = self._beliefs.news_at + self._config.reconcile_delay
            patience = self._waiting_since + self._config.probe_period
            self._start_at = max(self._start_at, min(quiet_at, patience))
        return self.tick(now=now)

    def tick(self, *, now: float) -> list[Letter]:
        """Begin a walk, repeat what was not answered, or give up."""
        if self._visit is None and self._start_at <= now and self._peer is not None:
            self._start_at = NEVER
            if self._peer_hash != self._beliefs.members.summary.root:
                self._begin(*self._peer, now=now)
        visit = self._visit
        if visit is None:
            return []
        letters: list[Letter] = []
        if now > visit.heard_at + _SILENCE * self._config.reconcile_retry:
            self._end(visit, now=now)
            return []
        if visit.walk.next_wakeup() <= now:
            letters += self._asks(visit, now=now)
        if visit.exchange_at <= now:
            letters += self._exchange_more(visit, now=now)
        if visit.repeat_at <= now:
            letters += self._exchange_again(visit, now=now)
        self._end_if_over(now=now)
        return letters

    def answered_untrusted(
        self, answer: Answer, *, peer: NodeId, now: float
    ) -> list[Letter]:
        """An answer came in: go on with the walk, if it is one of this peer's table.

        Raises:
            MalformedDatagram: Not an answer. Nothing has changed.
        """
        visit = self._visit
        if visit is None or visit.peer != peer:
            return []
        keys = visit.walk.receive_untrusted(answer.body, now=now)
        visit.heard_at = now
        visit.waiting.extend(NodeId(key) for key in sorted(keys))
        visit.differing += len(keys)
        letters = self._asks(visit, now=now)
        if visit.walk.done or len(visit.waiting) >= WINDOW // 4:
            letters += self._exchange_more(visit, now=now)
        elif visit.waiting:
            # More answers are on their way; ids that come one by one travel together.
            soon = now + self._config.gossip_spacing
            visit.exchange_at = min(visit.exchange_at, soon)
        self._end_if_over(now=now)
        return letters

    def redirected(
        self, nodes: Sequence[NodeId], *, peer: NodeId, now: float
    ) -> list[Letter]:
        """The peer has no time for our walk: go on with another member.

        After some of this the questions are repeated until they are answered.
        """
        visit, members = self._visit, self._beliefs.members
        if visit is None or visit.peer != peer or self._redirects >= _REDIRECTS:
            return []
        for node in nodes:
            other = members.live_peer(node)
            if other is not None and node != peer:
                self._redirects += 1
                self._begin(node, members.address_of(other), now=now)
                return self.tick(now=now)
        return []

    def told(self, node: NodeId, *, now: float) -> list[Letter]:
        """A belief about a node was told to us: one less to ask for."""
        visit = self._visit
        if visit is None or node not in visit.asked:
            return []
        del visit.asked[node]
        visit.heard_at = now
        visit.attempts = 0
        visit.repeat_at = now + self._config.reconcile_retry
        letters: list[Letter] = []
        if len(visit.asked) <= WINDOW // 2:
            letters = self._exchange_more(visit, now=now)
        self._end_if_over(now=now)
        return letters

    def brings_old_news(self, node: NodeId) -> bool:
        """Whether what a walk brings is news to us alone, and not worth gossip.

        So it is for a newcomer, to which nearly everything is new.
        """
        visit = self._visit
        if visit is None or node not in visit.asked:
            return False
        return visit.live_before * 4 <= visit.differing

    def tell(self, nodes: Sequence[NodeId], to: Address) -> list[Letter]:
        """What we believe of some nodes; of unknown ones nothing."""
        letters: list[Letter] = []
        lot: list[Belief] = []
        room = budget = self._config.max_payload - _HEADER
        for node in nodes:
            belief = self._beliefs.held(node)
            if belief is None:
                reaped = self._beliefs.members.reaped.get(node)
                if reaped is not None:
                    letters.append((to, Obituary(node, reaped.epoch)))
                continue
            size = len(belief.encode()) + 3
            if lot and size > room:
                letters.append((to, Told(tuple(lot))))
                lot, room = [], budget
            lot.append(belief)
            room -= size
        if lot:
            letters.append((to, Told(tuple(lot))))
        return letters

    def softened(self, belief: Belief, *, teller: NodeId) -> Belief | None:
        """How a belief that was told, and is not gossip, is to be heard.

        None if not at all: that somebody whom we do not know is down is of no use.
        """
        if belief.liveness is not Liveness.DOWN:
            return belief
        if self._beliefs.members.get(belief.record.id) is None:
            return None
        return Belief(belief.record, Liveness.SUSPECT, teller)

    def _begin(self, peer: NodeId, address: Address, *, now: float) -> None:
        members = self._beliefs.members
        retry = self._config.reconcile_retry
        self.walks += 1
        walk = Walk(members.summary, number=self.walks, now=now, retry_after=retry)
        self._visit = _Visit(
            peer,
            address,
            walk,
            news_before=self._beliefs.news,
            live_before=members.live_count,
            heard_at=now,
        )
        self._waiting_since = NEVER
        self._has_walked = True
        self._back.clear()

    def _asks(self, visit: _Visit, *, now: float) -> list[Letter]:
        return [(visit.address, Ask(body)) for body in visit.walk.asks(now=now)]

    def _exchange_more(self, visit: _Visit, *, now: float) -> list[Letter]:
        """Fill the window with ids that wait."""
        visit.exchange_at = NEVER
        fresh: list[NodeId] = []
        while visit.waiting and len(visit.asked) < WINDOW:
            fresh.append(visit.waiting.popleft())
            visit.asked[fresh[-1]] = None
        if not visit.asked:
            visit.repeat_at = NEVER
        elif visit.repeat_at == NEVER:
            visit.repeat_at = now + self._config.reconcile_retry
        return self._exchange(fresh, visit.address)

    def _exchange_again(self, visit: _Visit, *, now: float) -> list[Letter]:
        """Nothing came for a while: repeat all that is open, or drop it."""
        visit.attempts += 1
        visit.repeat_at = now + self._config.reconcile_retry * min(
            visit.attempts + 1, 2
        )
        if visit.attempts < _ATTEMPTS:
            return self._exchange(tuple(visit.asked), visit.address)
        visit.asked.clear()
        return self._exchange_more(visit, now=now)

    def _exchange(self, nodes: Sequence[NodeId], to: Address) -> list[Letter]:
        # Ours go first, so that what is asked for is the outcome of both.
        letters = self.tell(nodes, to)
        lot = (self._config.max_payload - _HEADER) // _ID_SIZE
        for at in range(0, len(nodes), lot):
            letters.append((to, Want(tuple(nodes[at : at + lot]))))
        return letters

    def _end_if_over(self, *, now: float) -> None:
        visit = self._visit
        if visit is None or visit.asked or visit.waiting:
            return
        if visit.walk.done or visit.walk.failed:
            self._end(visit, now=now)

    def _end(self, visit: _Visit, *, now: float) -> None:
        self._visit = None
        if self._beliefs.news == visit.news_before:
            doubled = max(self._config.probe_period, 2 * self._rest)
            self._rest = min(doubled, self._config.reconcile_rest)
        else:
            self._rest = 0.0
        self._rest_until = now + self._rest
        self._news_at_rest = self._beliefs.news
