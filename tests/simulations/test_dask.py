"""A sweep on a Dask cluster finds what a sweep on this machine's cores finds."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulations.cli import USAGE, main

ROOT = Path(__file__).parents[2]

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="distributed is not installed (the extra `dask`)",
)


@needs_dask
def test_a_sweep_on_dask_finds_the_same_as_here(tmp_path):
    sweep = ["sweep", "update", "--nodes", "3,5", "--seeds", "2", "--json"]

    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", module, *sweep, "-o", str(tmp_path / module)],
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
                cwd=ROOT,
            ).stdout
        )
        for module in ("simulations", "tests.simulations.dask_on_loopback")
    ]

    traces = [[s["trace_sha256"] for g in each for s in g["seeds"]] for each in found]
    assert traces[0] == traces[1]
    assert len(set(traces[0])) == 4


@needs_dask
def test_a_scheduler_that_is_not_there_is_an_error_that_names_it():
    arguments = ["run", "update", "--nodes", "3", "--scheduler", "tcp://127.0.0.1:9"]

    done = subprocess.run(
        [sys.executable, "-m", "simulations", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )

    assert done.returncode == USAGE
    assert "error: --scheduler: nobody answers at tcp://127.0.0.1:9" in done.stderr


def test_without_dask_the_way_out_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)

    assert main(["run", "update", "--nodes", "3", "--scheduler", "tcp://x:1"]) == USAGE

    assert "pip install --editable '.[dask]'" in capsys.readouterr().err
