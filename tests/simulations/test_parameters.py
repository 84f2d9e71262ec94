"""Parameters: what the command line writes, reads and shows."""

from __future__ import annotations

import shlex

import pytest

from lashup.errors import UsageError
from simulations.conditions import parameters_of
from simulations.scenarios import SCENARIOS
from simulations.scenarios.partition import Partition

PARAMETERS = {p.option: p for p in parameters_of(Partition)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1min", 60), ("25h", 90_000), ("5ms", 0.005), ("1.5", 1.5)],
)
def test_a_duration_takes_a_unit(text, seconds):
    assert PARAMETERS["for"].parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("option", "text"), [("for", "soon"), ("nodes", "1.5"), ("loss", "")]
)
def test_what_is_no_value_is_refused_by_name(option, text):
    with pytest.raises(UsageError, match=f"--{option}"):
        PARAMETERS[option].parse(text)


def test_what_is_no_choice_is_refused_with_the_choices():
    (how,) = (p for p in SCENARIOS["detect"].parameters if p.option == "how")

    with pytest.raises(UsageError, match="crash, pause, slow"):
        how.parse("vanish")


def test_a_shown_value_parses_to_itself():
    for scenario in SCENARIOS.values():
        for each in scenario.parameters:
            assert each.parse(each.show(each.default)) == each.default


def test_a_scenarios_own_parameters_come_before_those_that_all_share():
    options = [p.option for p in SCENARIOS["partition"].parameters]

    assert options.index("split") < options.index("nodes") < options.index("skew")


def test_the_command_of_a_run_names_what_is_not_the_default():
    command = SCENARIOS["partition"].command({"nodes": 20, "split": 0.5}, seed=7)

    assert shlex.split(command) == shlex.split(
        "python -m simulations run partition --nodes 20 --seed 7"
    )


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="--nods"):
        SCENARIOS["steady"].run({"nods": 3}, seed=1)


@pytest.mark.parametrize(
    ("option", "value"), [("nodes", 0), ("loss", 1.5), ("latency", "warp")]
)
def test_a_value_out_of_range_is_refused(option, value):
    with pytest.raises(UsageError, match=option):
        SCENARIOS["steady"].run({option: value}, seed=1)


@pytest.mark.parametrize(
    ("scenario", "option", "most"),
    [
        ("detect", "victims", 4),
        ("rejoin-old-disk", "victims", 4),
        ("overlay", "restarts", 4),
        ("update", "writers", 5),
    ],
)
def test_more_nodes_than_the_cluster_has_are_refused(scenario, option, most):
    kind = SCENARIOS[scenario].kind

    kind(nodes=5, **{option: most})
    with pytest.raises(UsageError, match=f"--{option}: {most + 1} of 5 nodes; {most}"):
        kind(nodes=5, **{option: most + 1})
