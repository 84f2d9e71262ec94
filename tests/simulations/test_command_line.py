"""`python -m simulations` as a user and a script meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import UsageError
from simulations.campaign import Broken, Task, run_on_processes
from simulations.campaign.task import all_parameters, command_for, seeds_text
from simulations.cli import FAILED, OK, USAGE, main
from simulations.cli.seeds import seeds_of
from simulations.conditions import Conditions
from simulations.experiment import experiment
from simulations.faults import Partition
from simulations.measure import Measured
from simulations.results import RUNS, read_results
from simulations.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "simulations"]


def simulations(*arguments: str, code: int = OK) -> subprocess.CompletedProcess[str]:
    """Run the command; it must end with this exit code, and without a traceback."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_list_names_every_scenario_and_its_parameters(capsys):
    assert main(["list"]) == OK
    text = capsys.readouterr().out
    assert main(["list", "--json"]) == OK
    described = json.loads(capsys.readouterr().out)

    assert [each["name"] for each in described] == list(SCENARIOS)
    for scenario in SCENARIOS.values():
        assert scenario.summary in text
        for parameter in scenario.parameters:
            assert f"--{parameter.option} " in text


def test_no_parameter_of_a_scenario_hides_behind_an_option_of_run():
    ours = {"seed", "seeds", "jobs", "json", "trace", "output", "scheduler", "help"}

    for scenario in SCENARIOS.values():
        assert not ours & {each.option for each in scenario.parameters}, scenario.name


def test_help_teaches_by_examples(capsys):
    for arguments in (["--help"], ["run", "partition", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == OK
        assert "python -m simulations run partition" in capsys.readouterr().out


def test_a_run_answers_in_the_documented_form_and_the_same_twice():
    arguments = ("run", "update", "--nodes", "5", "--seeds", "2", "--json")

    first, second = (json.loads(simulations(*arguments).stdout) for _ in range(2))

    assert first["scenario"] == "update"
    assert first["parameters"]["nodes"] == 5
    assert [each["seed"] for each in first["seeds"]] == [1, 2]
    traces = [[s["trace_sha256"] for s in found["seeds"]] for found in (first, second)]
    assert traces[0] == traces[1]
    assert traces[0][0] != traces[0][1]


def test_the_command_of_a_run_replays_it(capsys):
    main(["run", "update", "--nodes", "5", "--loss", "0.2", "--seed", "3", "--json"])
    run = json.loads(capsys.readouterr().out)["seeds"][0]

    words = run["command"].removeprefix("python -m simulations ").split()
    main([*words, "--json"])

    again = json.loads(capsys.readouterr().out)["seeds"][0]
    assert again["trace_sha256"] == run["trace_sha256"]


def test_durations_take_their_units(capsys):
    main(["run", "steady", "--nodes", "3", "--for", "0.05min", "--seed", "1", "--json"])

    assert json.loads(capsys.readouterr().out)["parameters"]["for"] == 3.0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nodes", "many"], "--nodes"),
        (["--nodes", "0"], "--nodes"),
        (["--loss", "1.5"], "--loss"),
        (["--loss", "nan"], "--loss"),
        (["--for", "60 parsecs"], "--for"),
        (["--for=-5s"], "--for"),
        (["--latency", "quick"], "--latency"),
        (["--seeds", "a-b"], "--seeds"),
        (["--seeds", "0"], "--seeds"),
        (["--jobs", "0"], "--jobs"),
        (["--colour", "red"], "--colour"),
        (["--seeds", "2", "--trace", "file"], "--trace"),
        (["--trace", "/dev/null/file"], "--trace"),
        (["--trace", "file", "--scheduler", "tcp://x:1"], "--trace"),
        (["--parts", "1"], "--parts"),
        (["--split", "1.1"], "--split"),
        (["--latency", "samples:/dev/null"], "--latency"),
        (["--mtu", "10"], "--mtu: 10 is below 508"),
        (["--latency", "normal:1ms"], "--latency: 'normal:1ms' is none of constant:T"),
    ],
)
def test_a_bad_value_is_an_error_that_names_it(arguments, named, capsys):
    assert main(["run", "partition", *arguments]) == USAGE

    told = capsys.readouterr().err
    assert told.startswith(f"error: {named}")
    assert "run partition --help" in told


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "churn", "--every", "0"], "--every"),
        (["run", "churn", "--crashes", "2"], "--crashes"),
        (["run", "detect", "--how", "slow", "--running", "0"], "--running"),
        (["run", "flood", "--rate", "0"], "--rate"),
        (["run", "update", "--size", "20000"], "--size"),
        (["sweep", "bootstrap", "--actors", "3,0"], "--actors"),
        (["model", "update", "--loss", "1"], "--loss"),
        (["model", "detect", "--nodes", "3"], "--nodes"),
        (["model", "partition", "--nodes", "20000000"], "--nodes"),
    ],
)
def test_what_would_end_in_an_error_of_ours_or_never_is_refused(
    arguments, named, capsys
):
    assert main(arguments) == USAGE

    assert capsys.readouterr().err.startswith(f"error: {named}: ")


def test_an_unknown_scenario_is_an_error_that_names_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "earthquake"])

    assert ended.value.code == USAGE
    assert "partition" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (1, 2, 3)),
        ("5-7", (5, 6, 7)),
        ("3,7-9,3", (3, 7, 8, 9)),
        ("9-9", (9,)),
    ],
)
def test_seeds_are_a_number_a_range_or_a_list(text, seeds):
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "5-", "7-5", "1-9999999", "0", "1,,2"])
def test_what_is_no_seeds_is_refused(text):
    with pytest.raises(UsageError, match="--seeds"):
        seeds_of(text)


def test_a_command_for_many_seeds_names_them_as_briefly_as_it_can():
    parameters = all_parameters("partition", {"nodes": 7})

    assert command_for("partition", parameters, [2, 3, 1]) == (
        "python -m simulations run partition --nodes 7 --seeds 1-3"
    )


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=50))
def test_seeds_that_were_written_are_read_back(seeds):
    assert set(seeds_of(seeds_text(seeds))) == seeds


def test_the_trace_is_a_json_line_for_each_event(tmp_path):
    trace = tmp_path / "trace.jsonl"

    simulations("run", "update", "--nodes", "3", "--seed", "1", "--trace", str(trace))

    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert {"start", "datagram"} <= {event["what"] for event in events}
    times = [event["t"] for event in events]
    assert times == sorted(times)


def _breaks(parameters, cluster):
    cluster.add(parameters.nodes)
    cluster.invariants.violated("two and two made five")
    return Measured({})


def test_a_run_that_violates_an_invariant_shows_the_command_that_replays_it(
    capsys, monkeypatch
):
    kind = SCENARIOS["update"].kind
    broken = experiment("update", "It breaks.", kind, _breaks)
    monkeypatch.setitem(SCENARIOS, "update", broken)
    monkeypatch.setattr("simulations.cli.commands.run_on_processes", _in_this_process)

    assert main(["run", "update", "--nodes", "3", "--loss", "0.1"]) == FAILED

    told = capsys.readouterr().err
    assert "two and two made five" in told
    command = "python -m simulations run update --nodes 3 --loss 0.1 --seed 1"
    assert command in told.splitlines()[-1]


def test_a_model_that_is_checked_against_runs_that_break_says_so(capsys, monkeypatch):
    kind = SCENARIOS["update"].kind
    broken = experiment("update", "It breaks.", kind, _breaks)
    monkeypatch.setitem(SCENARIOS, "update", broken)
    monkeypatch.setattr("simulations.cli.model.run_on_processes", _in_this_process)

    assert (
        main(["model", "update", "--nodes", "4", "--seeds", "1", "--check"]) == FAILED
    )

    assert "two and two made five" in capsys.readouterr().err


def test_whoever_is_left_down_at_the_end_of_any_experiment_is_noticed():
    def body(parameters, cluster):
        names = [host.name for host in cluster.add(parameters.nodes)]
        cluster.start_acquainted()
        split = Partition([names[:2], names[2:]])
        cluster.put_in(split)
        cluster.run_for(60.0)
        cluster.take_out(split)
        return Measured({})

    careless = experiment("careless", "It does not heal.", Conditions, body)

    (violation, *_) = careless.run({"nodes": 4}, seed=1).violations
    assert "leaves n0000" in violation


def _in_this_process(tasks, *, jobs):
    from simulations.campaign import play

    assert jobs is None
    return map(play, tasks)


def test_a_process_that_is_killed_takes_only_its_own_run_with_it(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    parameters = all_parameters("update", {"nodes": 3})
    # This one waits for a reader of its trace that does not come.
    stuck = Task("update", parameters, 1, pipe)
    tasks = [stuck, Task("update", parameters, 2)]

    results = run_on_processes(tasks, jobs=2)
    first = next(results)
    for child in _workers():
        os.kill(child, signal.SIGKILL)
    second = next(results)

    assert first.task.seed == 2
    assert isinstance(second, Broken)
    assert "SIGKILL" in second.reason


def _workers() -> list[int]:
    """Processes that work for this one: their command line says forkserver."""
    import multiprocessing

    return [child.pid for child in multiprocessing.active_children() if child.pid]


def test_a_sweep_that_was_killed_goes_on_where_it_was(tmp_path):
    output = tmp_path / "results"
    arguments = ["sweep", "update", "--nodes", "4,8", "--loss", "0,0.1", "--seeds"]
    command = [*COMMAND, *arguments, "5", "--jobs", "1", "-o", str(output), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        kept = output / RUNS
        deadline = time.monotonic() + 60
        while not kept.exists() or kept.read_text().count("\n") < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.kill()
    before = kept.read_text().split("\n")[:-1]

    done = simulations(*arguments, "5", "-o", str(output), "--json")

    assert 3 <= len(before) < 20
    assert f"{len(before)} of 20 runs were there before" in done.stderr
    assert kept.read_text().split("\n")[: len(before)] == before
    assert len(read_results(output)) == 20
    found = json.loads(done.stdout)
    assert [len(each["seeds"]) for each in found] == [5, 5, 5, 5]
    assert (output / "runs.csv").read_text().count("\n") == 21


def test_runs_of_other_code_are_run_again(tmp_path, capsys):
    arguments = ["sweep", "update", "--nodes", "4", "-o", str(tmp_path)]
    main(arguments)
    (old,) = read_results(tmp_path)
    line = (tmp_path / RUNS).read_text().replace(old.code, "another version!")
    (tmp_path / RUNS).write_text(line)

    assert main(arguments) == OK

    (new,) = read_results(tmp_path)
    assert new.code == old.code
    assert "were there before" not in capsys.readouterr().err
