"""One write until all nodes have it: multicast, then anti-entropy for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lashup.multicast.multicast import MulticastConfig
from simulations.conditions import parameter
from simulations.measure import Measured, Metric
from simulations.model.delays import Delays
from simulations.model.experiment import Assumed, Model, converged
from simulations.model.repair import repaired
from simulations.model.trees import multicast


@dataclass(frozen=True, kw_only=True)
class Update(Assumed):
    """Parameters."""

    disk: float = parameter(0.002, "Time that the writer's commit takes.", unit="s")
    settle: float = parameter(
        0.0,
        "How long a difference of digests is left alone: 0 in a table that was empty, "
        "as in the exact scenario, 250 ms otherwise.",
        unit="s",
    )


def _play(parameters: Update, rng: np.random.Generator) -> Measured:
    delays = Delays(parameters.latency)
    sent = multicast(
        parameters.nodes,
        arity=MulticastConfig().arity,
        loss=parameters.loss,
        delays=delays,
        rng=rng,
    )
    at = sent.at + parameters.disk
    lacking = np.isinf(at)
    since = np.full(int(lacking.sum()), parameters.disk)
    at[lacking] = repaired(
        since,
        nodes=parameters.nodes,
        settle=parameters.settle,
        loss=parameters.loss,
        delays=delays,
        rng=rng,
    )
    measured = converged(at, name="has all updates")
    copies = sent.copies / parameters.nodes
    return Measured({**measured.metrics, Metric.COPIES: copies}, measured.curves)


UPDATE = Model(
    "update",
    "One write reaches all nodes.",
    Update,
    (Metric.CONVERGE_50, Metric.CONVERGE_99, Metric.CONVERGE_ALL),
    _play,
)
