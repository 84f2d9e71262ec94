"""What multicast has not reached comes by anti-entropy: when, for each that lacks it.

A node that lacks something hears an unequal digest with the next ack to its own
probe, with the ping of the one who has to probe it in this period, or with the ack to a
ping that it sends as somebody's witness; waits until the difference has settled, and
then asks in so many round trips. Assumed: whoever it hears of has it (few lack it); it
is asked to be a witness at random times; a lost question or answer is repeated after
0.08, 0.16 and then every 0.32 s, as in the exact machine; nobody gives a peer up; loss
is news, so a probe has as many witnesses as in a network that was good. A ping that is
lost is repeated, and the witnesses ping as well: each way of these brings a digest too.
"""

from __future__ import annotations

import numpy as np

from lashup.kv.anti_entropy import RETRY_AFTER
from lashup.membership.config import LAN
from lashup.membership.panel import SPARE_WITNESSES
from lashup.membership.witnesses import witnesses_needed
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
    nodes: int,
    settle: float,
    loss: float,
    delays: Delays,
    rng: np.random.Generator,
) -> Times:
    """When each node has it, given since when it could be had elsewhere.

    Args:
        missing: For each node that lacks it, the time from which others have it.
        nodes: Of the whole cluster.
        settle: Seconds for which a difference is left alone.
        loss: Share of datagrams that are lost.
        delays: One way.
        rng: All chance.
    """
    count = len(missing)
    if not count:
        return missing
    heard = missing + _first_digest(
        count, nodes=nodes, loss=loss, delays=delays, rng=rng
    )
    at = heard + settle
    for _ in range(_ROUND_TRIPS):
        at = at + delays.draw(count, rng) + delays.draw(count, rng)
        at = at + _retries(count, loss=loss, rng=rng)
    return at


def _first_digest(
    count: int, *, nodes: int, loss: float, delays: Delays, rng: np.random.Generator
) -> Times:
    """Until a digest arrives: own and others' probes once a period, or as witness."""
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
    others = rng.uniform(0, period, count)
    others = others + period * (rng.geometric(1 - unheard, count) - 1)
    others = others + (rng.random(count) < loss) * LAN.probe_timeout_floor
    first: Times = np.minimum(own, others)
    if asked := requests(nodes, loss=loss):
        as_witness = rng.exponential(period / asked, count)
        as_witness = as_witness + delays.draw(count, rng) + delays.draw(count, rng)
        first = np.minimum(first, as_witness)
    return first


def requests(nodes: int, *, loss: float) -> float:
    """How often a node is asked to be a witness, in a period, though nobody is gone.

    Every member probes one, and one more where it has not heard the ping that was due;
    whoever has no answer to the first ping asks. So many members ask as are asked.
    """
    needed = witnesses_needed(
        0.0, others=nodes - 2, most=LAN.witnesses - SPARE_WITNESSES
    )
    wanted = max((needed or 0) + SPARE_WITNESSES, LAN.indirect_probes)
    asking = (1 + loss) * (1 - (1 - loss) ** 2)
    return asking * min(wanted, nodes - 2) * (1 - loss)


def _retries(count: int, *, loss: float, rng: np.random.Generator) -> Times:
    lost = np.minimum(rng.geometric((1 - loss) ** 2, count) - 1, _CONTACTS)
    # 0.08, 0.16, and from then on 0.32 seconds each.
    doubled = np.minimum(lost, 2)
    waited: Times = RETRY_AFTER * ((2.0**doubled - 1) + 4.0 * (lost - doubled))
    return waited
