"""Which datagrams the network loses: each for itself, or in bursts.

A burst lasts some time, not some number of datagrams: two nodes may exchange one in
a minute, and a cable that is loose is loose for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from simulations.latency import SECOND


class Loss(Protocol):
    """What is lost."""

    def strikes(self, source: str, to: str, *, now: int, rng: Random) -> bool:
        """Whether a datagram that is sent now is lost. `now` is in nanoseconds."""
        ...


@dataclass(frozen=True, slots=True)
class Independent:
    """Each datagram is lost with the same probability, whatever came before."""

    share: float

    def strikes(self, source: str, to: str, *, now: int, rng: Random) -> bool:
        """Whether a datagram that is sent now is lost."""
        del source, to, now
        return rng.random() < self.share


@dataclass(slots=True)
class _Way:
    """One direction between two nodes."""

    is_bad: bool
    seen_at: int


@dataclass(slots=True)
class GilbertElliott:
    """Every direction between two nodes is good for some time, then bad for some.

    Both times are exponentially distributed; what is between two datagrams is not
    played but drawn from what the two-state chain says of it.

    Source: Gilbert, "Capacity of a burst-noise channel", 1960; Elliott, 1963. Here in
    continuous time.

    Attributes:
        good: Mean seconds of a good time.
        bad: Mean seconds of a bad one.
        loss_when_good: Share lost in a good time.
        loss_when_bad: Share lost in a bad one.
    """

    good: float
    bad: float
    loss_when_good: float = 0.0
    loss_when_bad: float = 1.0
    _ways: dict[tuple[str, str], _Way] = field(default_factory=dict)

    @classmethod
    def of(cls, share: float, *, burst: float) -> GilbertElliott:
        """Bursts of some mean length in which all is lost, such a share of the time."""
        return cls(good=burst * (1 - share) / share, bad=burst)

    def strikes(self, source: str, to: str, *, now: int, rng: Random) -> bool:
        """Whether a datagram that is sent now is lost."""
        bad_share = self.bad / (self.good + self.bad)
        way = self._ways.get((source, to))
        if way is None:
            is_bad = rng.random() < bad_share
            self._ways[source, to] = _Way(is_bad, now)
        else:
            rate = 1 / self.good + 1 / self.bad
            kept = math.exp(-rate * (now - way.seen_at) / SECOND)
            chance = bad_share + (float(way.is_bad) - bad_share) * kept
            is_bad = rng.random() < chance
            way.is_bad, way.seen_at = is_bad, now
        return rng.random() < (self.loss_when_bad if is_bad else self.loss_when_good)
