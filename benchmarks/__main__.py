"""The command line: `benchmarks list` and `run NAME|all [--quick | --save] [--json]`.

Exits with 0 when everything was measured, whether or not a goal was reached: a
slow machine is no error. `ok` in the output says which were. What a row has started
ends with it, also when a signal ends it.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.row import Case, Effort, Row
from benchmarks.rows import ROWS
from benchmarks.saved import save
from navstar.lab.interrupts import Interrupted, interruptible


def main() -> int:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every benchmark in a line")
    listing.add_argument("--json", action="store_true")
    run = commands.add_parser("run", help="measure one, or all")
    run.add_argument("name", choices=["all", *ROWS])
    form = run.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="a short form, less exact")
    form.add_argument(
        "--save",
        action="store_true",
        help="keep the figures in benchmarks/results/, for the table in the docs",
    )
    run.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.command == "list":
        _list(asked.json)
        return 0
    try:
        # Daemons and namespaces of a row would outlive this process otherwise.
        with interruptible():
            _run(asked)
    except Interrupted as interrupted:
        print(f"ended by {interrupted}", file=sys.stderr)
        return 128 + interrupted.number
    return 0


def _run(asked: argparse.Namespace) -> None:
    rows = list(ROWS.values()) if asked.name == "all" else [ROWS[asked.name]]
    effort = Effort.QUICK if asked.quick else Effort.FULL
    answers = []
    for row in rows:
        print(f"measuring {row.name} ...", file=sys.stderr, flush=True)
        cases = row.measure(effort)
        answers.append(answer(row, cases))
        if asked.save:
            print(f"saved in {save(answers[-1])}", file=sys.stderr)
        if not asked.json:
            _show(row, cases)
    if asked.json:
        found = answers if asked.name == "all" else answers[0]
        print(json.dumps(found, indent=2, ensure_ascii=False))


def answer(row: Row, cases: list[Case]) -> dict[str, Any]:
    """A measured row in the form that `--json` prints."""
    return {
        "name": row.name,
        "unit": row.unit,
        "goal": row.goal,
        "peer": row.peer,
        "cases": [case.as_json() for case in cases],
        "ok": all(case.ok for case in cases),
    }


def _list(as_json: bool) -> None:  # noqa: FBT001  # straight from argparse
    if as_json:
        print(json.dumps([{"name": r.name, "what": r.what} for r in ROWS.values()]))
        return
    width = max(map(len, ROWS))
    for row in ROWS.values():
        print(f"{row.name:{width}}  {row.what}")


def _show(row: Row, cases: list[Case]) -> None:
    table = Table("case", f"value, {row.unit}", "p99", "goal reached", title=row.what)
    for case in cases:
        unit = "" if case.unit is None else f" {case.unit}"
        p99 = "" if case.p99 is None else f"{case.p99:,.4g}"
        reached = "yes" if case.ok else "no"
        table.add_row(case.case, f"{case.value:,.4g}{unit}", p99, reached)
    console = Console()
    console.print(table)
    console.print(f"goal: {row.goal}\npeer: {row.peer}\n", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
