"""One experiment with many seeds: on all cores, with a bar for somebody who waits."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from simulations.conditions import Value
from simulations.measure import Metric
from simulations.scenarios import SCENARIOS

ResultT = TypeVar("ResultT")


def over_seeds(play: Callable[..., ResultT], seeds: int, *, what: str) -> list[ResultT]:
    """What `play(seed=0)` to `play(seed=seeds - 1)` answer, in the order of the seeds.

    Args:
        play: A function of a module, or a `partial` of one: it goes to other processes.
        seeds: How many.
        what: Stands beside the bar, which is drawn on stderr if that is a terminal.

    Raises:
        Exception: Whatever a run raised; the others are then given up.
    """
    jobs = min(seeds, len(os.sched_getaffinity(0)))
    console = Console(stderr=True)
    shown = partial(
        track,
        description=what,
        total=seeds,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    if jobs < 2:
        return [play(seed=seed) for seed in shown(range(seeds))]
    answers: dict[int, ResultT] = {}
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        seed_of = {pool.submit(play, seed=seed): seed for seed in range(seeds)}
        try:
            for done in shown(as_completed(seed_of)):
                answers[seed_of[done]] = done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [answers[seed] for seed in range(seeds)]


def scenario_metric(
    scenario: str, values: Mapping[str, Value], metric: Metric, *, seed: int
) -> float:
    """One figure of one run of a scenario.

    Args:
        scenario: Its name.
        values: Of its parameters; the others have their defaults.
        metric: Which figure.
        seed: Of the run.
    """
    outcome = SCENARIOS[scenario].run(values, seed=seed)
    return float(outcome.metrics[metric])
