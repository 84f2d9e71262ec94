"""The blocks that docs/generate.py keeps."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_block_is_renewed_and_the_text_around_it_is_kept(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    generate = importlib.import_module("generate")

    monkeypatch.setitem(generate.BLOCKS, "config", lambda: "the newest\n")
    page = "before\n<!-- generated: config -->\nold\n<!-- end generated -->\nafter\n"

    renewed = generate.renewed(page)

    assert renewed == (
        "before\n<!-- generated: config -->\n\nthe newest\n\n"
        "<!-- end generated -->\nafter\n"
    )
    assert generate.renewed(renewed) == renewed


def test_the_pages_are_current():
    check = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )

    assert check.stderr == ""
    assert check.returncode == 0
