"""The form of `python -m benchmarks`, which scripts rely on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


@pytest.mark.kernel
def test_a_row_that_a_signal_ends_leaves_nothing_behind():
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "run", "daemon-rest", "--quick"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    lab = Path("/run/navstar-lab") / f"bench{process.pid}"
    give_up_at = time.monotonic() + 60
    try:
        while not list(lab.glob("a1/navstar.sock")):
            assert process.poll() is None
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        left = lab.exists()
        down = [sys.executable, "-m", "navstar", "lab", "down", "--prefix", lab.name]
        subprocess.run(down, capture_output=True, check=False, timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert said.splitlines()[-1] == "ended by SIGTERM"
    assert not left
    there = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True)
    assert f"bench{process.pid}" not in there.stdout
