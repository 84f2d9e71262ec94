"""What multicast has not reached comes by anti-entropy: when, for each that lacks it.

A node that lacks something hears an unequal digest with the next ack to its own
probe, or with the next ping of another, waits until the difference has settled, and
then asks in so many round trips. Assumed: whoever it hears of has it (few lack it);
pings of others come at random, one a period on average; a lost question or answer
is repeated after 0.08, 0.16 and then every 0.32 s, as in the exact machine; nobody
gives a peer up. A ping that is lost is repeated, and three helpers ping as well: each
way of these brings a digest too.
"""

from __future__ import annotations

import numpy as np

from lashup.kv.anti_entropy import RETRY_AFTER
from lashup.membership.config import LAN
from simulations.model.delays import Delays
from simulations.model.experiment import Times
from simulations.model.health import probe_failure

#: Questions after each other: the root's sums and the one record below it in one
#: answer, as a small table is listed at once; then the request for the facts.
_ROUND_TRIPS = 2
#: Contacts that one node waits for, at most; with all of them lost it never comes.
_CONTACTS = 64


def repaired(
    missing: Times,
    *,
    settle: float,
    loss: float,
    delays: Delays,
    rng: np.random.Generator,
) -> Times:
    """When each node has it, given since when it could be had elsewhere.

    Args:
        missing: For each node that lacks it, the time from which others have it.
        settle: Seconds for which a difference is left alone.
        loss: Share of datagrams that are lost.
        delays: One way.
        rng: All chance.
    """
    count = len(missing)
    if not count:
        return missing
    heard = missing + _first_digest(count, loss=loss, delays=delays, rng=rng)
    at = heard + settle
    for _ in range(_ROUND_TRIPS):
        at = at + delays.draw(count, rng) + delays.draw(count, rng)
        at = at + _retries(count, loss=loss, rng=rng)
    return at


def _first_digest(
    count: int, *, loss: float, delays: Delays, rng: np.random.Generator
) -> Times:
    """Until a digest arrives: own probes once a period, those of others at random."""
    period = LAN.probe_period
    phase = rng.uniform(0, period, count)
    failed = rng.geometric(1 - probe_failure(loss, config=LAN), count) - 1
    own = phase + np.minimum(failed, _CONTACTS) * period
    own = own + delays.draw(count, rng) + delays.draw(count, rng)
    # The first ping, or the second once the round trip has timed out.
    second = rng.random(count) >= (1 - loss) ** 2
    own = own + second * LAN.probe_timeout_floor
    # Of one probe by another, no ping at all gets through to us.
    unheard = loss**2 * (1 - (1 - loss) ** 2) ** LAN.indirect_probes
    others = rng.exponential(period / (1 - unheard), count)
    others = others + (rng.random(count) < loss) * LAN.probe_timeout_floor
    return np.minimum(own, others)


def _retries(count: int, *, loss: float, rng: np.random.Generator) -> Times:
    lost = np.minimum(rng.geometric((1 - loss) ** 2, count) - 1, _CONTACTS)
    # 0.08, 0.16, and from then on 0.32 seconds each.
    doubled = np.minimum(lost, 2)
    waited: Times = RETRY_AFTER * ((2.0**doubled - 1) + 4.0 * (lost - doubled))
    return waited
