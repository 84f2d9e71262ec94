"""What a scenario is: typed parameters and a seed in, an outcome out.

A scenario's parameters are a frozen dataclass, its fields made by `parameter`; from
it come the options of the command line, their help, and the command that replays a
run. All scenarios share those of `Conditions`: how many nodes, on what network.
"""

from __future__ import annotations

import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, get_type_hints

from lashup.errors import UsageError
from simulations.measure import Curve, HeatMap, Measured, Metric
from simulations.trace import Trace

#: What a parameter's value may be.
Value: TypeAlias = int | float | str

ValueT = TypeVar("ValueT", int, float, str)
ParametersT = TypeVar("ParametersT", bound="Conditions")

#: What a duration may be written with: 60s, 5ms, 1.5min, 25h, or a plain number.
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a scenario, as the command line shows it.

    Attributes:
        option: Its name there, without the dashes; also its name in results.
        field: The field of the parameters' dataclass.
        kind: Type of its value.
        default: What it is when it is not given.
        unit: "s" for durations, "B/s" and the like; empty for a plain number.
        help: One sentence.
        choices: The values that it takes; empty where any will do.
    """

    option: str
    field: str
    kind: type[int] | type[float] | type[str]
    default: Value
    unit: str
    help: str
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> Value:
        """A value as it is written on the command line; durations take a unit.

        Raises:
            UsageError: Not such a value.
        """
        try:
            value = self._parse(text.strip())
        except ValueError:
            wanted = (
                "a duration such as 60s" if self.unit == "s" else self.kind.__name__
            )
            raise UsageError(f"--{self.option}: {text!r} is not {wanted}") from None
        if self.choices and value not in self.choices:
            known = ", ".join(self.choices)
            raise UsageError(f"--{self.option}: {text!r} is none of {known}")
        return value

    def show(self, value: Value) -> str:
        """A value as it is to be written on the command line; `parse` takes it back."""
        text = repr(value) if isinstance(value, float) else str(value)
        return f"{text}s" if self.unit == "s" else text

    def _parse(self, text: str) -> Value:
        if self.kind is str:
            return text
        if self.unit == "s":
            for suffix in sorted(_SECONDS, key=len, reverse=True):
                if text.endswith(suffix):
                    return float(text.removesuffix(suffix)) * _SECONDS[suffix]
            return float(text)
        return int(text) if self.kind is int else float(text)


def parameter(
    default: ValueT,
    about: str,
    *,
    unit: str = "",
    option: str = "",
    choices: tuple[str, ...] = (),
) -> ValueT:
    """A field of a parameters' dataclass.

    Args:
        default: Its default; its type is the field's.
        about: One sentence for the help.
        unit: See `Parameter`.
        option: Its name on the command line, where that cannot be a field's name.
        choices: See `Parameter`.
    """
    metadata = {"help": about, "unit": unit, "option": option, "choices": choices}
    made: ValueT = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all scenarios take: the cluster and its network."""

    nodes: int = parameter(100, "Nodes of the cluster.")
    loss: float = parameter(0.0, "Share of datagrams that are lost.")
    burst: float = parameter(
        0.0, "Mean length of loss in bursts; 0: losses are independent.", unit="s"
    )
    latency: str = parameter(
        "uniform:0.2ms:1ms",
        "One way: constant:T, uniform:T:T, lognormal:MEDIAN:SIGMA, samples:FILE.",
    )
    duplicate: float = parameter(0.0, "Share of datagrams that arrive twice.")
    reorder: float = parameter(0.0, "Share of datagrams that others overtake.")
    corrupt: float = parameter(0.0, "Share of datagrams whose bytes are damaged.")
    mtu: int = parameter(0, "Greatest UDP payload that passes; 0: any.", unit="B")
    bandwidth: float = parameter(
        0.0, "What a node's link carries each way; 0: anything.", unit="B/s"
    )
    disk: float = parameter(0.002, "Time that a commit takes.", unit="s")
    skew: float = parameter(
        0.0, "Wall clocks are wrong by up to this, either way.", unit="s"
    )


def parameters_of(kind: type[Conditions]) -> tuple[Parameter, ...]:
    """The parameters of a dataclass of them, the scenario's own first."""
    hints = get_type_hints(kind)
    shared = {each.name for each in fields(Conditions)}
    found = [
        Parameter(
            option=each.metadata["option"] or each.name.replace("_", "-"),
            field=each.name,
            kind=hints[each.name],
            default=each.default,
            unit=each.metadata["unit"],
            help=each.metadata["help"],
            choices=each.metadata["choices"],
        )
        for each in fields(kind)
        if each.default is not MISSING
    ]
    return tuple(sorted(found, key=lambda p: p.field in shared))


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
        with Trace.open(trace_file) as trace:
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
