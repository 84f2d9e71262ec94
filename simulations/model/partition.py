"""The healing of a partition in which each side has declared the other down.

1.  Each side tries the other's members, `heal_rate` a second; the first that answers
    is the first contact.
2.  Who has come back is asked at once, and the two tables are walked. Each side
    hears of whom it is accused, and gossips that.
3.  Every member, once it hears of its own, refutes; that has to reach all nodes.

From then on it is a matter of gossip's throughput: as long as there is news, a node
sends `gossip_nodes` packets each `gossip_spacing`, full of beliefs. A given belief
reaches a given node at a rate of packets times beliefs over members; a refutation
takes two such times after each other, the accusation to the accused, and its word to
the node. Assumed: packets are always full; those two times are exponential and
independent; nobody is slowed down by work. Left out: walks between others, which
help, and queues at links and processors, which do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lashup.membership.config import LAN
from simulations.measure import Measured, Metric
from simulations.model.delays import Delays
from simulations.model.experiment import Assumed, Model, Times, converged

#: A belief of a member without tags, with its framing, in bytes; and what a packet
#: has besides.
_BELIEF, _HEADER = 62, 80
#: The first contact (the ping that finds it, the refutation, the ping that compares);
#: then questions and answers of the walk: sums, lists, beliefs.
_ROUND_TRIPS = 3 + 4


@dataclass(frozen=True, kw_only=True)
class Partition(Assumed):
    """Parameters."""


def _play(parameters: Partition, rng: np.random.Generator) -> Measured:
    nodes, arrives = parameters.nodes, 1 - parameters.loss
    delays = Delays(parameters.latency)
    contact = rng.exponential(1 / (2 * LAN.heal_rate * arrives))
    walk = _ROUND_TRIPS * 2 * delays.mean / arrives
    # Until everybody has news: each tells so many others a spacing.
    ramp = np.log(nodes) / np.log(1 + LAN.gossip_nodes) * LAN.gossip_spacing
    began = float(contact + walk + ramp)
    pace = nodes / (throughput() * arrives)
    # Only the other side's members are missing from a node's view ...
    seen = began + pace * last_of(nodes // 2, nodes, rng=rng)
    measured = converged(seen, name="sees all members")
    # ... but tables are equal when everybody has the latest word of our side as well.
    ours = began + pace * last_of(nodes - nodes // 2, nodes, rng=rng)
    equal = max(float(seen.max()), float(ours.max()))
    metrics = {**measured.metrics, Metric.HEAL_MEMBERS: equal}
    return Measured(metrics, measured.curves)


def throughput() -> float:
    """Beliefs that a node sends a second while there is news."""
    beliefs = (LAN.max_payload - _HEADER) // _BELIEF
    return LAN.gossip_nodes / LAN.gossip_spacing * beliefs


def last_of(beliefs: int, nodes: int, *, rng: np.random.Generator) -> Times:
    """When each node has the last of so many beliefs, in mean times of one.

    Each belief takes the sum of two exponential times, so `1 - (1 + t) exp(-t)` of
    them have come by t. The time at which all have is drawn by inversion.
    """
    missing = -np.expm1(np.log(rng.random(nodes)) / beliefs)
    times: Times = np.log1p(-np.log(missing)) - np.log(missing)
    for _ in range(30):
        times = np.log1p(times) - np.log(missing)
    return times


PARTITION = Model(
    "partition",
    "A partition heals after each side has declared the other down.",
    Partition,
    (Metric.CONVERGE_50, Metric.CONVERGE_ALL, Metric.HEAL_MEMBERS),
    _play,
)
