"""The table of faults and repairs, from the last full run of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.saved import saved

_COLUMNS = ("until", "outage", "lost", "writes")


def repairs() -> str:
    """One row for each fault, in the order in which they were done."""
    answer = saved().get("repair")
    if answer is None:
        return "Never run in full."
    faults: dict[str, dict[str, Any]] = {}
    for case in answer["cases"]:
        fault, _, figure = case["case"].rpartition(": ")
        faults.setdefault(fault, {})[figure.split()[0]] = case
    lines = [
        "| fault | waited for | after | longest outage | pings lost | kernel writes |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for fault, figures in faults.items():
        until, outage, lost, writes = (figures[column] for column in _COLUMNS)
        goal = until["case"].rpartition(": until ")[2]
        missed = "" if until["ok"] else " **late**"
        lines.append(
            f"| {fault} | {goal} | {until['value']:,.0f} ms{missed} "
            f"| {outage['value']:,.0f} ms | {lost['value']:,.0f} "
            f"| {writes['value']:,.0f} |"
        )
    ran = answer["ran"]
    origin = f"{ran['date']}, commit {ran['commit']}, {ran['machine']}"
    return "\n".join([*lines, "", f"Measured: {origin}."])
