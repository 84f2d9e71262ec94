"""What many runs of one configuration come to, and the document that says it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from simulations.conditions import Value
from simulations.measure import Metric
from simulations.results.record import SCHEMA, Record, key_of
from simulations.scenario import Outcome


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over the seeds.

    Attributes:
        median: Half of the runs are not above.
        p99: 99 % of the runs are not above; a value that was measured.
        worst: The greatest: of all metrics less is better.
        worst_seed: Whose that is.
        count: Runs that have the metric. A run that did not get there has none.
    """

    median: float
    p99: float
    worst: float
    worst_seed: int
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """All runs of one scenario with one set of parameters, by rising seed."""

    scenario: str
    parameters: Mapping[str, Value]
    runs: tuple[Outcome, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Their seeds."""
        return tuple(run.seed for run in self.runs)


def group(records: Iterable[Record]) -> list[Group]:
    """Put together what differs in nothing but the seed, in order of first coming."""
    found: dict[str, list[Outcome]] = {}
    for record in records:
        run = record.outcome
        key = key_of(run.scenario, run.parameters, seed=0)
        found.setdefault(key, []).append(run)
    return [
        Group(runs[0].scenario, runs[0].parameters, tuple(_by_seed(runs)))
        for runs in found.values()
    ]


def summaries(runs: Sequence[Outcome]) -> dict[Metric, Summary]:
    """Every metric that some run has."""
    return {
        metric: _summary(
            [(r.metrics[metric], r.seed) for r in runs if metric in r.metrics]
        )
        for metric in Metric
        if any(metric in run.metrics for run in runs)
    }


def document(group: Group) -> dict[str, Any]:
    """What `--json` prints; docs/reference/simulations-json.md describes it."""
    return {
        "schema": SCHEMA,
        "scenario": group.scenario,
        "parameters": dict(group.parameters),
        "seeds": [_seed(run) for run in group.runs],
        "summary": {
            metric: {
                "median": each.median,
                "p99": each.p99,
                "worst": each.worst,
                "count": each.count,
            }
            for metric, each in summaries(group.runs).items()
        },
    }


def _seed(run: Outcome) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "trace_sha256": run.trace_sha256,
        "wall_s": run.wall_s,
        "virtual_s": run.virtual_s,
        "peak_rss_bytes": run.peak_rss_bytes,
        **{metric: run.metrics[metric] for metric in Metric if metric in run.metrics},
        "violations": list(run.violations),
        "command": run.command,
    }


def _summary(values: list[tuple[float, int]]) -> Summary:
    numbers = sorted(value for value, _ in values)
    worst, seed = max(values, key=lambda pair: (pair[0], -pair[1]))
    nearest = math.ceil(0.99 * len(numbers)) - 1
    return Summary(median(numbers), numbers[nearest], worst, seed, len(numbers))


def _by_seed(runs: list[Outcome]) -> list[Outcome]:
    return sorted(runs, key=lambda run: run.seed)
