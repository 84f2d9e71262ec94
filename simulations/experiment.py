"""From an experiment on a cluster to a scenario: what all of them do alike."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import TypeVar

from simulations.cluster import Cluster
from simulations.conditions import Conditions
from simulations.measure import Measured
from simulations.scenario import Played, Scenario
from simulations.trace import Trace

ParametersT = TypeVar("ParametersT", bound=Conditions)


def experiment(
    name: str,
    summary: str,
    kind: type[ParametersT],
    body: Callable[[ParametersT, Cluster], Measured],
) -> Scenario[ParametersT]:
    """Make a scenario of a function that is given a cluster without hosts.

    When it has returned, all nodes that run are to agree and the invariants are checked
    once more. An exception is a
    violation like any other: a node must not raise, whatever arrives.
    """

    def play(parameters: ParametersT, seed: int, trace: Trace) -> Played:
        cluster = Cluster(parameters, seed=seed, trace=trace)
        measured = Measured({})
        try:
            measured = body(parameters, cluster)
            cluster.invariants.check()
            cluster.invariants.check_nobody_left_down()
        except Exception as error:  # whatever it is, the seed is told
            cluster.invariants.violated(_told(error))
        world = cluster.world
        return Played(measured, world.seconds, tuple(cluster.invariants.violations))

    return Scenario(name, summary, kind, play)


def _told(error: Exception) -> str:
    """An exception in one line: what, and the last places it went through."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{PurePath(f.filename).name}:{f.lineno}" for f in frames)
    return f"{type(error).__name__}: {error} (at {places})"
