"""`model`: run a vectorised model, or compare it with the exact world."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from simulations.campaign import Finished, Result, Task, fingerprint, run_on_processes
from simulations.campaign.task import all_parameters
from simulations.cli import tables
from simulations.cli.progress import watched
from simulations.conditions import Value
from simulations.model import Model
from simulations.model.error import Deviation, deviations
from simulations.results import Record, Results
from simulations.scenario import Outcome

#: Seeds of a model that is compared, at least: they cost next to nothing there.
_MODEL_SEEDS = 200


def run_model(
    asked: argparse.Namespace,
    chosen: Sequence[Mapping[str, Value]],
    seeds: Sequence[int],
) -> int:
    """Do what `model` was asked."""
    if asked.check:
        return _check(asked, chosen, seeds)
    records = [
        Record(outcome, fingerprint())
        for outcome in _play(asked.scenario, chosen, seeds)
    ]
    if asked.output is not None:
        with Results.open(asked.output) as kept:
            for record in records:
                kept.append(record)
    if asked.json:
        _print_json(tables.documents(records))
    else:
        tables.show_groups(records, tables.wide(Console(highlight=False)))
    return 0


def _play(
    model: Model, chosen: Sequence[Mapping[str, Value]], seeds: Sequence[int]
) -> Iterator[Outcome]:
    console = Console(stderr=True)
    runs = [(values, seed) for values in chosen for seed in seeds]
    for values, seed in track(
        runs,
        description=f"model {model.name}",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        yield model.run(values, seed=seed)


def _check(
    asked: argparse.Namespace,
    chosen: Sequence[Mapping[str, Value]],
    seeds: Sequence[int],
) -> int:
    model: Model = asked.scenario
    found: list[tuple[Mapping[str, Value], list[Deviation]]] = []
    results: list[Result] = []
    for values in chosen:
        played = _exact(model.name, values, seeds, jobs=asked.jobs)
        results += played
        exact = _outcomes(played)
        ours = list(_play(model, [values], range(1, _MODEL_SEEDS + 1)))
        found.append((values, deviations(exact, ours, metrics=model.compared)))
    if asked.json:
        _print_json([_as_json(values, each) for values, ds in found for each in ds])
    else:
        _show(model, found, seeds=len(seeds))
    # What an exact run found wrong is told here as anywhere.
    outcomes, broken = _outcomes(results), tables.failures(results)
    tables.show_failures(outcomes, broken, Console(stderr=True))
    return int(bool(broken) or any(run.violations for run in outcomes))


def _outcomes(results: Sequence[Result]) -> list[Outcome]:
    return [each.record.outcome for each in results if isinstance(each, Finished)]


def _exact(
    scenario: str,
    values: Mapping[str, Value],
    seeds: Sequence[int],
    *,
    jobs: int | None,
) -> list[Result]:
    """The exact runs; what only the model takes is left out."""
    known = all_parameters(scenario, {})
    shared = {option: value for option, value in values.items() if option in known}
    parameters = all_parameters(scenario, shared)
    tasks = [Task(scenario, parameters, seed) for seed in seeds]
    results = run_on_processes(tasks, jobs=jobs)
    return list(watched(results, tasks=tasks, done=0))


def _show(
    model: Model,
    found: Sequence[tuple[Mapping[str, Value], Sequence[Deviation]]],
    *,
    seeds: int,
) -> None:
    table = Table(
        *("configuration", "metric", "exact median", "model", "error"),
        *("exact p90", "model", "error"),
        title=f"model {model.name}: {seeds} exact seeds, {_MODEL_SEEDS} of the model",
        title_justify="left",
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for values, each in found:
        text = ", ".join(f"{option} {value}" for option, value in values.items())
        for one in each:
            table.add_row(
                text,
                one.metric.value,
                f"{one.exact.median:.4g}",
                f"{one.model.median:.4g}",
                f"{one.of_median:+.1%}",
                f"{one.exact.p90:.4g}",
                f"{one.model.p90:.4g}",
                f"{one.of_p90:+.1%}",
            )
            text = ""
    tables.wide(Console(highlight=False)).print(table)


def _as_json(values: Mapping[str, Value], each: Deviation) -> dict[str, Any]:
    return {
        "parameters": dict(values),
        "metric": each.metric,
        "exact": {"median": each.exact.median, "p90": each.exact.p90},
        "model": {"median": each.model.median, "p90": each.model.p90},
        "error": {"median": each.of_median, "p90": each.of_p90},
    }


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")
