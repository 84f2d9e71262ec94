"""When to tell the node which members to remember for its next start."""

from __future__ import annotations

from lashup.machine import NEVER, NodeId
from lashup.membership.events import Remember
from lashup.membership.member import Liveness
from lashup.membership.member_list import MemberList


class AddressBook:
    """Says who is worth remembering, when that changed, but not too often.

    Args:
        members: Read for who there is.
        me: Never remembered.
        period: Seconds between two effects, at least.
    """

    def __init__(self, members: MemberList, *, me: NodeId, period: float) -> None:
        self._members = members
        self._me = me
        self._period = period
        self._said_at = -NEVER
        self._say_at = NEVER

    def next_wakeup(self) -> float:
        """When `take` has something to say."""
        return self._say_at

    def changed(self, *, now: float) -> None:
        """A member came, left, was reaped, or has other addresses."""
        if self._say_at == NEVER:
            self._say_at = max(now, self._said_at + self._period)

    def take(self, *, now: float) -> list[Remember]:
        """The whole set, if it is time to say it."""
        if now < self._say_at:
            return []
        self._say_at = NEVER
        self._said_at = now
        records = tuple(
            member.record
            for member in self._members
            if member.id != self._me and member.liveness is not Liveness.LEFT
        )
        return [Remember(records)]
