"""What the pages of parity cite exists, and no feature of the originals is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.rows import ROWS

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/reference/parity-of-the-table.md").read_text(encoding="utf-8")
OVERLAY = (ROOT / "docs/parity.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [TABLE, OVERLAY], ids=["table", "overlay"])
def test_every_test_that_is_cited_exists(page):
    cited = re.findall(r"`(?:tests/)?([\w/]+\.py)?(?:::)?(test_\w+)?`", page)
    missing = [
        (path, name)
        for path, name in cited
        if (path or name)
        and not any(not name or f"def {name}(" in text for text in _texts(path))
    ]

    assert len(cited) > 10
    assert missing == []


def _texts(path):
    """The files that a citation may mean: all of them where it names none."""
    found = (ROOT / "tests").rglob(path or "test_*.py")
    return [file.read_text(encoding="utf-8") for file in found]


@pytest.mark.parametrize("page", [TABLE, OVERLAY], ids=["table", "overlay"])
def test_every_benchmark_that_is_cited_exists(page):
    named = re.findall(r"`benchmarks`: `([\w-]+)`|`benchmarks run ([\w-]+)`", page)

    assert named
    assert {one or other for one, other in named} <= set(ROWS)


def test_every_feature_of_the_originals_has_its_line():
    of_table = re.findall(r"^\| (k\d\d) \|", TABLE, re.MULTILINE)
    of_overlay = re.findall(r"^\| (n\d\d) \|", OVERLAY, re.MULTILINE)

    assert of_table == [f"k{number:02}" for number in range(1, 25)]
    assert of_overlay == [f"n{number:02}" for number in range(1, 29)]


def test_every_hole_of_the_original_has_its_line():
    holes = re.findall(r"^\| (\d+) \|", OVERLAY, re.MULTILINE)
    mended = re.findall(r"^\| `([0-9a-f]{7})` \|", OVERLAY, re.MULTILINE)

    assert holes == [str(number) for number in range(1, 13)]
    assert len(mended) == 6
