"""How far a model is from the exact world: the same metric, both ways, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulations.measure import Metric
from simulations.results.summary import Summary, summaries
from simulations.scenario import Outcome


@dataclass(frozen=True, slots=True)
class Deviation:
    """One metric in one configuration.

    Attributes:
        metric: Which.
        exact: Over the seeds of the exact runs.
        model: Over the seeds of the model.
    """

    metric: Metric
    exact: Summary
    model: Summary

    @property
    def of_median(self) -> float:
        """Error of the model's median, as a share of the exact one."""
        return self.model.median / self.exact.median - 1

    @property
    def of_p99(self) -> float:
        """The same of the 99th percentile."""
        return self.model.p99 / self.exact.p99 - 1


def deviations(
    exact: Sequence[Outcome], model: Sequence[Outcome], *, metrics: Sequence[Metric]
) -> list[Deviation]:
    """Compare what both have measured."""
    ours, theirs = summaries(exact), summaries(model)
    return [
        Deviation(metric, ours[metric], theirs[metric])
        for metric in metrics
        if metric in ours and metric in theirs and ours[metric].median > 0
    ]
