"""Two trees from every origin to all members, found by arithmetic on ranks.

All members sort the same list of ids. Counted from the origin, around the end of
the list, a member has a rank; the origin has rank 0. In the first tree the children
of rank r are the ranks arity*r + 1 to arity*r + arity. The second tree is the same
with all ranks but the origin's counted from the other end, so that the inner nodes
of one are leaves of the other.

Nothing is set up and nothing is stored: a member finds its children in O(arity), and
its own place by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from lashup.machine import NodeId


class Trees:
    """The two trees of one origin over one list of members.

    Args:
        order: The members' ids, sorted.
        origin: Where the trees start. A member that is not in the list stands in it
            where it would be, so that those who know it and those who do not have
            nearly the same trees.
        arity: Children of each node in each tree, at most.
    """

    def __init__(self, order: Sequence[NodeId], origin: NodeId, *, arity: int) -> None:
        start = bisect_left(order, origin)
        known = start < len(order) and order[start] == origin
        #: Ranks there are, the origin's included.
        self.size = len(order) + (not known)
        self._order = order
        self._origin = origin
        # Where rank 0 is, or would be if the origin were in the list.
        self._start = start if known else start - 1
        # With more than half of the others as children in each tree, the origin
        # would send to some by both, and they had no second path.
        self._fanout = max(1, min(arity, (self.size - 1) // 2))

    def children(self, node: NodeId) -> list[NodeId]:
        """The children of a node in both trees, each once; none if it is unknown."""
        rank = self.rank(node)
        if rank is None:
            return []
        mirrored = self._child_ranks(self._mirror(rank))
        ranks = [*self._child_ranks(rank), *map(self._mirror, mirrored)]
        # In both trees the same child of the same node: one copy will do.
        return [self._at(child) for child in dict.fromkeys(ranks)]

    def rank(self, node: NodeId) -> int | None:
        """A node's place counted from the origin; None if it is not in the list."""
        if node == self._origin:
            return 0
        index = bisect_left(self._order, node)
        if index == len(self._order) or self._order[index] != node:
            return None
        rank = index - self._start
        return rank if rank > 0 else rank + len(self._order)

    def hops(self) -> dict[NodeId, int]:
        """The distance of every node from the origin, by the shorter tree."""
        depths = [0] * self.size
        for rank in range(1, self.size):
            depths[rank] = depths[(rank - 1) // self._fanout] + 1
        return {self._at(r): min(depths[r], depths[-r]) for r in range(self.size)}

    def parent(self, node: NodeId) -> NodeId | None:
        """Who hands a node the message by the shorter tree; None for the origin."""
        rank = self.rank(node)
        if not rank:
            return None
        # A rank that is nearer to 0 is never deeper.
        if rank <= self._mirror(rank):
            return self._at((rank - 1) // self._fanout)
        return self._at(self._mirror((self._mirror(rank) - 1) // self._fanout))

    def _child_ranks(self, rank: int) -> range:
        first = self._fanout * rank + 1
        return range(min(first, self.size), min(first + self._fanout, self.size))

    def _mirror(self, rank: int) -> int:
        """The rank in the other tree."""
        return self.size - rank if rank else 0

    def _at(self, rank: int) -> NodeId:
        if rank == 0:
            return self._origin
        return self._order[(self._start + rank) % len(self._order)]
