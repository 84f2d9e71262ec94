"""How this node reaches each member: by itself, through others, or not at all."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lashup.machine import NodeId

#: Probes in a row that only helpers could answer for: one may be a lost packet.
_IN_A_ROW = 3


class Reach(enum.Enum):
    """How a member answers this node."""

    DIRECT = "direct"
    #: Others hear it, and we do not: the link is at fault, not the member.
    INDIRECT = "indirect only"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Reachability:
    """How a member was reached when it was last probed, by us or by witnesses.

    Attributes:
        reach: How.
        since: Since when it is so, on the machine's clock.
        round_trip: Smoothed, in seconds; None where the member never answered us.
    """

    reach: Reach
    since: float
    round_trip: float | None = None


class Reachabilities:
    """What the probes of this node have shown, by member."""

    def __init__(self) -> None:
        #: Members that others hear and we do not: the faults of our links.
        self.indirect: frozenset[NodeId] = frozenset()
        self._known: dict[NodeId, Reachability] = {}
        self._in_a_row: dict[NodeId, int] = {}

    def of(self, node: NodeId) -> Reachability | None:
        """How a member is reached; None if it was never probed."""
        return self._known.get(node)

    def heard(self, node: NodeId, *, now: float) -> None:
        """The member itself has answered."""
        self._in_a_row.pop(node, None)
        self._set(node, Reach.DIRECT, now=now)

    def heard_through_others(self, node: NodeId, *, now: float) -> bool:
        """Only a helper has heard it. Returns whether to look again soon."""
        times = self._in_a_row.get(node, 0) + 1
        self._in_a_row[node] = times
        if times >= _IN_A_ROW:
            self._set(node, Reach.INDIRECT, now=now)
        return times < _IN_A_ROW

    def unheard(self, node: NodeId, *, now: float) -> None:
        """Nobody has heard it."""
        self._set(node, Reach.UNREACHABLE, now=now)

    def failed(self, node: NodeId, *, now: float) -> None:
        """Others have found that nobody hears it; this node need not have asked."""
        self._in_a_row.pop(node, None)
        self._set(node, Reach.UNREACHABLE, now=now)

    def returned(self, node: NodeId) -> None:
        """It is there again. Unless it answered us already, nothing is known of it."""
        known = self._known.get(node)
        if known is not None and known.reach is Reach.UNREACHABLE:
            del self._known[node]

    def forget(self, node: NodeId) -> None:
        """The member is gone for good; one that was never probed is no error."""
        self._in_a_row.pop(node, None)
        if self._known.pop(node, None) is not None:
            self.indirect -= {node}

    def _set(self, node: NodeId, reach: Reach, *, now: float) -> None:
        known = self._known.get(node)
        if known is not None and known.reach is reach:
            return
        self._known[node] = Reachability(reach, now)
        if reach is Reach.INDIRECT:
            self.indirect |= {node}
        elif node in self.indirect:
            self.indirect -= {node}
