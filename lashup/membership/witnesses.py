"""How many must have asked in vain before a member is down without a long wait.

Theory of operation
-------------------
Active confirmation replaces time by observers: the prober and some witnesses, each
by pings of its own for longer than a stall that is to be forgiven. All of them are
wrong only if each is. How probable that is depends on the network; so a node keeps
count of its pings that were in vain *although the target lived*, and asks for so
many witnesses that, were they independent, all are wrong once in 10**9 times.
Where that would be too many, there is no short cut: suspicion takes the time of the
ladder.

The count rises fast and falls slowly, for bursts of loss begin without notice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import count as count_from_zero

from lashup.machine import NodeId
from lashup.reconcile import keyed_hash

#: All witnesses together may be wrong once in so many times.
_TRUST = 1e9
#: No network is taken for better than this: loss that begins now is not yet counted.
_LEAST_LOSS = 0.1
#: What one ping in vain adds of what is missing to 1, and one ack takes off.
_RISE = 1 / 16
_FALL = 1 / 64


class VainPings:
    """The share of pings that find no ack although their target lives, pessimistic."""

    def __init__(self) -> None:
        self.share = 0.0

    def answered(self) -> None:
        """A ping was answered in time."""
        self.share -= self.share * _FALL

    def in_vain(self) -> None:
        """A ping was not answered in time, and its target lives."""
        self.share += (1 - self.share) * _RISE


def witnesses_needed(share: float, *, others: int, most: int) -> int | None:
    """How many beside the prober must have asked in vain; None: no number will do.

    Args:
        share: Of pings that are in vain although the target lives.
        others: Members that are neither the prober nor the target. Where the network
            is good, all of a small cluster are enough; none is never enough.
        most: Witnesses that are asked, at most.
    """
    if others < 1:
        return None
    observers = math.ceil(math.log(_TRUST) / -math.log(max(share, _LEAST_LOSS)) - 1e-9)
    needed = observers - 1
    if share <= _LEAST_LOSS:
        return min(needed, others, most)
    return needed if needed <= min(others, most) else None


def choose_witnesses(
    count: int,
    *,
    live: Sequence[NodeId],
    without: frozenset[NodeId],
    hash_key: bytes,
    about: tuple[bytes, ...],
) -> list[NodeId]:
    """The members that a hash of the case points at.

    All who hold the same table choose the same, so several who doubt one member
    ask the same few, and nobody can pick friends.

    Args:
        count: How many; fewer if there are not as many.
        live: Ids of the live members, sorted.
        without: Not these.
        hash_key: The same on all members.
        about: The case: the member, its incarnation, the period.
    """
    present = sum(_holds(live, node) for node in without)
    wanted = min(count, len(live) - present)
    chosen: dict[NodeId, None] = {}
    for draw in count_from_zero():
        if len(chosen) >= wanted:
            break
        point = keyed_hash(hash_key, *about, draw.to_bytes(4, "big"))
        place = bisect_left(live, NodeId(point.to_bytes(8, "big")))
        # Forward from there to one that is not chosen yet.
        for step in range(len(live)):
            node = live[(place + step) % len(live)]
            if node not in without and node not in chosen:
                chosen[node] = None
                break
    return list(chosen)


def _holds(live: Sequence[NodeId], node: NodeId) -> bool:
    place = bisect_left(live, node)
    return place < len(live) and live[place] == node
