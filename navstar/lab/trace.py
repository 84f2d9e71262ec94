"""What a continuous ping saw: losses, outages, the time until it passed. Pure.

A probe counts as lost when no answer to it came; an outage is a run of lost
probes. It begins when the first of them was sent and ends when the answer to the
first later probe came. Its length is therefore known to one probe interval.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outage:
    """A run of probes without answer.

    Attributes:
        began_at: When the first lost probe was sent, monotonic seconds.
        ended_at: When the first answer after it came, or None: it lasts still.
        lost: Number of probes.
    """

    began_at: float
    ended_at: float | None
    lost: int

    @property
    def seconds(self) -> float:
        """Its length; infinite if it had not ended."""
        return float("inf") if self.ended_at is None else self.ended_at - self.began_at


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of one stream of probes.

    Attributes:
        sent_at: When each probe was sent, rising; its index is its number.
        answered_at: When the answer to probe n came, for those that were answered.
    """

    sent_at: Sequence[float]
    answered_at: Mapping[int, float]

    @property
    def sent(self) -> int:
        """Number of probes."""
        return len(self.sent_at)

    @property
    def lost(self) -> int:
        """Number of probes without answer."""
        return sum(number not in self.answered_at for number in range(self.sent))

    @property
    def outages(self) -> tuple[Outage, ...]:
        """Every run of lost probes, in order."""
        found: list[Outage] = []
        began: int | None = None
        for number in range(self.sent):
            if number not in self.answered_at:
                began = number if began is None else began
            elif began is not None:
                ended_at = self.answered_at[number]
                found.append(Outage(self.sent_at[began], ended_at, number - began))
                began = None
        if began is not None:
            found.append(Outage(self.sent_at[began], None, self.sent - began))
        return tuple(found)

    @property
    def longest_outage(self) -> float:
        """Seconds; 0 if nothing was lost, infinite if the last probe was."""
        return max((each.seconds for each in self.outages), default=0.0)

    def first_answer(self, since: float) -> float | None:
        """When the first answer to a probe sent at or after `since` came."""
        return first_answer(self.sent_at, self.answered_at, since=since)


def first_answer(
    sent_at: Sequence[float], answered_at: Mapping[int, float], *, since: float
) -> float | None:
    """When the first answer to a probe sent at or after `since` came, if one did.

    Cheap on a long record that is still growing: it looks at late probes only.
    """
    late = range(bisect_left(sent_at, since), len(sent_at))
    return min(
        (answered_at[number] for number in late if number in answered_at), default=None
    )
