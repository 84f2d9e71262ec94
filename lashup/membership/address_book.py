"""When to tell the node which members to remember for its next start."""

from __future__ import annotations

from collections.abc import Iterable

from lashup.machine import NEVER, NodeId
from lashup.membership.events import Remember
from lashup.membership.member import Liveness
from lashup.membership.member_list import MemberList
from lashup.membership.record import NodeRecord


class AddressBook:
    """Says who is worth remembering, when that changed, but not too often.

    Whoever an earlier start knew and this one has not met stays in the book: behind a
    partition that outlasts two starts nobody else may know where it is.

    Args:
        members: Read for who there is.
        me: Never remembered.
        period: Seconds between two effects, at least.
        remembered: Members of an earlier start.
        forget_at: When those of them that were not met are forgotten.
    """

    def __init__(
        self,
        members: MemberList,
        *,
        me: NodeId,
        period: float,
        remembered: Iterable[NodeRecord],
        forget_at: float,
    ) -> None:
        self._members = members
        self._me = me
        self._period = period
        self._said_at = -NEVER
        self._say_at = NEVER
        self._forget_at = forget_at
        self._unmet = {each.id: each for each in remembered if each.id != me}

    @property
    def unmet(self) -> list[NodeRecord]:
        """Members of an earlier start of which this one has not heard at all."""
        known, reaped = self._members.get, self._members.reaped
        return [
            record
            for node, record in self._unmet.items()
            if known(node) is None and node not in reaped
        ]

    def next_wakeup(self) -> float:
        """When `take` has something to do."""
        return min(self._say_at, self._forget_at if self._unmet else NEVER)

    def met(self, node: NodeId) -> None:
        """A member is live: what was remembered of it is of no more use."""
        self._unmet.pop(node, None)

    def changed(self, *, now: float) -> None:
        """A member came, left, was reaped, or has other addresses."""
        if self._say_at == NEVER:
            self._say_at = max(now, self._said_at + self._period)

    def take(self, *, now: float) -> list[Remember]:
        """The whole set, if it is time to say it."""
        if self._unmet and now >= self._forget_at:
            self._unmet.clear()
            self.changed(now=now)
        if now < self._say_at:
            return []
        self._say_at = NEVER
        self._said_at = now
        records = tuple(
            member.record
            for member in self._members
            if member.id != self._me and member.liveness is not Liveness.LEFT
        )
        return [Remember((*records, *self.unmet))]
