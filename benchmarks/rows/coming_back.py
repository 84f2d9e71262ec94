"""How soon all agree after a node has moved or started anew, or a network healed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from statistics import median

from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.seeds import over_seeds, scenario_metric
from simulations.conditions import Value
from simulations.measure import Metric


def _case(
    scenario: str,
    values: Mapping[str, Value],
    metric: Metric,
    *,
    name: str,
    seeds: int,
    goal: float,
) -> Case:
    name = f"{name}, {seeds} seeds"
    play = partial(scenario_metric, scenario, values, metric)
    times = over_seeds(play, seeds, what=name)
    value = median(times)
    return Case(name, value, value <= goal, p99=percentile_99(times))


def _takeovers(
    effort: Effort, *, what: str, after: float, loss: float, goal: float
) -> list[Case]:
    sizes = (20,) if effort is Effort.QUICK else (20, 100)
    seeds = 5 if effort is Effort.QUICK else 100
    cases = []
    for nodes in sizes:
        values: dict[str, Value] = {
            "nodes": nodes, "what": what, "after": after, "loss": loss
        }  # fmt: skip
        case = _case(
            "takeover", values, Metric.CONVERGE_ALL,
            name=f"n = {nodes}", seeds=seeds, goal=goal,
        )  # fmt: skip
        cases.append(case)
    return cases


def measure_takeover(effort: Effort) -> list[Case]:
    """A crashed node's name comes back, by another node at another address."""
    return _takeovers(effort, what="name", after=0.5, loss=0.0, goal=1.0)


def measure_restart(effort: Effort) -> list[Case]:
    """A crashed node comes back at once at its address, with another identity."""
    return _takeovers(effort, what="both", after=0.1, loss=0.0, goal=0.25)


def measure_heal(effort: Effort) -> list[Case]:
    """Two halves of the cluster meet again."""
    quick = effort is Effort.QUICK
    cases = []
    for nodes, seconds in ((20, 60.0),) if quick else ((20, 60.0), (20, 3_600.0)):
        values: dict[str, Value] = {"nodes": nodes, "for": seconds}
        for what, metric, goal in (
            ("members", Metric.HEAL_MEMBERS, 2.0),
            ("table", Metric.HEAL_TABLE, 5.0),
        ):
            seeds = 3 if quick else (100 if seconds < 100 else 10)
            name = f"{what}, {seconds:g} s, n = {nodes}"
            case = _case("partition", values, metric, name=name, seeds=seeds, goal=goal)
            cases.append(case)
    return cases


TAKEOVER = Row(
    name="takeover",
    what="the same name at a new address, accepted by all, simulated",
    unit="s",
    goal="< 1",
    peer="36-40 (published)",
    measure=measure_takeover,
)

RESTART = Row(
    name="restart",
    what="a restart at the same address, known to all, simulated",
    unit="s",
    goal="≤ 0.25",
    peer="0.09-0.22 (serf); the original 0.5-7.7",
    measure=measure_restart,
)

HEAL = Row(
    name="heal",
    what="a partition heals after the network does, simulated",
    unit="s",
    goal="members ≤ 2, table ≤ 5",
    peer="after 60 s at n = 20: the original members 1.3, table 76-79; serf members 22",
    measure=measure_heal,
)
