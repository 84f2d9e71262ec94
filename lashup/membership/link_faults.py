"""Who cannot hear whom, told to everybody: broken links between live members.

Theory of operation
-------------------
A member that others hear and we do not is behind a broken link. Each node tells the
whole list of its own such links, numbered; whoever hears a list that is newer than
the one it holds keeps it, and tells it on, once, to ln(n) and some more: so nearly all
hear of it. A list is told again now and then while it is not empty, and forgotten when
it is not. What is lost delays a report, and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from lashup.machine import NEVER, NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import MembershipConfig
from lashup.membership.events import LinkBroken, LinkFault, LinkMended
from lashup.membership.messages import LINKS_LIMIT, Letter, Links
from lashup.membership.reachability import Reachabilities

#: Probe periods between two tellings of a list that has not changed, and until a
#: list that is not told any more is forgotten.
_TOLD_AGAIN, _FORGOTTEN = 20, 70
#: Probe periods after which faults are looked at again, in case a member has gone.
_LOOKED_AGAIN = 5


@dataclass(frozen=True, slots=True)
class _Held:
    """The latest list of one observer, and when it came."""

    links: Links
    heard_at: float


class LinkFaults:
    """The broken links of the cluster as this node has heard of them.

    Args:
        beliefs: Read for the live members.
        reachabilities: Read for the links of this node.
        config: Timing.
        rng: Chooses whom to tell.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        reachabilities: Reachabilities,
        config: MembershipConfig,
        *,
        rng: Random,
    ) -> None:
        self._beliefs = beliefs
        self._reachabilities = reachabilities
        self._config = config
        self._rng = rng
        self._held: dict[NodeId, _Held] = {}
        self._told: frozenset[NodeId] = frozenset()
        self._number = 0
        self._again_at = NEVER
        self._known: frozenset[LinkFault] = frozenset()
        self._look_at, self._looked_at = NEVER, -math.inf

    def next_wakeup(self) -> float:
        """When `tick` has something to do. A change is told at the next tick."""
        return min(self._again_at, self._look_at)

    def news(self, *, now: float) -> list[LinkBroken | LinkMended]:
        """What has changed of all faults since the last look: one a probe period."""
        if now < self._look_at:
            return []
        self._looked_at = now
        faults = frozenset(self._faults(now=now))
        again = now + _LOOKED_AGAIN * self._config.probe_period
        self._look_at = again if faults or self._held else NEVER
        broken, mended = faults - self._known, self._known - faults
        self._known = faults
        return [
            *(LinkBroken(fault) for fault in sorted(broken, key=_order)),
            *(LinkMended(fault) for fault in sorted(mended, key=_order)),
        ]

    def tick(self, *, now: float) -> list[Letter]:
        """Tell our own list if it has changed, or if it is time to repeat it."""
        own = self._reachabilities.indirect
        if own == self._told and now < self._again_at:
            return []
        self._told = own
        self._look_soon(now=now)
        period = self._config.probe_period
        self._again_at = now + _TOLD_AGAIN * period if own else NEVER
        me = self._beliefs.me
        targets = tuple(sorted(own)[:LINKS_LIMIT])
        # A repetition has a number of its own, or nobody would tell it on.
        self._number += 1
        return self._tell(Links(me.id, me.epoch, self._number, targets))

    def hear(self, links: Links, *, now: float) -> list[Letter]:
        """Somebody's list: keep it and tell it on if it is news."""
        if self._beliefs.members.live_peer(links.observer) is None:
            return []
        held = self._held.get(links.observer)
        if held is not None and held.links.rank >= links.rank:
            return []
        self._held[links.observer] = _Held(links, now)
        self._look_soon(now=now)
        return self._tell(links)

    def faults(self, *, now: float) -> tuple[LinkFault, ...]:
        """All links between live members that are known to be broken, in order."""
        return tuple(sorted(self._faults(now=now), key=_order))

    def _faults(self, *, now: float) -> Iterator[LinkFault]:
        oldest = now - _FORGOTTEN * self._config.probe_period
        live = self._beliefs.members.live_peer
        for observer, held in list(self._held.items()):
            if live(observer) is None or held.heard_at < oldest:
                del self._held[observer]
        me = self._beliefs.me.id
        for node in self._reachabilities.indirect:
            if live(node) is not None:
                yield LinkFault(me, node)
        for observer, held in self._held.items():
            for node in held.links.targets:
                if node == me or live(node) is not None:
                    yield LinkFault(observer, node)

    def _look_soon(self, *, now: float) -> None:
        """At once, or a period after the last look: bad links make much news."""
        period = self._config.probe_period
        self._look_at = min(self._look_at, max(now, self._looked_at + period))

    def _tell(self, links: Links) -> list[Letter]:
        members = self._beliefs.members
        count = math.ceil(math.log(members.live_count + 1)) + 3
        peers = members.sample(
            count, without=frozenset((links.observer,)), rng=self._rng
        )
        return [(members.address_of(peer), links) for peer in peers]


def _order(fault: LinkFault) -> tuple[NodeId, NodeId]:
    return fault.observer, fault.member
