"""How far a model is from the exact world: the same metric, both ways, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulations.measure import Metric
from simulations.scenario import Outcome


@dataclass(frozen=True, slots=True)
class Quantiles:
    """One metric over seeds. No further out than that: there are few exact runs."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Deviation:
    """One metric in one configuration, exact and by the model."""

    metric: Metric
    exact: Quantiles
    model: Quantiles

    @property
    def of_median(self) -> float:
        """Error of the model's median, as a share of the exact one."""
        return self.model.median / self.exact.median - 1

    @property
    def of_p90(self) -> float:
        """The same of what 90 % of the runs do not exceed."""
        return self.model.p90 / self.exact.p90 - 1


def deviations(
    exact: Sequence[Outcome], model: Sequence[Outcome], *, metrics: Sequence[Metric]
) -> list[Deviation]:
    """Compare what both have measured."""
    found = []
    for metric in metrics:
        ours, theirs = _quantiles(exact, metric), _quantiles(model, metric)
        if ours is not None and theirs is not None and ours.median > 0:
            found.append(Deviation(metric, ours, theirs))
    return found


def _quantiles(runs: Sequence[Outcome], metric: Metric) -> Quantiles | None:
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
    if not values:
        return None
    return Quantiles(*map(float, np.quantile(values, [0.5, 0.9])))
