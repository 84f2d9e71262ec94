"""What a full run found is kept, and says of which code it was."""

from __future__ import annotations

import json

import pytest

from benchmarks import saved
from benchmarks.__main__ import answer
from benchmarks.row import Case, Row

ROW = Row("a-row", "w", "µs", "g", "p", lambda _: [])


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_what_was_saved_is_there_again(results):
    first = answer(ROW, [Case("a", 1.5, ok=True, p99=3.0)])

    path = saved.save(first)

    kept = saved.saved()
    assert path.parent == results
    assert list(kept) == ["a-row"]
    ran = kept["a-row"].pop("ran")
    assert kept["a-row"] == first
    assert list(ran) == ["date", "commit", "machine"]


def test_a_later_run_takes_the_place_of_an_earlier_one(results):
    saved.save(answer(ROW, [Case("a", 1, ok=True)]))
    path = saved.save(answer(ROW, [Case("a", 2, ok=False)]))

    assert json.loads(path.read_text())["cases"][0]["value"] == 2
    assert len(list(results.iterdir())) == 1
