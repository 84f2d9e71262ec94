"""Which live members have which name, the one that keeps it last.

Whoever holds a key can invent thousands of one name, so a look at a name costs the
same however many have it.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from lashup.machine import NodeId
from lashup.membership.member import Member

#: In the order in which names are kept: a newer epoch has the better claim.
_Claim = tuple[int, NodeId]

#: Live members of one name that are looked at: more than ever were by mistake, and
#: fewer than a liar can invent.
_CROWD = 64


class Names:
    """The live holders of each name."""

    def __init__(self) -> None:
        #: Names that several live members have.
        self.contested: set[str] = set()
        self._claims: dict[str, list[_Claim]] = {}

    def change(self, known: Member | None, member: Member | None) -> None:
        """What was known of a member is replaced; None: it is not known."""
        old = _held_by(known)
        new = _held_by(member)
        if old == new:
            return
        if old is not None:
            name, claim = old
            claims = self._claims[name]
            del claims[bisect_left(claims, claim)]
            self._count(name)
        if new is not None:
            name, claim = new
            insort(self._claims.setdefault(name, []), claim)
            self._count(name)

    def earlier(self, member: Member) -> list[NodeId]:
        """The other live members of its name that started before it.

        Of thousands the latest: the one that it has replaced is the latest but it.
        """
        claims = self._claims.get(member.name, [])
        end = bisect_left(claims, (member.epoch, NodeId(b"")))
        return [node for _, node in claims[max(0, end - _CROWD) : end]]

    def rival(self, member: Member) -> NodeId | None:
        """Of the other live members of its name, the one with the best claim."""
        claims = self._claims.get(member.name, ())
        return next((node for _, node in reversed(claims) if node != member.id), None)

    def _count(self, name: str) -> None:
        holders = len(self._claims[name])
        if holders > 1:
            self.contested.add(name)
            return
        self.contested.discard(name)
        if not holders:
            del self._claims[name]


def _held_by(member: Member | None) -> tuple[str, _Claim] | None:
    if member is None or not member.liveness.is_live:
        return None
    return member.name, (member.epoch, member.id)
