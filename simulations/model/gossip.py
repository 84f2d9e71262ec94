"""One belief from one node to all: bursts of gossip, then what rides on packets.

News is gossiped at once, and then every gossip period, to a few members each time,
until it was sent often enough. A repeated accusation is no news: where gossip has
fallen silent it rides only on pings and acks. Assumed: members are chosen without
regard to whom was chosen before; a packet has room for the belief; what rides on
packets while gossip lasts is left out (it is a tenth of it).
"""

from __future__ import annotations

import math

import numpy as np

from lashup.membership.config import MembershipConfig
from lashup.membership.dissemination import transmissions
from simulations.model.delays import Delays
from simulations.model.experiment import Times

#: Pings and acks that a node sends a probe period.
_PACKETS = 2.0
#: Part of a period in which riding is one step.
_STEP = 0.02
#: Steps after which riding ends: whoever has not heard by then never does.
_STEPS = 3_000


def gossiped(
    size: int,
    *,
    config: MembershipConfig,
    loss: float,
    delays: Delays,
    rng: np.random.Generator,
    is_urgent: bool = False,
) -> Times:
    """When each node hears news that node 0 has at time 0; infinite if it does not.

    Args:
        size: Nodes.
        config: Timing, and how many one round goes to.
        loss: Share of packets that are lost.
        delays: Of the others.
        rng: All chance.
        is_urgent: Whether a node's first round goes to so many that nearly all hear
            of it in one go.
    """
    at = np.full(size, np.inf)
    at[0] = 0.0
    sends = transmissions(size, multiplier=config.retransmissions)
    wide = fanout(size, is_urgent=is_urgent, config=config)
    # When each node gossips next (infinite: never), and how many packets it has sent.
    due = np.full(size, np.inf)
    due[0] = 0.0
    done = np.zeros(size, dtype=np.int16)
    flying, to = np.empty(0), np.empty(0, dtype=np.int64)
    while True:
        start = min(due.min(), flying.min(initial=np.inf))
        if start == np.inf:
            return at
        end = start + delays.window
        flying, to = _arrive(flying, to, at, due, end=end)
        ready = np.flatnonzero(due < end)
        width = np.where(done[ready] == 0, wide, config.gossip_nodes)
        width = np.minimum(width, sends - done[ready])
        sent_at = np.repeat(due[ready], width)
        done[ready] += width.astype(np.int16)
        last = done[ready] >= sends
        due[ready] += config.gossip_period
        due[ready[last]] = np.inf
        chosen = rng.integers(0, size, len(sent_at))
        arrives = rng.random(len(sent_at)) >= loss
        sent_at, chosen = sent_at[arrives], chosen[arrives]
        flying = np.concatenate((flying, sent_at + delays.draw(len(sent_at), rng)))
        to = np.concatenate((to, chosen))


def fanout(size: int, *, is_urgent: bool, config: MembershipConfig) -> int:
    """How many a node's first round of gossip about something goes to."""
    enough = math.ceil(math.log(size + 1)) + 3 if is_urgent else 0
    return max(config.gossip_nodes, enough)


def ridden(
    size: int, *, config: MembershipConfig, loss: float, rng: np.random.Generator
) -> Times:
    """The same of a belief that is not news: it rides on pings and acks only."""
    at = np.full(size, np.inf)
    at[0] = 0.0
    rate = _PACKETS / config.probe_period * (1 - loss) * _STEP * config.probe_period
    knowing = 1
    for step in range(1, _STEPS):
        heard = np.unique(rng.integers(0, size, rng.poisson(knowing * rate)))
        news = heard[at[heard] == np.inf]
        at[news] = step * _STEP * config.probe_period
        knowing += len(news)
        if knowing == size:
            break
    return at


def _arrive(
    flying: Times, to: np.typing.NDArray[np.int64], at: Times, due: Times, *, end: float
) -> tuple[Times, np.typing.NDArray[np.int64]]:
    """Take in what arrives before `end`; returns what is still on its way."""
    ready = flying < end
    now, nodes = flying[ready], to[ready]
    order = np.argsort(now, kind="stable")
    nodes, first = np.unique(nodes[order], return_index=True)
    now = now[order][first]
    news = at[nodes] == np.inf
    at[nodes[news]] = now[news]
    due[nodes[news]] = now[news]
    return flying[~ready], to[~ready]
