"""Results as a table, a run a row: CSV always, Parquet where pyarrow is there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from simulations.measure import Metric
from simulations.results.record import Record


def rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One for each run, all with the same columns; what a run lacks is None.

    The columns: scenario, seed, the parameters by their options, the metrics by
    their names, what the run cost, how many invariants it violated, its command.
    """
    runs = [record.outcome for record in records]
    options = list(dict.fromkeys(option for run in runs for option in run.parameters))
    metrics = [m for m in Metric if any(m in run.metrics for run in runs)]
    return [
        {
            "scenario": run.scenario,
            "seed": run.seed,
            **{option: run.parameters.get(option) for option in options},
            **{metric.value: run.metrics.get(metric) for metric in metrics},
            "virtual_s": run.virtual_s,
            "wall_s": run.wall_s,
            "peak_rss_bytes": run.peak_rss_bytes,
            "violations": len(run.violations),
            "trace_sha256": run.trace_sha256,
            "command": run.command,
        }
        for run in runs
    ]


def write_csv(records: Sequence[Record], path: Path) -> None:
    """Write them; an empty cell is what a run lacks."""
    table = rows(records)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]) if table else [])
        writer.writeheader()
        writer.writerows(table)


def write_parquet(records: Sequence[Record], path: Path) -> bool:
    """Write them if pyarrow is installed; returns whether it is."""
    try:
        pa = import_module("pyarrow")
        pq = import_module("pyarrow.parquet")
    except ImportError:
        return False
    pq.write_table(pa.Table.from_pylist(rows(records)), path)
    return True
