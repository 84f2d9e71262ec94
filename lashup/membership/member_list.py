"""The members this node knows, and the hash by which two nodes compare them.

The hash covers the live members and their records. Suspicion is not in it, for it
is an opinion that passes. Members that are down or have left are not in it either,
so that forgetting them one by one makes no two tables differ.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from random import Random

from lashup.machine import Address, NodeId
from lashup.membership.member import Belief, Liveness, Member
from lashup.membership.names import Names
from lashup.membership.record import NodeRecord
from lashup.reconcile import Summary, keyed_hash
from lashup.wire.readers import NODE_ID_SIZE


class MemberList:
    """All members, this node included, and those that were reaped.

    Reading is O(1) or amortised so: the sorted order of the live ones and the
    hash are kept up to date as members change.

    Args:
        me: The node's own record: its id is never a peer, and its addresses, as of
            now, show which families it can send to.
        hash_key: Keys the hash; the same on all members.
        reaped_limit: Lives that are remembered to be over, at most.
    """

    def __init__(self, me: NodeRecord, *, hash_key: bytes, reaped_limit: int) -> None:
        self.summary = Summary(key_size=NODE_ID_SIZE, hash_key=hash_key)
        #: Those that were forgotten as they were last seen, the longest ago first.
        self.reaped: dict[NodeId, Member] = {}
        #: Those that are down, in the order in which they became so.
        self.down: dict[NodeId, None] = {}
        #: The names of those that are live.
        self.names = Names()
        self._me = me.id
        self._families = _families_of(me)
        self._hash_key = hash_key
        self._reaped_limit = reaped_limit
        self._members: dict[NodeId, Member] = {}
        self._live: list[NodeId] = []
        self._alive_count = 0
        self._live_view: tuple[NodeId, ...] | None = None
        self._at: dict[Address, list[NodeId]] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def get(self, node: NodeId) -> Member | None:
        """What we know of a node."""
        return self._members.get(node)

    @property
    def troubled(self) -> bool:
        """Whether any member is not simply alive."""
        return self._alive_count != len(self._members)

    @property
    def live_count(self) -> int:
        """How many are alive or suspect, this node included."""
        return len(self._live)

    @property
    def live(self) -> tuple[NodeId, ...]:
        """Those that are alive or suspect, sorted."""
        if self._live_view is None:
            self._live_view = tuple(self._live)
        return self._live_view

    def live_peer(self, node: NodeId) -> Member | None:
        """A member other than this node that is alive or suspect."""
        member = self._members.get(node)
        if member is None or node == self._me or not member.liveness.is_live:
            return None
        return member

    def put(self, member: Member) -> None:
        """Replace what is known of a node."""
        node, known = member.id, self._members.get(member.id)
        self._members[node] = member
        self._alive_count += member.liveness is Liveness.ALIVE
        if known is not None:
            self._alive_count -= known.liveness is Liveness.ALIVE
        if known is None:
            self._index(member)
        elif known.addresses != member.addresses:
            self._unindex(known)
            self._index(member)
            if node == self._me:
                self._families = _families_of(member.record)
        self.names.change(known, member)
        self.reaped.pop(node, None)
        if member.liveness.is_live:
            if known is None or not known.liveness.is_live:
                insort(self._live, node)
                self._live_view = None
            if self._differs(known, member):
                record_hash = keyed_hash(self._hash_key, member.record.encoded)
                self.summary.put(node, record_hash)
        elif known is not None and known.liveness.is_live:
            del self._live[bisect_left(self._live, node)]
            self._live_view = None
            self.summary.discard(node)
        if member.liveness is Liveness.DOWN:
            self.down[node] = None
        else:
            self.down.pop(node, None)

    def reap(self, node: NodeId) -> Member:
        """Forget a member that is down or has left, but not that its life is over.

        Of more than the limit, those that were reaped longest ago are forgotten
        altogether.
        """
        member = self._members.pop(node)
        self._alive_count -= member.liveness is Liveness.ALIVE
        self._unindex(member)
        self.names.change(member, None)
        self.down.pop(node, None)
        self.reaped[node] = member
        if len(self.reaped) > self._reaped_limit:
            del self.reaped[next(iter(self.reaped))]
        return member

    def is_reaped(self, belief: Belief) -> bool:
        """Whether a belief is about a life that was forgotten, or an earlier one."""
        reaped = self.reaped.get(belief.record.id)
        return reaped is not None and belief.record.epoch <= reaped.epoch

    def address_of(self, member: Member) -> Address:
        """Where to send what is for a member: its first address of a family of ours."""
        for address in member.addresses:
            if _is_v6(address) in self._families:
                return address
        return member.addresses[0]

    def at_address(self, address: Address) -> list[Member]:
        """The members that say they listen there, in order of their ids."""
        return [self._members[node] for node in self._at.get(address, ())]

    def sample(
        self, count: int, *, without: frozenset[NodeId], rng: Random
    ) -> list[Member]:
        """Some live peers at random, fewer if there are not as many.

        Costs in proportion to `count` where the cluster is large, not to its size.
        """
        excluded = without | {self._me}
        if len(self._live) <= 4 * (count + len(excluded)):
            peers = [node for node in self._live if node not in excluded]
            return [self._members[n] for n in rng.sample(peers, min(count, len(peers)))]
        chosen: dict[NodeId, Member] = {}
        while len(chosen) < count:
            node = self._live[rng.randrange(len(self._live))]
            if node not in excluded:
                chosen[node] = self._members[node]
        return list(chosen.values())

    def _differs(self, known: Member | None, member: Member) -> bool:
        if known is None or not known.liveness.is_live:
            return True
        return known.record != member.record

    def _index(self, member: Member) -> None:
        # Nearly always the only one; sorted, so that the order shows no history.
        for address in dict.fromkeys(member.addresses):
            insort(self._at.setdefault(address, []), member.id)

    def _unindex(self, member: Member) -> None:
        for address in dict.fromkeys(member.addresses):
            there = self._at[address]
            del there[bisect_left(there, member.id)]
            if not there:
                del self._at[address]


def _families_of(record: NodeRecord) -> set[bool]:
    return {_is_v6(address) for address in record.addresses}


def _is_v6(address: Address) -> bool:
    return ":" in address[0]
