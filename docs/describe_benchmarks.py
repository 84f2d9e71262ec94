"""The table of the last full run of every benchmark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows import ROWS
from benchmarks.saved import saved

#: Benchmarks whose figures have a page of their own.
_ELSEWHERE = {"repair": "[what is repaired](../repair.md)"}


def last_figures() -> str:
    """One row for each case, in the order of `python -m benchmarks list`."""
    kept = saved()
    lines = [
        "| name | case | value | 99th percentile | reached | goal |",
        "|---|---|---:|---:|---|---|",
    ]
    for name, row in ROWS.items():
        answer = kept.get(name)
        if answer is not None and name in _ELSEWHERE:
            reached = "yes" if answer["ok"] else "**no**"
            see = f"{len(answer['cases'])} figures: {_ELSEWHERE[name]}"
            lines.append(f"| `{name}` | {see} | | | {reached} | {row.goal} |")
            continue
        if answer is None:
            lines.append(f"| `{name}` | never run in full | | | | {row.goal} |")
            continue
        for number, case in enumerate(answer["cases"]):
            first = number == 0
            label, goal = (f"`{name}`", row.goal) if first else ("", "")
            lines.append(
                f"| {label} | {case['case']} | {_value(case, answer['unit'])} "
                f"| {_p99(case)} | {'yes' if case['ok'] else '**no**'} | {goal} |"
            )
    return "\n".join([*lines, "", *_origins(kept)])


def _value(case: dict[str, Any], unit: str) -> str:
    unit = case.get("unit", unit)
    return f"{_number(case['value'])} {'' if unit == 'see the case' else unit}".rstrip()


def _p99(case: dict[str, Any]) -> str:
    return _number(case["p99"]) if "p99" in case else ""


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _origins(kept: dict[str, dict[str, Any]]) -> list[str]:
    """When, where and of which code the runs were."""
    by_origin: dict[tuple[str, str, str], list[str]] = {}
    for name, answer in kept.items():
        ran = answer["ran"]
        origin = ran["date"], ran["commit"], ran["machine"]
        by_origin.setdefault(origin, []).append(name)
    return [
        f"- {date}, commit {commit}, {machine}: "
        + ", ".join(f"`{name}`" for name in sorted(names))
        for (date, commit, machine), names in sorted(by_origin.items())
    ]
