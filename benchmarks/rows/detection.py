"""How soon a silent host is known to all, and who is taken for down wrongly.

Each is played with witnesses (the default) and, where the full form is asked for,
with the ladder alone, on the same seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.seeds import over_seeds
from benchmarks.simulated import (
    Mistakes,
    downs_after_short_stalls,
    mistakes_in_loss,
    mistakes_in_stalls,
    mistakes_with_a_rack_gone,
    seconds_until_known,
)
from lashup.membership import LAN, Confirmation, MembershipConfig
from simulations.host import Host

_LADDER = replace(LAN, confirmation=Confirmation.LADDER)
_P99 = 2.3

#: Nodes, seeds of the short and of the full form, greatest median.
_SIZES = ((5, 20, 100, 1.0), (20, 10, 100, 1.0), (50, 5, 100, 1.0), (100, 3, 100, 1.0),
          (1_000, 0, 100, 1.2))  # fmt: skip


def measure_silent(effort: Effort) -> list[Case]:
    """Crashes and stopped processes, by size; then stalls that must not be told."""
    cases = []
    for nodes, few, many, goal in _SIZES:
        for how in (Host.crash, Host.pause) if nodes == 20 else (Host.crash,):
            seeds = few if effort is Effort.QUICK else many
            if seeds:
                cases.append(_silent(nodes, how, seeds=seeds, goal=goal))
    seeds = 2 if effort is Effort.QUICK else 20
    name = f"stalls of 0.5 s, n = 20, {seeds} minutes: announced as down"
    stalls = partial(
        downs_after_short_stalls, 20, stall=0.5, seconds=60.0, membership=LAN
    )
    downs = sum(over_seeds(stalls, seeds, what=name))
    return [*cases, Case(name, downs, downs == 0, unit="times")]


def _silent(
    nodes: int, how: Callable[[Host], None], *, seeds: int, goal: float
) -> Case:
    what = "crash" if how is Host.crash else "SIGSTOP"
    name = f"{what}, n = {nodes:,}, {seeds} seeds"
    times = over_seeds(partial(seconds_until_known, nodes, how=how), seeds, what=name)
    value, p99 = median(times), percentile_99(times)
    ok = value <= goal and p99 <= _P99
    return Case(name, value, ok, p99=p99)


def measure_stalls(effort: Effort) -> list[Case]:
    """A tenth of the nodes stop for 10 s; a whole rack goes."""
    quick = effort is Effort.QUICK
    stalls = partial(mistakes_in_stalls, 100, share=0.1, stall=10.0)
    rack = partial(mistakes_with_a_rack_gone, 100, rack=20, seconds=60.0)
    return [
        *_both("10 % of 100 stall 10 s", stalls, effort, seeds=3 if quick else 1_000),
        *_both("a rack of 20 of 100 gone", rack, effort, seeds=2 if quick else 100),
    ]


def measure_loss(effort: Effort) -> list[Case]:
    """The network loses datagrams, each for itself or in bursts of a second."""
    quick = effort is Effort.QUICK
    nodes, seconds, seeds = (30, 30.0, 1) if quick else (100, 600.0, 100)
    cases = []
    for what, loss, burst in (
        ("30 %", 0.3, 0.0),
        ("10 % in bursts of 1 s", 0.1, 1.0),
        ("30 % in bursts of 1 s", 0.3, 1.0),
    ):
        play = partial(mistakes_in_loss, nodes, seconds=seconds, loss=loss, burst=burst)
        name = f"{what}, n = {nodes}, {seconds:g} s"
        cases += _both(name, play, effort, seeds=seeds)
    return cases


def _both(
    what: str, play: Callable[..., Mistakes], effort: Effort, *, seeds: int
) -> list[Case]:
    cases = [_downs(f"{what}, {seeds} seeds", play, LAN, seeds=seeds)]
    if effort is Effort.FULL:
        # The fallback costs as much to play and is no news: fewer of the same seeds.
        few = max(1, seeds // 10)
        name = f"{what}, {few} seeds, ladder alone"
        cases.append(_downs(name, play, _LADDER, seeds=few))
    return cases


def _downs(
    name: str,
    play: Callable[..., Mistakes],
    membership: MembershipConfig,
    *,
    seeds: int,
) -> Case:
    played = over_seeds(partial(play, membership=membership), seeds, what=name)
    downs = sum(mistakes.downs for mistakes in played)
    return Case(name, downs, downs == 0)


SILENT = Row(
    name="detect-silent",
    what="a host gone silent (crash, SIGSTOP), known to all, simulated",
    unit="s",
    goal="median ≤ 1.0 at n = 5 to 100, ≤ 1.2 at 1,000; p99 ≤ 2.3; a stall of 0.5 s "
    "never",
    peer="the original 1.4-2.2 at n = 5-20; serf 5.7-10.7 at n = 5-50; memberlist 9.8 "
    "at n = 100 (published)",
    measure=measure_silent,
)

STALLS = Row(
    name="false-downs-stalls",
    what="healthy nodes taken for down while others stall or are gone, simulated",
    unit="times",
    goal="0 in 1,000 seeds",
    peer="Lifeguard: 50 to 100 times below SWIM (published)",
    measure=measure_stalls,
)

LOSS = Row(
    name="false-downs-loss",
    what="nodes taken for down in a network that loses datagrams, simulated",
    unit="times",
    goal="0 at 30 % loss, n = 100, 10 minutes, 100 seeds",
    peer="the ladder of memberlist alone, on the same seeds",
    measure=measure_loss,
)
