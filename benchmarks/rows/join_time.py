"""What a change costs whoever receives it, and a reader, whatever the table holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.overlay_table import KEY, WALL, Agent, filled
from benchmarks.row import Case, Effort, Row, microseconds, percentile_99
from lashup.crdt import Delta, MapView
from lashup.crdt.field import pack_key
from lashup.kv.store import Store

_JOIN_GOAL = 30.0
_READ_GOAL = 5.0
_GROWTH_GOAL = 1.5


def measure(effort: Effort) -> list[Case]:
    """Join one line's change into tables of two sizes, and read one field of them."""
    small, large = (1_000, 10_000) if effort is Effort.QUICK else (1_000, 100_000)
    cases = []
    for agents in (small, large):
        store = filled(agents)
        cases += [_join(store, agents), _take_in(store, agents), _read(store, agents)]
    for what, one in (("join", 0), ("take in", 1), ("read", 2)):
        growth = cases[one + 3].value / cases[one].value
        name = f"{what}: {large:,} lines against {small:,}"
        cases.append(Case(name, growth, growth <= _GROWTH_GOAL, unit="times"))
    return cases


def _join(store: Store, agents: int) -> Case:
    """The join alone."""
    times = _times(store.facts.join, agent=Agent(agents // 2))
    value = median(times)
    name, p99 = f"join, {agents:,} lines", percentile_99(times)
    return Case(name, value, value <= _JOIN_GOAL, p99=p99)


def _take_in(store: Store, agents: int) -> Case:
    """Join, digest, and the rows for the disk. No goal of its own but not to grow."""
    times = _times(partial(store.merge, wall=WALL), agent=Agent(agents // 3))
    name, p99 = f"take in, {agents:,} lines", percentile_99(times)
    return Case(name, median(times), ok=True, p99=p99)


def _times(work: Callable[[Delta], object], *, agent: Agent) -> list[float]:
    times = []
    for delta in [agent.write() for _ in range(2_000)]:
        began = time.perf_counter()
        work(delta)
        times.append((time.perf_counter() - began) * 1e6)
    return times


def _read(store: Store, agents: int) -> Case:
    agent = Agent(agents // 2)
    packed = pack_key(KEY)

    def read() -> object:
        view = MapView(store.facts.branch(packed))
        return view.map(agent.field).register(agent.node)

    value = microseconds(read, calls=1_000)
    return Case(f"read, {agents:,} lines", value, value <= _READ_GOAL)


ROW = Row(
    name="join-time",
    what="a change of one overlay line joined, and one line read",
    unit="µs",
    goal="join ≤ 30, read ≤ 5; at 100,000 lines ≤ 1.5 times that at 1,000",
    peer="the original at 1,000 lines: 126,000 to join, 106,000 to read",
    measure=measure,
)
