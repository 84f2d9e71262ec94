"""The form of `python -m benchmarks`, which scripts rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import answer
from benchmarks.row import Case, Row, percentile_99
from benchmarks.rows import ROWS

ROOT = Path(__file__).parents[2]


def benchmarks(*arguments: str) -> str:
    """What the command prints."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT,
    ).stdout


def test_list_names_every_benchmark():
    listed = [line.split()[0] for line in benchmarks("list").splitlines()]

    assert listed == list(ROWS)


def test_a_run_answers_in_the_documented_form():
    measured = json.loads(benchmarks("run", "seal", "--quick", "--json"))

    assert list(measured) == ["name", "unit", "goal", "peer", "cases", "ok"]
    assert measured["name"] == "seal"
    for case in measured["cases"]:
        assert case["value"] > 0
        assert isinstance(case["ok"], bool)


def test_a_row_is_reached_only_when_every_case_is():
    row = Row("n", "w", "µs", "g", "p", lambda _: [])

    assert not answer(row, [Case("a", 1, ok=True), Case("b", 2, ok=False)])["ok"]
    assert answer(row, [Case("a", 1, ok=True, p99=3.0)])["cases"] == [
        {"case": "a", "value": 1, "p99": 3.0, "ok": True}
    ]


def test_the_99th_percentile_is_a_value_that_was_measured():
    assert percentile_99([float(n) for n in range(1, 101)]) == 99.0
    assert percentile_99([7.0]) == 7.0
