"""Results on disk, in summary and as columns."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import UsageError
from simulations.measure import Metric
from simulations.results import (
    RUNS,
    Record,
    Results,
    document,
    group,
    read_results,
    summaries,
)
from simulations.results.columns import rows, write_csv, write_parquet
from tests.simulations.example_runs import outcome, record


def test_a_record_comes_back_from_its_line_as_it_was():
    kept = record(7)

    assert Record.of_line(kept.to_line()) == kept


def test_results_that_were_kept_are_there_when_the_directory_is_opened_again(tmp_path):
    with Results.open(tmp_path / "new" / "results") as results:
        results.append(record(1))
        results.append(record(2))

    with Results.open(tmp_path / "new" / "results") as again:
        assert list(again.records.values()) == [record(1), record(2)]


def test_a_line_that_was_being_written_is_cut_off_and_the_next_is_whole(tmp_path):
    with Results.open(tmp_path) as results:
        results.append(record(1))
    whole = (tmp_path / RUNS).read_bytes()
    (tmp_path / RUNS).write_bytes(whole + record(2).to_line().encode()[:100])

    with Results.open(tmp_path) as results:
        results.append(record(3))

    assert read_results(tmp_path) == [record(1), record(3)]


def test_a_run_that_was_repeated_counts_once_and_the_latest_counts(tmp_path):
    with Results.open(tmp_path) as results:
        results.append(record(1, code="old"))
        results.append(record(1, code="new"))

    assert read_results(tmp_path) == [record(1, code="new")]


def test_two_cannot_write_to_one_directory_at_a_time(tmp_path):
    with Results.open(tmp_path), pytest.raises(UsageError, match="another sweep"):
        Results.open(tmp_path).__enter__()


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", "no json", '{"schema": 99}', '{"schema": 1}']
)
def test_a_line_that_is_no_run_is_named(tmp_path, line):
    (tmp_path / RUNS).write_text(f"{record(1).to_line()}\n{line}\n")

    with pytest.raises(UsageError, match="line 2"):
        read_results(tmp_path)


def test_a_directory_without_results_is_named(tmp_path):
    with pytest.raises(UsageError, match="no results there"):
        read_results(tmp_path / "nowhere")


def test_a_summary_says_median_p99_worst_and_whose_that_is():
    runs = [outcome(seed) for seed in range(1, 101)]

    found = summaries(runs)[Metric.HEAL]

    assert (found.median, found.p99, found.worst) == (51.5, 100.0, 101.0)
    assert (found.worst_seed, found.count) == (100, 100)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_a_summary_is_in_order_and_made_of_measured_values(values):
    runs = [outcome(i, metrics={Metric.HEAL: v}) for i, v in enumerate(values)]

    found = summaries(runs)[Metric.HEAL]

    assert min(values) <= found.median <= found.p99 <= found.worst == max(values)
    assert found.p99 in values


def test_a_run_that_did_not_get_there_has_no_metric_and_the_summary_counts_it():
    runs = [outcome(1), outcome(2, metrics={})]

    assert summaries(runs)[Metric.HEAL].count == 1


def test_runs_that_differ_in_more_than_the_seed_are_not_put_together():
    groups = group([record(2), record(1), record(1, nodes=8), record(1, loss=0.1)])

    assert [(g.parameters["nodes"], g.seeds) for g in groups] == [
        (4, (1, 2)),
        (8, (1,)),
        (4, (1,)),
    ]


def test_the_document_has_the_promised_form():
    (one,) = group([record(1), record(2)])

    found = json.loads(json.dumps(document(one)))

    assert list(found) == ["schema", "scenario", "parameters", "seeds", "summary"]
    assert found["schema"] == 1
    seed = found["seeds"][0]
    fixed = ["seed", "trace_sha256", "wall_s", "virtual_s", "peak_rss_bytes"]
    assert list(seed)[:5] == fixed
    assert seed["heal_s"] == 2.0
    assert "detect_all_s" not in seed
    assert found["summary"]["heal_s"] == {
        "median": 2.5,
        "p99": 3.0,
        "worst": 3.0,
        "count": 2,
    }


def test_csv_has_a_row_for_each_run_and_a_column_for_each_number(tmp_path):
    write_csv([record(1), record(2, nodes=8)], tmp_path / "runs.csv")

    with (tmp_path / "runs.csv").open(newline="") as file:
        table = list(csv.DictReader(file))

    assert [(row["seed"], row["nodes"], row["heal_s"]) for row in table] == [
        ("1", "4", "2.0"),
        ("2", "8", "3.0"),
    ]


@pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)
def test_parquet_has_the_same_rows(tmp_path):
    # pyarrow is loaded elsewhere: its threads must not meet our forked workers.
    kept = [record(1), record(2, nodes=8)]
    path = tmp_path / "runs.parquet"
    code = (
        "import sys, json, pyarrow.parquet as pq;"
        "print(json.dumps(pq.read_table(sys.argv[1]).to_pylist()))"
    )

    assert write_parquet(kept, path)

    out = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(out.stdout) == rows(kept)


def test_without_pyarrow_there_is_no_parquet_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert not write_parquet([record(1)], tmp_path / "runs.parquet")
    assert not (tmp_path / "runs.parquet").exists()
