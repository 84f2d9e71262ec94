"""A multicast through the two trees, all members at once.

Exact: the trees (by rank, as in `lashup.multicast.tree`), that the first copy is
forwarded in both, loss and delay of every copy. Assumed: all members have the same
list of members; forwarding takes no time; a message is one datagram.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulations.model.delays import Delays
from simulations.model.experiment import Times

Ranks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Multicast:
    """What came of one message.

    Attributes:
        at: When each rank had it; infinite for those that it did not reach.
        copies: Copies that arrived, all members together.
    """

    at: Times
    copies: int


def multicast(
    size: int, *, arity: int, loss: float, delays: Delays, rng: np.random.Generator
) -> Multicast:
    """Send one message from rank 0 at time 0."""
    fanout = max(1, min(arity, (size - 1) // 2))
    at = np.full(size, np.inf)
    at[0] = 0.0
    copies = 0
    times, ranks = _sent(np.array([0]), at, fanout, loss=loss, delays=delays, rng=rng)
    while len(times):
        # Nothing that is sent within a window arrives within it.
        ready = times < times.min() + delays.window
        now, to = times[ready], ranks[ready]
        times, ranks = times[~ready], ranks[~ready]
        copies += len(now)
        order = np.argsort(now, kind="stable")
        to, first = np.unique(to[order], return_index=True)
        now = now[order][first]
        news = at[to] == np.inf
        at[to[news]] = now[news]
        more = _sent(to[news], at, fanout, loss=loss, delays=delays, rng=rng)
        times = np.concatenate((times, more[0]))
        ranks = np.concatenate((ranks, more[1]))
    return Multicast(at, copies)


def children(ranks: Ranks, size: int, fanout: int) -> tuple[Ranks, Ranks]:
    """Who sends to whom, in both trees, each pair once.

    Returns:
        The senders and the receivers.
    """
    steps = np.arange(1, fanout + 1)
    first = ranks[:, None] * fanout + steps
    mirrored = np.where(ranks == 0, 0, size - ranks)
    second = mirrored[:, None] * fanout + steps
    senders = np.repeat(ranks, fanout)
    pairs = [
        (senders, first.ravel(), first.ravel()),
        (senders, second.ravel(), size - second.ravel()),
    ]
    sources = np.concatenate([s[place < size] for s, place, _ in pairs])
    targets = np.concatenate([to[place < size] for _, place, to in pairs])
    # The same child in both trees gets one copy; nobody sends to the origin.
    unique = np.unique(sources * size + targets)
    sources, targets = np.divmod(unique, size)
    wanted = targets != 0
    return sources[wanted], targets[wanted]


def _sent(
    ranks: Ranks,
    at: Times,
    fanout: int,
    *,
    loss: float,
    delays: Delays,
    rng: np.random.Generator,
) -> tuple[Times, Ranks]:
    sources, targets = children(ranks, len(at), fanout)
    arrives = rng.random(len(targets)) >= loss
    sources, targets = sources[arrives], targets[arrives]
    return at[sources] + delays.draw(len(targets), rng), targets
