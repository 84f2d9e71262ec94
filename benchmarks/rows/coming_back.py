"""How soon all agree after a node has moved or started anew, or a network healed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from statistics import median

from benchmarks.node_process import cluster
from benchmarks.parted_network import parted_network
from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.seeds import over_seeds, scenario_metric
from simulations.conditions import Value
from simulations.measure import Metric

#: Lines that each side writes while the network is parted.
_LINES = 10
_NANO = 1e9


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
    return [*_healed_for_real(effort), *cases]


def _healed_for_real(effort: Effort) -> list[Case]:
    """Processes on two hosts, namespaces here, that a bridge between them parts."""
    nodes, seconds, repeats = (6, 15.0, 1) if effort is Effort.QUICK else (20, 60.0, 5)
    outcomes = [_heal_once(nodes, seconds) for _ in range(repeats)]
    cases = []
    for what, goal, times in (
        ("members", 2.0, [members for members, _ in outcomes]),
        ("table", 5.0, [table for _, table in outcomes]),
    ):
        name = f"{what}, {seconds:g} s, n = {nodes}, real sockets, {repeats} splits"
        value = median(times)
        cases.append(Case(name, value, value <= goal, p99=max(times)))
    return cases


def _heal_once(nodes: int, seconds: float) -> tuple[float, float]:
    """Seconds from the network's end of a split until all members, and tables, are one.

    Both sides have given each other up, and have written some lines meanwhile.
    """
    half = nodes // 2
    with parted_network() as network:
        hosts = [network.hosts[number >= half] for number in range(nodes)]
        with cluster([None] * nodes, hosts=hosts) as running:
            running.ask(0, "fill", lines=_LINES)
            common = running.ask(0, "count")
            running.all("facts", count=common)
            network.cut()
            ends_at = time.monotonic() + seconds
            running.all("split", count=half)
            for number, first in ((0, 1_000), (half, 2_000)):
                running.ask(number, "fill", lines=_LINES, first=first)
            total = sum(running.ask(n, "count") for n in (0, half)) - common
            time.sleep(max(0.0, ends_at - time.monotonic()))
            network.mend()
            mended = time.monotonic_ns()
            members = max(running.all("members", count=nodes))
            table = max(running.all("facts", count=total))
    return (members - mended) / _NANO, max(members, table) / _NANO - mended / _NANO


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
    what="a partition heals after the network does: on real sockets (needs root; p99: "
    "the worst), and simulated",
    unit="s",
    goal="members ≤ 2, table ≤ 5",
    peer="after 60 s at n = 20: the original members 1.3, table 76-79; serf members 22",
    measure=measure_heal,
)
