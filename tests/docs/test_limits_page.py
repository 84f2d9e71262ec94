"""The page of limits says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lashup import NodeConfig
from lashup.crdt.field import DEEPEST_NAME
from lashup.kv.announcements import GAP, LONG_GAP
from lashup.kv.delta_codec import DEEPEST_PATH, LARGEST_FACT
from lashup.kv.limits import Limits
from lashup.savings import _WITHIN
from lashup.wire.readers import DEEPEST

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "limits.md"
TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())
UNITS = {"KiB": 1_024}
LIMITS, CONFIG = Limits(), NodeConfig(name="a")


@pytest.mark.parametrize(
    ("what", "is_so"),
    [
        ("one key, packed", LIMITS.key),
        ("one value", LIMITS.value),
        ("one path, all steps", LIMITS.path),
        ("steps of a path: maps in maps", LIMITS.depth),
        ("facts that one update makes and removes", LIMITS.facts),
        ("one update", LIMITS.update),
        ("updates that wait for the disk", LIMITS.waiting),
        ("facts in the table: warning", LIMITS.store_warning),
        ("facts in the table", LIMITS.store),
        ("a clock ahead of ours", CONFIG.max_clock_skew),
    ],
)
def test_a_default_in_the_table_is_that_of_the_code(what: str, is_so: float) -> None:
    found = re.search(rf"\| {re.escape(what)} \| ([0-9,]+) ?(\w*)", TEXT)

    assert found is not None
    assert int(found[1].replace(",", "")) * UNITS.get(found[2], 1) == is_so


@pytest.mark.parametrize(
    "sentence",
    [
        f"({LARGEST_FACT // 1_024} KiB a fact, {DEEPEST_PATH} steps)",
        f"tuples of these, {DEEPEST_NAME} deep",
        f"{DEEPEST} containers deep",
        f"within {GAP * 1_000:.0f} ms, is told",
        f"({LONG_GAP * 1_000:.0f} from one who writes",
        f"on its way to this node's disk within {_WITHIN * 1_000:.0f} ms",
    ],
)
def test_a_number_in_the_text_is_that_of_the_code(sentence: str) -> None:
    assert sentence in TEXT


def test_it_says_whether_actors_retire() -> None:
    assert CONFIG.retire_after == 0
    assert "for ever, unless `retire_after` is set (it is not;" in TEXT
