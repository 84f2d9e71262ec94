"""How long a member takes to answer, and so how long to wait for it.

Source: RFC 6298, the smoothed round trip and its variation.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.machine import NodeId
from lashup.membership.config import MembershipConfig

#: RFC 6298: weights of a new sample, and variations added to the mean.
_SMOOTHING = 1 / 8
_VARIATION_SMOOTHING = 1 / 4
_VARIATIONS = 4
#: A member that was never measured is expected to be like the others after so many.
_ENOUGH = 4


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

    def measured(self, node: NodeId, seconds: float) -> None:
        """Take in one round trip, of a ping that was sent only once."""
        self._samples += 1
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
