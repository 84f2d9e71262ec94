"""Seeds played in other processes answer as if played one after the other."""

from __future__ import annotations

import os
from functools import partial

import pytest

from benchmarks.seeds import over_seeds, scenario_metric
from simulations.measure import Metric


def _play(base: int, *, seed: int) -> tuple[int, int]:
    if seed == base:
        raise ValueError(f"seed {seed}")
    return base + seed, os.getpid()


@pytest.mark.parametrize("seeds", [0, 1, 5])
def test_answers_come_in_the_order_of_the_seeds(seeds):
    answers = over_seeds(partial(_play, 100), seeds, what="")

    assert [value for value, _ in answers] == list(range(100, 100 + seeds))


def test_what_a_run_raises_is_raised():
    with pytest.raises(ValueError, match="seed 3"):
        over_seeds(partial(_play, 3), 5, what="")


def test_a_figure_is_the_same_in_any_process():
    play = partial(scenario_metric, "update", {"nodes": 5}, Metric.CONVERGE_ALL)

    assert over_seeds(play, 3, what="") == [play(seed=seed) for seed in range(3)]
