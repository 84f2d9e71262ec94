"""Which beliefs ride on the next packet, and for how long."""

from __future__ import annotations

import math

from lashup.machine import NodeId

#: Bytes of framing around one belief in a packet.
_FRAMING = 3

#: Updates that do not fit any more and are passed over before the search ends.
_PASSED_OVER = 3


def transmissions(members: int, *, multiplier: int) -> int:
    """How often each member sends an update in a cluster of so many members.

    Source: SWIM, section 4.1 (the logarithm); memberlist (the multiplier).
    """
    return multiplier * math.ceil(math.log10(members + 1))


class Dissemination:
    """The updates that are still to be sent: least-sent first, newest among equals.

    At most one for each member, the latest. Taking some costs in proportion to
    what is taken, however many wait.
    """

    def __init__(self) -> None:
        #: By number of transmissions so far; each in order of arrival.
        self._levels: list[dict[NodeId, bytes]] = []
        self._level_of: dict[NodeId, int] = {}

    def __len__(self) -> int:
        return len(self._level_of)

    @property
    def unsent(self) -> int:
        """Updates that no packet has carried yet."""
        return len(self._levels[0]) if self._levels else 0

    def put(self, node: NodeId, update: bytes) -> None:
        """There is news of a member: it replaces what was to be said of it."""
        self.discard(node)
        if not self._levels:
            self._levels.append({})
        self._levels[0][node] = update
        self._level_of[node] = 0

    def discard(self, node: NodeId) -> None:
        """Say nothing more about a member; nothing to say is no error."""
        level = self._level_of.pop(node, None)
        if level is not None:
            del self._levels[level][node]

    def take(self, budget: int, *, limit: int) -> list[bytes]:
        """Choose updates for one packet and count them as sent.

        Args:
            budget: Bytes that the packet has left.
            limit: Transmissions after which an update is dropped.
        """
        if not self._level_of:
            return []
        levels, level_of = self._levels, self._level_of
        chosen: list[tuple[NodeId, bytes, int]] = []
        passed_over = 0
        for level, updates in enumerate(levels):
            if not updates:
                continue
            for node, update in reversed(updates.items()):
                size = len(update) + _FRAMING
                if size <= budget:
                    budget -= size
                    chosen.append((node, update, level))
                else:
                    passed_over += 1
                    if passed_over > _PASSED_OVER:
                        break
            if passed_over > _PASSED_OVER:
                break
        # The newest goes in last, so that it stays the newest of its new level.
        for node, update, level in reversed(chosen):
            del levels[level][node]
            if level + 1 >= limit:
                del level_of[node]
                continue
            if level + 1 == len(levels):
                levels.append({})
            levels[level + 1][node] = update
            level_of[node] = level + 1
        return [update for _, update, _ in chosen]
