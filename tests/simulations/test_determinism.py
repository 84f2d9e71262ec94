"""A run is a function of its parameters and its seed, wherever it is played."""

from __future__ import annotations

from pathlib import Path

from tests.simulations.runs import SMALL, THIS_PYTHON, hashes_in_a_process, play


def test_a_run_is_the_same_in_processes_that_hash_strings_differently():
    names = list(SMALL)

    one = hashes_in_a_process(names, hash_seed="1", python=THIS_PYTHON)
    other = hashes_in_a_process(names, hash_seed="2", python=THIS_PYTHON)

    assert dict(zip(names, one, strict=True)) == dict(zip(names, other, strict=True))


def test_a_run_is_the_same_after_other_runs_in_the_same_process():
    before = play("churn", 1)
    play("partition", 2)

    after = play("churn", 1)

    assert after.trace_sha256 == before.trace_sha256
    assert after.metrics == before.metrics
    assert after.curves == before.curves


def test_another_seed_is_another_run():
    assert play("update", 1).trace_sha256 != play("update", 2).trace_sha256


def test_writing_the_trace_to_a_file_changes_nothing(tmp_path: Path):
    from simulations.scenarios import SCENARIOS

    path = tmp_path / "trace"
    scenario, values = SCENARIOS["takeover"], SMALL["takeover"]

    written = scenario.run(values, seed=1, trace_file=path)

    assert written.trace_sha256 == play("takeover", 1).trace_sha256
    assert '"what": "start"' in path.read_text()
