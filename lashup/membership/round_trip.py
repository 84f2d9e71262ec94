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


@dataclass(slots=True)
class _Estimate:
    mean: float
    variation: float


class RoundTrips:
    """Round-trip estimates by member, in seconds."""

    def __init__(self, config: MembershipConfig) -> None:
        self._config = config
        self._estimates: dict[NodeId, _Estimate] = {}

    def measured(self, node: NodeId, seconds: float) -> None:
        """Take in one round trip, of a ping that was sent only once."""
        estimate = self._estimates.get(node)
        if estimate is None:
            self._estimates[node] = _Estimate(seconds, seconds / 2)
            return
        deviation = abs(seconds - estimate.mean)
        estimate.variation += _VARIATION_SMOOTHING * (deviation - estimate.variation)
        estimate.mean += _SMOOTHING * (seconds - estimate.mean)

    def mean(self, node: NodeId) -> float | None:
        """The smoothed round trip; None before the first."""
        estimate = self._estimates.get(node)
        return None if estimate is None else estimate.mean

    def timeout(self, node: NodeId) -> float:
        """Seconds after which a ping counts as unanswered, at good local health.

        Between the configured floor and half the probe period, so that the helpers
        have the other half.
        """
        estimate = self._estimates.get(node)
        ceiling = self._config.probe_period / 2
        if estimate is None:
            return min(self._config.probe_timeout, ceiling)
        measured = estimate.mean + _VARIATIONS * estimate.variation
        return min(max(measured, self._config.probe_timeout_floor), ceiling)

    def forget(self, node: NodeId) -> None:
        """The member has gone; nothing measured is no error."""
        self._estimates.pop(node, None)
