"""What the commands do."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lashup.errors import UsageError
from simulations.campaign import (
    Broken,
    Finished,
    Refused,
    Result,
    Task,
    fingerprint,
    run_on_processes,
)
from simulations.campaign.task import all_parameters
from simulations.cli import tables
from simulations.cli.progress import watched
from simulations.cli.seeds import combinations, seeds_of, value_of, values_of
from simulations.conditions import Parameter, Value
from simulations.results import Record, Results
from simulations.results.columns import write_csv, write_parquet
from simulations.scenario import Scenario
from simulations.scenarios import SCENARIOS


def list_scenarios(asked: argparse.Namespace) -> int:
    """`list`."""
    if asked.json:
        _print_json([_described(each) for each in SCENARIOS.values()])
        return 0
    console = Console(highlight=False)
    shared = _shared()
    for scenario in SCENARIOS.values():
        console.print(f"[bold]{scenario.name}[/]  {scenario.summary}")
        for each in scenario.parameters:
            if each.option not in shared:
                _show_parameter(each, console)
    console.print("[bold]all of them[/]")
    for option in shared.values():
        _show_parameter(option, console)
    return 0


def run(asked: argparse.Namespace) -> int:
    """`run`."""
    seeds = _seeds(asked)
    if asked.trace is not None and len(seeds) > 1:
        raise UsageError("--trace: goes with one seed (--seed 7)")
    if asked.trace is not None and asked.scheduler is not None:
        raise UsageError("--trace: does not go with --scheduler: replay the seed here")
    values = _given(asked, value_of)
    parameters = all_parameters(asked.scenario.name, values)
    name = asked.scenario.name
    tasks = [Task(name, parameters, seed, asked.trace) for seed in seeds]
    if asked.output is None:
        return _finish(_collect(_results(asked, tasks), tasks), asked)
    with Results.open(asked.output) as kept:
        results = _collect(_results(asked, tasks), tasks, kept=kept)
        _write_columns(list(kept.records.values()), asked.output)
    return _finish(results, asked)


def sweep(asked: argparse.Namespace) -> int:
    """`sweep`."""
    name = asked.scenario.name
    values = _given(asked, values_of)
    tasks = [
        Task(name, all_parameters(name, chosen), seed)
        for chosen in combinations(values)
        for seed in _seeds(asked)
    ]
    with Results.open(asked.output) as kept:
        done = [r for task in tasks if (r := kept.records.get(task.key)) is not None]
        # What other code has found is found again: the two must not be mixed.
        done = [record for record in done if record.code == fingerprint()]
        keys = {record.key for record in done}
        left = [task for task in tasks if task.key not in keys]
        try:
            new = _collect(_results(asked, left), left, kept=kept, done=len(done))
        except KeyboardInterrupt:
            count = sum(task.key in kept.records for task in tasks)
            _say(f"interrupted after {count} of {len(tasks)} runs; the same command")
            _say("goes on from there")
            raise
        finally:
            _write_columns(list(kept.records.values()), asked.output)
    if done:
        _say(f"{len(done)} of {len(tasks)} runs were there before")
    order = {task.key: place for place, task in enumerate(tasks)}
    found = [*done, *(each.record for each in new if isinstance(each, Finished))]
    found.sort(key=lambda record: order[record.key])
    return _conclude(found, tables.failures(new), asked, many=True)


def report(asked: argparse.Namespace) -> int:
    """`report`."""
    from simulations.report import write_report

    size = write_report(asked.results, asked.output, title=asked.title)
    _say(f"{asked.output}: {size / 1000:,.0f} kB")
    return 0


def model(asked: argparse.Namespace) -> int:
    """`model`."""
    from simulations.cli.model import run_model

    values = _given(asked, values_of)
    return run_model(asked, list(combinations(values)), _seeds(asked))


def _results(asked: argparse.Namespace, tasks: Sequence[Task]) -> Iterable[Result]:
    if asked.scheduler is not None:
        from simulations.campaign.dask_cluster import run_on_dask

        return run_on_dask(tasks, address=asked.scheduler)
    return run_on_processes(tasks, jobs=asked.jobs)


def _collect(
    results: Iterable[Result],
    tasks: Sequence[Task],
    *,
    kept: Results | None = None,
    done: int = 0,
) -> list[Result]:
    """Take the results as they come, and keep them; in the order of the tasks."""
    if not tasks:
        return []
    found: dict[str, Result] = {}
    for result in watched(results, tasks=tasks, done=done):
        match result:
            case Refused(_, problem):
                raise UsageError(problem)
            case Finished(task, record):
                if kept is not None:
                    kept.append(record)
                found[task.key] = result
            case Broken(task, _):
                found[task.key] = result
    return [found[task.key] for task in tasks]


def _finish(results: Sequence[Result], asked: argparse.Namespace) -> int:
    records = [each.record for each in results if isinstance(each, Finished)]
    return _conclude(records, tables.failures(results), asked, many=False)


def _conclude(
    records: Sequence[Record],
    broken: Sequence[Broken],
    asked: argparse.Namespace,
    *,
    many: bool,
) -> int:
    outcomes = [record.outcome for record in records]
    if asked.json:
        found = tables.documents(records)
        if many or found:
            _print_json(found if many else found[0])
    else:
        tables.show_groups(records, tables.wide(Console(highlight=False)))
    tables.show_failures(outcomes, broken, Console(stderr=True))
    return int(bool(broken) or any(run.violations for run in outcomes))


def _write_columns(records: Sequence[Record], directory: Path) -> None:
    write_csv(records, directory / "runs.csv")
    write_parquet(records, directory / "runs.parquet")


def _given(asked: argparse.Namespace, read: Any) -> dict[str, Any]:  # noqa: ANN401
    """The parameters that were given, read from their text."""
    return {
        each.option: read(each, text)
        for each in asked.scenario.parameters
        if (text := getattr(asked, f"parameter {each.option}")) is not None
    }


def _seeds(asked: argparse.Namespace) -> tuple[int, ...]:
    if asked.seed is not None:
        return (asked.seed,)
    return seeds_of(asked.seeds if asked.seeds is not None else "1")


def _shared() -> dict[str, Parameter]:
    """The parameters that all scenarios have."""
    each = [{p.option: p for p in s.parameters} for s in SCENARIOS.values()]
    if not each:
        return {}
    return {o: p for o, p in each[0].items() if all(p == e.get(o) for e in each)}


def _described(scenario: Scenario[Any]) -> dict[str, object]:
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "parameters": [
            {
                "name": each.option,
                "type": each.kind.__name__,
                "default": each.default,
                "unit": each.unit,
                "help": each.help,
                "choices": list(each.choices),
                "least": each.least,
                "most": each.most if math.isfinite(each.most) else None,
            }
            for each in scenario.parameters
        ],
    }


def _show_parameter(each: Parameter, console: Console) -> None:
    default: Value = each.show(each.default)
    name = f"--{each.option}"
    line = f"    {name:14} {default!s:20} {each.help}"
    console.print(line, markup=False, soft_wrap=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")
