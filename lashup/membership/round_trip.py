"""How long a member takes to answer, and so how long to wait for it.

Source: RFC 6298, the smoothed round trip and its variation.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from lashup.machine import NodeId
from lashup.membership.config import MembershipConfig

#: RFC 6298: weights of a new sample, and variations added to the mean.
_SMOOTHING = 1 / 8
_VARIATION_SMOOTHING = 1 / 4
_VARIATIONS = 4
#: A member that was never measured is expected to be like the others after so many.
_ENOUGH = 4
#: Upper ends of the histogram's buckets, in seconds; there is one more for the rest.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(slots=True)
class _Estimate:
    mean: float
    variation: float

    def take_in(self, seconds: float) -> None:
        deviation = abs(seconds - self.mean)
        self.variation += _VARIATION_SMOOTHING * (deviation - self.variation)
        self.mean += _SMOOTHING * (seconds - self.mean)

    @property
    def timeout(self) -> float:
        return self.mean + _VARIATIONS * self.variation


class RoundTrips:
    """Round-trip estimates by member, in seconds."""

    def __init__(self, config: MembershipConfig) -> None:
        self._config = config
        self._estimates: dict[NodeId, _Estimate] = {}
        self._all: _Estimate | None = None
        self._samples = 0
        self._sum = 0.0
        self._histogram = [0] * (len(BUCKETS) + 1)

    def statistics(self) -> dict[str, int | float]:
        """A histogram of all round trips since the start, in seconds.

        `round_trip_le_S` counts those of at most S seconds, as exporters want it.
        """
        counts = dict(zip(BUCKETS, accumulate(self._histogram), strict=False))
        return {
            **{f"round_trip_le_{limit:g}": n for limit, n in counts.items()},
            "round_trip_count": self._samples,
            "round_trip_sum": self._sum,
        }

    def measured(self, node: NodeId, seconds: float) -> None:
        """Take in one round trip, of a ping that was sent only once."""
        self._samples += 1
        self._sum += seconds
        self._histogram[bisect_left(BUCKETS, seconds)] += 1
        if self._all is None:
            self._all = _Estimate(seconds, seconds / 2)
        self._all.take_in(seconds)
        estimate = self._estimates.get(node)
        if estimate is None:
            self._estimates[node] = _Estimate(seconds, seconds / 2)
        else:
            estimate.take_in(seconds)

    def mean(self, node: NodeId) -> float | None:
        """The smoothed round trip; None before the first."""
        estimate = self._estimates.get(node)
        return None if estimate is None else estimate.mean

    def timeout(self, node: NodeId) -> float:
        """Seconds after which a ping counts as unanswered, at good local health.

        Between the configured floor and half the probe period, so that the helpers
        have the other half. In a large cluster few members have been measured; the
        others are taken to be like those.
        """
        estimate = self._estimates.get(node)
        if estimate is None and self._samples >= _ENOUGH:
            estimate = self._all
        ceiling = self._config.probe_period / 2
        if estimate is None:
            return min(self._config.probe_timeout, ceiling)
        return min(max(estimate.timeout, self._config.probe_timeout_floor), ceiling)

    def forget(self, node: NodeId) -> None:
        """The member has gone; nothing measured is no error."""
        self._estimates.pop(node, None)
