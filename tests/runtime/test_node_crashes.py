"""A whole node, killed at random points of a write load, again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

#: All 200: `LASHUP_KILLS=200 pytest tests/runtime/test_node_crashes.py`, a minute.
KILLS = int(os.environ.get("LASHUP_KILLS", "20"))


def test_after_kill_9_nothing_acknowledged_is_lost_and_no_dot_is_minted_twice(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.runtime.killed_lives"]
    ended = subprocess.run(
        [*command, str(tmp_path / "data"), str(KILLS), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=30 + KILLS,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["lives"] == KILLS
    assert seen["done"] > KILLS
    # Kills fall also between the commit and the acknowledgement.
    assert seen["untold"] > 0
