"""A crash until all nodes take the victim for down.

Every node comes to probe the victim at its own time, some period into its ring; the
probe fails at the end of that period, and the node accuses. The first accusation is
news and is gossiped; the next two confirm it. On each node the suspicion's clock runs
from when it first heard, shortened as it hears of confirmations; where it runs out,
"down" is news and is gossiped. Exact: the ladder of timeouts. Assumed: rings are in a
random state; one crash at a time; nobody healthy is suspected meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lashup.membership.config import LAN, MembershipConfig
from lashup.membership.suspicion import Ladder, ladder, suspicion_timeout
from simulations.measure import Curve, Measured, Metric
from simulations.model.delays import Delays
from simulations.model.experiment import Assumed, Model, Times, converged
from simulations.model.gossip import gossiped, ridden
from simulations.model.health import multipliers


@dataclass(frozen=True, kw_only=True)
class Detect(Assumed):
    """Parameters."""


def _play(parameters: Detect, rng: np.random.Generator) -> Measured:
    config, delays = LAN, Delays(parameters.latency)
    survivors = parameters.nodes - 1
    rungs = ladder(parameters.nodes, config=config)
    accusations = first_accusations(
        survivors, rungs.wanted + 1, loss=parameters.loss, config=config, rng=rng
    )
    loss = parameters.loss
    heard = [
        accusations[0]
        + gossiped(survivors, config=config, loss=loss, delays=delays, rng=rng)
    ]
    for at in accusations[1:]:
        # Each accuser is somebody else; the first to hear of it is not node 0.
        spread = ridden(survivors, config=config, loss=loss, rng=rng)
        heard.append(at + rng.permutation(spread))
    own = expiry(heard, rungs)
    first = float(own.min())
    told = first + gossiped(survivors, config=config, loss=loss, delays=delays, rng=rng)
    down = np.minimum(own, told)
    measured = converged(down, name="takes the victim for down")
    metrics = {Metric.DETECT_FIRST: first, Metric.DETECT_ALL: float(down.max())}
    curve: tuple[Curve, ...] = measured.curves
    return Measured({**measured.metrics, **metrics}, curve)


def first_accusations(
    probers: int,
    wanted: int,
    *,
    loss: float,
    config: MembershipConfig,
    rng: np.random.Generator,
) -> list[float]:
    """When the first so many nodes accuse, counted from the crash.

    Every node's ring is in a random state: so many members are left of this round,
    and the victim is among them or comes in the next.
    """
    others = probers
    left = rng.integers(0, others, probers)
    is_left = rng.random(probers) < left / others
    ahead = np.where(
        is_left,
        rng.random(probers) * left,
        left + rng.random(probers) * others,
    ).astype(np.int64)
    chances = multipliers(loss, config=config)
    stretch = 1 + rng.choice(len(chances), probers, p=chances)
    mean = float(np.arange(1, len(chances) + 1) @ chances)
    phase = rng.random(probers) * stretch
    # So many whole periods, each as long as the node's health makes it, then its own.
    periods = phase + ahead * mean + stretch
    return [float(at) for at in np.sort(periods)[:wanted] * config.probe_period]


def expiry(heard: list[Times], rungs: Ladder) -> Times:
    """When each node's clock runs out.

    Args:
        heard: For each accusation, when each node hears of it.
        rungs: The ladder of timeouts.
    """
    # In the order in which this node heard of them, whoever accused first.
    ordered = np.sort(np.stack(heard), axis=0)
    began = ordered[0]
    out: Times = np.full_like(began, np.inf)
    for confirmations in range(len(heard)):
        timeout = suspicion_timeout(
            confirmations,
            wanted=rungs.wanted,
            minimum=rungs.minimum,
            maximum=rungs.maximum,
        )
        # With so many confirmations it runs out then, or at once if that is past.
        out = np.minimum(out, np.maximum(began + timeout, ordered[confirmations]))
    return out


DETECT = Model(
    "detect",
    "One node crashes; all others come to take it for down.",
    Detect,
    (Metric.DETECT_FIRST, Metric.DETECT_ALL),
    _play,
)
