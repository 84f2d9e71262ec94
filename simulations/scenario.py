"""What a scenario is: typed parameters and a seed in, an outcome out.

A scenario's parameters are a frozen dataclass (see `conditions`); from it come the
options of the command line, their help, and the command that replays a run.
"""

from __future__ import annotations

import gc
import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lashup.errors import UsageError
from simulations.conditions import Conditions, Parameter, Value, parameters_of
from simulations.measure import Curve, HeatMap, Measured, Metric
from simulations.trace import Trace

ParametersT = TypeVar("ParametersT", bound=Conditions)

#: Objects after which the garbage collector looks at the young ones, and so on. A
#: large cluster is millions of objects that stay; the default looks at them all the
#: time and finds nothing.
_COLLECT_AFTER = (100_000, 50, 1_000)

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Attributes:
        scenario: Its name.
        parameters: By option, all of them, defaults included.
        seed: With the parameters, what the run is a function of.
        metrics: See `Metric`; those that do not apply are not there.
        curves: Convergence in the course of time.
        heat_map: Membership in the course of time, where it is of interest.
        violations: What did not hold; empty for a good run.
        command: Replays the run.
        trace_sha256: Hash of everything that happened, in hexadecimal.
        virtual_s: Virtual seconds from the first to the last moment of the run.
        wall_s: Seconds that it took.
        peak_rss_bytes: Greatest memory of this process so far.
    """

    scenario: str
    parameters: Mapping[str, Value]
    seed: int
    metrics: Mapping[Metric, float]
    curves: tuple[Curve, ...]
    heat_map: HeatMap | None
    violations: tuple[str, ...]
    command: str
    trace_sha256: str
    virtual_s: float
    wall_s: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Played:
    """What a scenario's own function returns.

    Attributes:
        measured: The numbers.
        virtual_s: Virtual seconds that have passed.
        violations: What did not hold.
    """

    measured: Measured
    virtual_s: float
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario(Generic[ParametersT]):
    """One experiment.

    Attributes:
        name: What the command line calls it.
        summary: One sentence.
        kind: The dataclass of its parameters.
        play: The experiment: parameters, seed and a trace to write to.
    """

    name: str
    summary: str
    kind: type[ParametersT]
    play: Callable[[ParametersT, int, Trace], Played]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it can be told, its own parameters first."""
        return parameters_of(self.kind)

    def run(
        self,
        values: Mapping[str, Value],
        *,
        seed: int,
        trace_file: Path | None = None,
    ) -> Outcome:
        """Play it once. The same values and seed give the same trace hash.

        Args:
            values: By option; what is not given has its default.
            seed: All randomness comes from it.
            trace_file: Where to write every event, one JSON object a line.

        Raises:
            UsageError: There is no such parameter, or it does not take the value.
        """
        chosen = self._chosen(values)
        started = time.perf_counter()
        with Trace.open(trace_file) as trace, _few_collections():
            played = self.play(self.kind(**chosen), seed, trace)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        return Outcome(
            scenario=self.name,
            parameters={p.option: chosen[p.field] for p in self.parameters},
            seed=seed,
            metrics=played.measured.metrics,
            curves=played.measured.curves,
            heat_map=played.measured.heat_map,
            violations=played.violations,
            command=self.command(values, seed=seed),
            trace_sha256=trace.sha256,
            virtual_s=played.virtual_s,
            wall_s=time.perf_counter() - started,
            peak_rss_bytes=rss,
        )

    def command(self, values: Mapping[str, Value], *, seed: int) -> str:
        """The command that plays it once with these values and this seed."""
        return shlex.join(self._words(values, seed=seed))

    def _words(self, values: Mapping[str, Value], *, seed: int) -> Iterator[str]:
        yield from ("python", "-m", "simulations", "run", self.name)
        for each in self.parameters:
            value = values.get(each.option, each.default)
            if value != each.default:
                yield from (f"--{each.option}", each.show(value))
        yield from ("--seed", str(seed))

    def _chosen(self, values: Mapping[str, Value]) -> dict[str, Any]:
        known = {each.option: each for each in self.parameters}
        for option in values:
            if option not in known:
                raise UsageError(f"{self.name}: there is no parameter --{option}")
        return {
            each.field: each.kind(values.get(option, each.default))
            for option, each in known.items()
        }


@contextmanager
def _few_collections() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
