"""A model's experiment: parameters and a seed in, an outcome like a scenario's out."""

from __future__ import annotations

import resource
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from simulations.conditions import (
    MOST_LOST,
    Parameter,
    Value,
    parameter,
    parameters_of,
)
from simulations.measure import Curve, Measured, Metric
from simulations.scenario import Outcome

#: Seconds of many nodes.
Times = npt.NDArray[np.float64]

#: Greatest cluster: what fits into the memory of a laptop.
_MOST_NODES = 10_000_000
#: Points of a curve.
_POINTS = 200


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What all models take."""

    nodes: int = parameter(100_000, "Nodes of the cluster.", least=4, most=_MOST_NODES)
    loss: float = parameter(
        0.0, "Share of datagrams that are lost, independently.", most=MOST_LOST
    )
    latency: str = parameter(
        "uniform:0.2ms:1ms",
        "One way: constant:T, uniform:T:T, lognormal:MEDIAN:SIGMA, samples:FILE.",
    )


@dataclass(frozen=True, slots=True)
class Model:
    """One experiment.

    Attributes:
        name: What the command line calls it; the exact scenario has the same name.
        summary: One sentence.
        kind: The dataclass of its parameters.
        compared: The metrics that the exact scenario of this name measures as well.
        play: The experiment.
    """

    name: str
    summary: str
    kind: type[Any]
    compared: tuple[Metric, ...]
    play: Callable[[Any, np.random.Generator], Measured]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it can be told."""
        return parameters_of(self.kind)

    def run(self, values: Mapping[str, Value], *, seed: int) -> Outcome:
        """Play it once; a function of the values and the seed.

        Raises:
            UsageError: A value makes no sense.
        """
        known = {each.option: each for each in self.parameters}
        chosen = {o: p.kind(values.get(o, p.default)) for o, p in known.items()}
        for option, value in chosen.items():
            known[option].check(value)
        started = time.perf_counter()
        fields = {known[option].field: value for option, value in chosen.items()}
        measured = self.play(self.kind(**fields), np.random.default_rng(seed))
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Outcome(
            scenario=f"model {self.name}",
            parameters=chosen,
            seed=seed,
            metrics=measured.metrics,
            curves=measured.curves,
            heat_map=None,
            violations=(),
            command=self.command(values, seeds=str(seed), option="--seed"),
            trace_sha256=_digest(measured),
            virtual_s=max((c.points[-1][0] for c in measured.curves), default=0.0),
            wall_s=time.perf_counter() - started,
            peak_rss_bytes=rss,
        )

    def command(self, values: Mapping[str, Value], *, seeds: str, option: str) -> str:
        """The command that plays it with these values."""
        words = ["python", "-m", "simulations", "model", self.name]
        for each in self.parameters:
            value = values.get(each.option, each.default)
            if value != each.default:
                words += [f"--{each.option}", each.show(value)]
        return shlex.join([*words, option, seeds])


def converged(times: Times, *, name: str) -> Measured:
    """The metrics of convergence, and the curve, of when each node had something.

    Args:
        times: Of every node; infinite where it never came.
        name: What they came to have.
    """
    ordered = np.sort(times)
    count = len(ordered)
    shares = {
        Metric.CONVERGE_50: 0.5,
        Metric.CONVERGE_99: 0.99,
        Metric.CONVERGE_ALL: 1.0,
    }
    places = {m: max(1, int(np.ceil(s * count))) - 1 for m, s in shares.items()}
    metrics = {m: float(ordered[i]) for m, i in places.items() if ordered[i] < np.inf}
    last = int(np.count_nonzero(ordered < np.inf))
    chosen = np.unique(np.linspace(0, last - 1, min(last, _POINTS)).astype(int))
    points = tuple((float(ordered[i]), (int(i) + 1) / count) for i in chosen)
    return Measured(metrics, (Curve(name, points),))


def _digest(measured: Measured) -> str:
    """Of all that came out: two runs with one seed have the same."""
    text = f"{sorted(measured.metrics.items())} {measured.curves}"
    return sha256(text.encode()).hexdigest()
