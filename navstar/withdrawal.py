"""What may be taken out of the kernel now. Pure.

Theory of operation. Adding a row is safe at any time; taking one away is safe only
if the table is right. Two things make it doubtful: nobody has told this node the
whole table yet, or a large part of the other agents is gone at once, which is
rather a fault of ours than theirs. Then the rows in question are added to what is
desired: so they stay, and are built again if their link has to be made anew. Once
the doubt is over the next pass finds them no longer desired.

    ignorant   nothing goes: not synchronised, and not known to be alone for good;
               or in agreement only with nodes that know no more (all have lost their
               disks, or the cluster is new) until `grace` has passed
    braked     nothing goes: more than `max_withdrawal` of the agents would, with
               those that went within `brake_delay` before: a table that is emptied
               line by line is emptied all the same. A second look after
               `brake_delay` releases it, or the operator
    free       what is not desired goes

This file is the only one that knows the brake's state.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from navstar.diff import needs_recreation, without_links
from navstar.tables import Fdb, Link, Row, kernel_key

#: Up to so many remote agents the brake stays off: a share of few is no evidence.
FEW_AGENTS = 10


class Release(enum.Enum):
    """What ends the brake."""

    BY_DELAY = "delay"
    BY_OPERATOR = "ask"


@dataclass(frozen=True, slots=True)
class Caution:
    """How careful to be. Durations in seconds.

    Attributes:
        max_withdrawal: Share of the remote agents that may go within `brake_delay`.
        brake_delay: Between the first and the second look.
        release: Whether the second look is enough.
        grace: A node without seeds and peers waits so long; also one whose peers
            know as little as itself.
    """

    max_withdrawal: float
    brake_delay: float
    release: Release
    grace: float


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What this node knows of the table.

    Attributes:
        is_synchronised: It has compared its table with a peer's, wholly.
        is_informed: It, or such a peer, had the table before it started.
        is_alone: It has no seeds to ask, and no other member is known.
        running_for: Seconds since the start.
    """

    is_synchronised: bool
    is_informed: bool
    is_alone: bool
    running_for: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pass may aim at.

    Attributes:
        aim: The desired rows, and with them those that must stay for now.
        held: Those that must stay.
        reason: Why, for the operator; empty if nothing is held.
        look_again_at: When the answer may be another by itself.
    """

    aim: frozenset[Row]
    held: frozenset[Row] = frozenset()
    reason: str = ""
    look_again_at: float = math.inf


class Brake:
    """Decides, pass by pass, which rows may go."""

    def __init__(self, caution: Caution) -> None:
        self.caution = caution
        self._braked_at: float | None = None
        self._confirmed = False
        #: When agents went, and how many. A tuple: a copy of a brake is for asking.
        self._went: tuple[tuple[float, int], ...] = ()

    def confirm(self) -> bool:
        """The operator has looked: let the next pass go on. False if none waits."""
        if self._braked_at is None:
            return False
        self._confirmed = True
        return True

    def judge(
        self,
        desired: frozenset[Row],
        actual: AbstractSet[Row],
        *,
        knowledge: Knowledge,
        now: float,
    ) -> Verdict:
        """Say what a pass may aim at.

        Args:
            desired: What should be there.
            actual: What is there; rows of ours only.
            knowledge: As of now.
            now: Seconds, of any clock that never goes back.
        """
        held = _would_go(desired, actual)
        if not held:
            self._let_go()
            return Verdict(desired)
        reason, again_at = self._ignorance(knowledge, now=now)
        if not reason:
            reason, again_at = self._excess(desired, actual, now=now)
        if not reason:
            return Verdict(desired)
        return Verdict(desired | held, held, reason, again_at)

    def _ignorance(self, knowledge: Knowledge, *, now: float) -> tuple[str, float]:
        if not knowledge.is_synchronised and not knowledge.is_alone:
            return "the table has not been compared with any peer's yet", math.inf
        left = self.caution.grace - knowledge.running_for
        if left <= 0 or (knowledge.is_synchronised and knowledge.is_informed):
            return "", math.inf
        if knowledge.is_synchronised:
            return "no peer that was asked knew the table before", now + left
        return "this node is alone and has only just started", now + left

    def _excess(
        self, desired: AbstractSet[Row], actual: AbstractSet[Row], *, now: float
    ) -> tuple[str, float]:
        # An agent that stays has its FDB row in both, or another in its place.
        gone = len(_agents(actual - desired) - _agents(desired - actual))
        since = now - self.caution.brake_delay
        self._went = tuple(each for each in self._went if each[0] > since)
        went = sum(count for _, count in self._went)
        total = len(_agents(actual)) + went
        if total <= FEW_AGENTS or went + gone <= self.caution.max_withdrawal * total:
            self._let_go()
            if gone:
                self._went += ((now, gone),)
            return "", math.inf
        if self._braked_at is None:
            self._braked_at = now
        release_at = self._braked_at + self.caution.brake_delay
        by_delay = self.caution.release is Release.BY_DELAY
        if self._confirmed or (by_delay and now >= release_at):
            self._went = ()
            return "", math.inf
        reason = f"{gone} of {total} agents would go at once"
        if went:
            reason += f", after {went} that have gone already"
        if by_delay:
            return reason, release_at
        return f"{reason}; waiting for 'navstar confirm'", math.inf

    def _let_go(self) -> None:
        self._braked_at = None
        self._confirmed = False


def _would_go(desired: AbstractSet[Row], actual: AbstractSet[Row]) -> frozenset[Row]:
    """The rows to hold if any: those whose place nothing that is desired takes.

    A link that stands in the way of a desired one cannot stay, nor can the rows on
    it. That is a matter of this agent's own allocation, not of the table.
    """
    surplus = actual - desired
    if not surplus:
        return frozenset()
    # The kernel has one row per key, so what takes a surplus row's place is new.
    taken = {kernel_key(row) for row in desired - actual}
    links = [row for row in desired if isinstance(row, Link)]
    in_the_way = {
        row.name
        for row in surplus
        if isinstance(row, Link)
        and not any(row.name == link.name for link in links)
        and not all(needs_recreation(row, link) for link in links)
    }
    free = frozenset(row for row in surplus if kernel_key(row) not in taken)
    return without_links(free, in_the_way)


def _agents(rows: AbstractSet[Row]) -> set[tuple[str, str]]:
    """Remote agents as the kernel knows them: an agent has one MAC on a link."""
    return {(row.link, row.mac) for row in rows if isinstance(row, Fdb)}
