"""Whom a node asks about a member that does not answer, and how many must agree.

Theory of operation
-------------------
Who is suspected is not asked: behind a broken link are many, and each would be
missing among the witnesses of each. How many must agree is reckoned from all live
members nevertheless, so suspects make no verdict easier.

Witnesses stand close together sometimes: all of them may be on this side of a break
that a third party can see across. The suspect will hear of the suspicion through that
party, and refute it. So whoever has refuted one lately is not given up on the word of
witnesses; the ladder leaves it the time to refute again.
"""

from __future__ import annotations

from random import Random

from lashup.machine import NodeId
from lashup.membership.beliefs import Beliefs
from lashup.membership.config import Confirmation, MembershipConfig
from lashup.membership.member import Member
from lashup.membership.turns import Turns
from lashup.membership.witnesses import (
    VainPings,
    choose_witnesses,
    witnesses_needed,
)

#: Witnesses that are asked beyond those that are needed: one may be gone as well.
SPARE_WITNESSES = 2
#: A refutation counts for so many probe periods.
REFUTATION_PERIODS = 10


class Panel:
    """Chooses the helpers of one node's probes.

    Args:
        beliefs: Read for the members and the suspects.
        config: How many, and whether witnesses count at all.
        turns: Says which period it is.
        rng: Chooses helpers where no witnesses are wanted.

    Attributes:
        vain_pings: To be told what became of our pings.
    """

    def __init__(
        self, beliefs: Beliefs, config: MembershipConfig, *, turns: Turns, rng: Random
    ) -> None:
        self.vain_pings = VainPings()
        self._beliefs = beliefs
        self._config = config
        self._turns = turns
        self._rng = rng

    def choose(
        self, target: Member, *, now: float
    ) -> tuple[tuple[NodeId, ...], int | None]:
        """Whom to ask about a member.

        Returns:
            The helpers, and how many of them must have asked in vain before the member
            is given up; None: no number will do.
        """
        needed = self._needed(target, now=now)
        if needed is None:
            return self._some(target), None
        members, suspicions = self._beliefs.members, self._beliefs.suspicions
        count = max(needed + SPARE_WITNESSES, self._config.indirect_probes)
        without = frozenset((target.id, self._beliefs.me.id))
        doubtful = without | suspicions.nodes()
        if members.live_count - len(doubtful) >= needed:
            without = doubtful
        period = self._turns.number(now)
        witnesses = choose_witnesses(
            count,
            live=members.live,
            without=without,
            hash_key=self._config.hash_key,
            about=(
                target.id,
                target.incarnation.to_bytes(8, "big"),
                period.to_bytes(8, "big", signed=True),
            ),
        )
        return tuple(witnesses), needed

    def _needed(self, target: Member, *, now: float) -> int | None:
        lately = now - REFUTATION_PERIODS * self._config.probe_period
        if self._config.confirmation is not Confirmation.ACTIVE:
            return None
        if self._beliefs.suspicions.has_refuted(target.id, since=lately):
            return None
        return witnesses_needed(
            self.vain_pings.share,
            others=self._beliefs.members.live_count - 2,
            most=self._config.witnesses - SPARE_WITNESSES,
        )

    def _some(self, target: Member) -> tuple[NodeId, ...]:
        chosen = self._beliefs.members.sample(
            self._config.indirect_probes,
            without=frozenset((target.id,)),
            rng=self._rng,
        )
        return tuple(member.id for member in chosen)
