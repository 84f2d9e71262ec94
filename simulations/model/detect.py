"""A crash until all nodes take the victim for down.

By the common schedule one node a period probes the victim, each at a phase of its own,
and the victim is to ping one: whoever waits for it in vain asks as well. Who has no
answer asks witnesses, and when enough of them have pinged in vain for longer than a
stall that is forgiven, "down" is gossiped, in one burst to enough members that nearly
all hear of it. A probe whose witnesses do not suffice ends in an accusation; these run
down the ladder of suspicion, which decides if no later probe does.

Exact: how many witnesses it takes and how many are asked, when they are asked again,
how long they ping, the ladder of timeouts, the width of the burst. Assumed: all hold
one table; one crash at a time; nobody healthy is suspected; local health is good; each
asker has seen so many pings, in vain or not, as the exact world's nodes have when it
lets the victim crash. Loss that has lasted for minutes makes nodes ask for more
witnesses than that, and at last leave it to the ladder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lashup.machine import NodeId
from lashup.membership.config import LAN, MembershipConfig
from lashup.membership.panel import SPARE_WITNESSES
from lashup.membership.probe import ASKED_AGAIN
from lashup.membership.round_trip import RoundTrips
from lashup.membership.suspicion import Ladder, ladder, suspicion_timeout
from lashup.membership.witnesses import VainPings, witnesses_needed
from simulations.measure import Measured, Metric
from simulations.model.delays import Delays
from simulations.model.experiment import Assumed, Model, Times, converged
from simulations.model.gossip import gossiped, ridden
from simulations.model.repair import repaired

#: Periods that are looked at: the longest ladder is over by then.
_PERIODS = 200
#: Pings that an asker has seen before: the exact world settles for some four periods.
_PINGS_BEFORE = 5
#: Whom nobody has measured yet.
_VICTIM = NodeId(b"\xff" * 16)


@dataclass(frozen=True, kw_only=True)
class Detect(Assumed):
    """Parameters."""


def _play(parameters: Detect, rng: np.random.Generator) -> Measured:
    config, delays, loss = LAN, Delays(parameters.latency), parameters.loss
    survivors = parameters.nodes - 1
    accusations: list[float] = []
    first = np.inf
    for begun in questions(config=config, rng=rng):
        if begun >= first:
            break
        verdict = confirmed_after(
            parameters.nodes,
            is_doubted=bool(accusations) and begun >= accusations[0],
            loss=loss,
            config=config,
            delays=delays,
            rng=rng,
        )
        first = min(first, begun + verdict)
        if verdict == np.inf:
            accusations.append(begun + config.probe_period)
    rungs = ladder(parameters.nodes, config=config)
    accusations = [at for at in accusations if at < first][: rungs.wanted + 1]
    own: Times = np.full(survivors, np.inf)
    if accusations:
        gossip = gossiped(survivors, config=config, loss=loss, delays=delays, rng=rng)
        heard = [accusations[0] + gossip]
        for at in accusations[1:]:
            # Each accuser is somebody else; the first to hear of it is not node 0.
            spread = ridden(survivors, config=config, loss=loss, rng=rng)
            heard.append(at + rng.permutation(spread))
        own = expiry(heard, rungs)
    first = min(first, float(own.min()))
    told = first + gossiped(
        survivors, config=config, loss=loss, delays=delays, rng=rng, is_urgent=True
    )
    missed = np.isinf(told)
    # Whom gossip has missed walks to the difference; the victim, told as down, is
    # suspect there at first, and is asked for once more.
    told[missed] = repaired(
        np.full(int(missed.sum()), first),
        nodes=parameters.nodes,
        settle=config.reconcile_delay,
        loss=loss,
        delays=delays,
        rng=rng,
    ) + (config.probe_timeout_floor + config.stall_allowance)
    down = np.minimum(own, told)
    measured = converged(down, name="takes the victim for down")
    metrics = {Metric.DETECT_FIRST: first, Metric.DETECT_ALL: float(down.max())}
    return Measured({**measured.metrics, **metrics}, measured.curves)


def questions(*, config: MembershipConfig, rng: np.random.Generator) -> list[float]:
    """When nodes begin to ask for the victim, counted from the crash, in order.

    Who probes it acts once a period, each at its own phase; and somebody awaits its
    ping, which was due once a period at its phase.
    """
    crash, phase = rng.random(), rng.random()
    numbers = np.arange(_PERIODS)
    probes = numbers + rng.random(_PERIODS) - crash
    missed = numbers + phase - crash
    probes, missed = probes[probes > 0], missed[missed > 0]
    late = missed * config.probe_period + config.tardiness
    return sorted([*map(float, probes * config.probe_period), *map(float, late)])


def confirmed_after(
    nodes: int,
    *,
    is_doubted: bool,
    loss: float,
    config: MembershipConfig,
    delays: Delays,
    rng: np.random.Generator,
) -> float:
    """Seconds from an asker's first ping to its verdict; infinite if there is none.

    All witnesses must have spoken, or the victim must have been doubted for a period.
    """
    pings, round_trips = VainPings(), RoundTrips(config)
    for number, in_vain in enumerate(rng.random(_PINGS_BEFORE) < 1 - (1 - loss) ** 2):
        member = NodeId(number.to_bytes(16, "big"))
        answer = float(delays.draw(2, rng).sum())
        if in_vain:
            pings.in_vain()
            # Its repetition is answered, and the first ping's time is what counts.
            answer += round_trips.timeout(member)
        else:
            pings.answered()
        round_trips.measured(member, answer)
    ask_at = round_trips.timeout(_VICTIM)
    needed = witnesses_needed(
        pings.share, others=nodes - 2, most=config.witnesses - SPARE_WITNESSES
    )
    if needed is None:
        return np.inf
    asked = min(max(needed + SPARE_WITNESSES, config.indirect_probes), nodes - 2)
    said_at = np.sort(
        ask_at + _testimonies(asked, loss=loss, config=config, delays=delays, rng=rng)
    )
    ends_at = max(config.probe_period, ask_at + 1.5 * config.stall_allowance)
    if said_at[-1] <= ends_at:
        return float(said_at[-1])
    is_enough = needed <= len(said_at) and said_at[needed - 1] <= ends_at
    return ends_at if is_doubted and is_enough else np.inf


def _testimonies(
    count: int,
    *,
    loss: float,
    config: MembershipConfig,
    delays: Delays,
    rng: np.random.Generator,
) -> Times:
    """When each witness is heard, counted from the first request.

    A request reaches it or not, and is repeated; from the first that does it pings for
    the stall that is forgiven, and says so then, and to each request that comes later.
    """
    spacing = ASKED_AGAIN * config.stall_allowance
    rounds = int(config.probe_period / spacing) + 1
    shape = count, rounds
    arrives = rng.random(shape) >= loss
    there = np.arange(rounds) * spacing + delays.draw(count * rounds, rng).reshape(
        shape
    )
    there[~arrives] = np.inf
    speaks = there.min(axis=1) + config.stall_allowance
    # What it says by itself, and what it says when it is asked after that.
    said = np.column_stack((speaks, np.where(there > speaks[:, None], there, np.inf)))
    said += delays.draw(said.size, rng).reshape(said.shape)
    said[rng.random(said.shape) < loss] = np.inf
    heard: Times = said.min(axis=1)
    return heard


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
