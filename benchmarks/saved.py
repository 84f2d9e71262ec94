"""The last full run of each benchmark, kept for the documentation."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def save(answer: dict[str, Any]) -> Path:
    """Keep what a full run found, with when, where and of which code.

    Args:
        answer: As `--json` prints it.

    Returns:
        The file.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{answer['name']}.json"
    ran = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "commit": _commit(),
        "machine": _machine(),
    }
    text = json.dumps(answer | {"ran": ran}, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def saved() -> dict[str, dict[str, Any]]:
    """What has been kept, by name of the benchmark."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(  # noqa: S603  # what we say ourselves
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    commit = git("rev-parse", "--short=8", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--", "lashup", "navstar", "simulations")
    return f"{commit} and changes" if changed else commit


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    linux = ".".join(platform.release().split(".")[:2])
    return f"{cores} cores, Linux {linux}, Python {platform.python_version()}"
