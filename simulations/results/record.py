"""One run as it is kept: an outcome, and which code it came from, in one JSON line.

Curves are thinned to what a plot can show. The rows of a heat map are kept as
lengths of equal values: the nodes of one side mostly see the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeAlias

from simulations.conditions import Value
from simulations.measure import Curve, HeatMap, Metric
from simulations.scenario import Outcome

#: Version of all JSON that the simulations write. Raised when a field changes its
#: meaning or goes; new fields may come without.
SCHEMA = 1

#: What a run is a function of: scenario, all parameters, seed; as one string.
Key: TypeAlias = str

#: Points of a curve that are kept, at most.
_POINTS = 400


@dataclass(frozen=True, slots=True)
class Record:
    """A run as it is kept.

    Attributes:
        outcome: What came of it.
        code: Fingerprint of the code that ran, see `simulations.campaign.fingerprint`.
    """

    outcome: Outcome
    code: str

    @property
    def key(self) -> Key:
        """What the run is a function of, the code aside."""
        run = self.outcome
        return key_of(run.scenario, run.parameters, seed=run.seed)

    def to_line(self) -> str:
        """As one line of JSON, without its end."""
        run = self.outcome
        fields = {
            "schema": SCHEMA,
            "code": self.code,
            "scenario": run.scenario,
            "parameters": dict(run.parameters),
            "seed": run.seed,
            "trace_sha256": run.trace_sha256,
            "wall_s": run.wall_s,
            "virtual_s": run.virtual_s,
            "peak_rss_bytes": run.peak_rss_bytes,
            "metrics": dict(run.metrics),
            "violations": run.violations,
            "command": run.command,
            "curves": [{"name": c.name, "points": c.points} for c in run.curves],
            "heat_map": None if run.heat_map is None else _packed(run.heat_map),
        }
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def of_line(cls, line: str) -> Record:
        """The record that `to_line` made a line of.

        Raises:
            ValueError: It is not such a line, or one of a later version.
        """
        try:
            fields = json.loads(line)
            if fields["schema"] != SCHEMA:
                raise ValueError(f"schema {fields['schema']}, not {SCHEMA}")
            return cls(_outcome(fields), fields["code"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the record of a run: {error!r}") from error


def key_of(scenario: str, parameters: Mapping[str, Value], *, seed: int) -> Key:
    """What a run is a function of; all parameters must be there, defaults too."""
    return json.dumps([scenario, dict(sorted(parameters.items())), seed])


def thinned(outcome: Outcome) -> Outcome:
    """The same with curves of so few points as a plot can show."""
    return replace(outcome, curves=tuple(map(_thin, outcome.curves)))


def _thin(curve: Curve) -> Curve:
    points = curve.points
    if len(points) <= _POINTS:
        return curve
    last = len(points) - 1
    chosen = (points[round(i * last / (_POINTS - 1))] for i in range(_POINTS))
    return Curve(curve.name, tuple(chosen))


def _outcome(fields: Mapping[str, Any]) -> Outcome:
    known = set(Metric)
    heat = fields["heat_map"]
    return Outcome(
        scenario=fields["scenario"],
        parameters=fields["parameters"],
        seed=fields["seed"],
        metrics={
            Metric(name): value
            for name, value in fields["metrics"].items()
            if name in known
        },
        curves=tuple(
            Curve(c["name"], tuple((at, share) for at, share in c["points"]))
            for c in fields["curves"]
        ),
        heat_map=None if heat is None else _unpacked(heat),
        violations=tuple(fields["violations"]),
        command=fields["command"],
        trace_sha256=fields["trace_sha256"],
        virtual_s=fields["virtual_s"],
        wall_s=fields["wall_s"],
        peak_rss_bytes=fields["peak_rss_bytes"],
    )


def _packed(heat: HeatMap) -> dict[str, object]:
    return {
        "nodes": heat.nodes,
        "times": heat.times,
        "live": [
            [[value, len(list(same))] for value, same in groupby(row)]
            for row in heat.live
        ],
        "marks": heat.marks,
    }


def _unpacked(heat: Mapping[str, Any]) -> HeatMap:
    return HeatMap(
        nodes=tuple(heat["nodes"]),
        times=tuple(heat["times"]),
        live=tuple(tuple(_expanded(row)) for row in heat["live"]),
        marks=tuple((at, what) for at, what in heat["marks"]),
    )


def _expanded(lengths: Iterable[tuple[int | None, int]]) -> Iterable[int | None]:
    for value, length in lengths:
        yield from [value] * length
