"""Short runs of scenarios, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from simulations.conditions import Value
from simulations.scenario import Outcome
from simulations.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]

#: Small, and between them everything that the network and the hosts can do.
SMALL: dict[str, dict[str, Value]] = {
    "join": {"nodes": 12, "loss": 0.1},
    "detect": {"nodes": 10, "how": "slow", "victims": 2, "for": 8.0},
    "update": {"nodes": 20, "writers": 20, "keys": "hot", "loss": 0.2},
    "partition": {"nodes": 10, "parts": 3, "for": 15.0, "loss": 0.05, "burst": 0.2},
    "asymmetric": {"nodes": 10, "fault": "partial", "for": 10.0},
    "churn": {"nodes": 10, "for": 15.0, "duplicate": 0.1, "reorder": 0.1},
    "restart": {"nodes": 8, "latency": "lognormal:5ms:0.5", "skew": 5.0},
    "takeover": {"nodes": 8, "what": "both"},
    "rejoin-old-disk": {"nodes": 8, "victims": 2},
    "overlay": {"nodes": 8, "restarts": 1, "bandwidth": 1e6},
    "steady": {"nodes": 8, "for": 5.0, "keys": 5},
    "flood": {"nodes": 8, "kind": "sealed", "for": 3.0, "corrupt": 0.05},
    "bootstrap": {"nodes": 4, "facts": 300, "actors": 3, "mtu": 1400},
}


def play(name: str, seed: int, **values: Value) -> Outcome:
    """One run with the small parameters, and others where given."""
    return SCENARIOS[name].run({**SMALL[name], **values}, seed=seed)


def hashes_in_a_process(names: list[str], *, hash_seed: str, python: str) -> list[str]:
    """The trace hashes of seed 1, from a Python that hashes strings its own way."""
    code = (
        "import sys; from tests.simulations.runs import play\n"
        "for name in sys.argv[1:]: print(play(name, 1).trace_sha256)"
    )
    run = subprocess.run(
        [python, "-c", code, *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return run.stdout.split()


THIS_PYTHON = sys.executable
