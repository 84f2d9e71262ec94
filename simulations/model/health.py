"""How the local health score slows probing under loss, in the long run.

A probe of a healthy member fails when the ping and its repetition, and all helpers,
lose a datagram. The score then rises by the helpers that said nothing, else falls by
one: a chain of nine states, whose stationary distribution is taken. Assumed: probes
fail independently; refutations and stalls do not happen.

Source: Lifeguard, section IV.A; `lashup.membership.health`.
"""

from __future__ import annotations

from math import comb

import numpy as np

from lashup.membership.config import MembershipConfig
from simulations.model.experiment import Times


def multipliers(loss: float, *, config: MembershipConfig) -> Times:
    """How likely each multiplier of the period is: 1, 2, ... up to the limit + 1."""
    states = config.health_limit + 1
    failing = probe_failure(loss, config=config)
    steps = np.zeros((states, states))
    for score in range(states):
        steps[score, max(0, score - 1)] += 1 - failing
        for silent, chance in enumerate(_silent_helpers(loss, config=config)):
            steps[score, min(states - 1, score + silent)] += failing * chance
    stationary = np.full(states, 1 / states)
    for _ in range(2_000):
        stationary = stationary @ steps
    return stationary


def probe_failure(loss: float, *, config: MembershipConfig) -> float:
    """How likely a probe of a healthy member fails."""
    arrives = 1 - loss
    direct = 1 - arrives**2
    by_helper = 1 - arrives**4
    return float(direct**2 * by_helper**config.indirect_probes)


def _silent_helpers(loss: float, *, config: MembershipConfig) -> list[float]:
    """How likely 0, 1, ... helpers say nothing: request or nack was lost."""
    silent = 1 - (1 - loss) ** 2
    count = config.indirect_probes
    return [
        comb(count, k) * silent**k * (1 - silent) ** (count - k)
        for k in range(count + 1)
    ]
