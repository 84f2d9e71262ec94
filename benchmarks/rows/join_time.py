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

_JOIN_GOAL = 30.0
_READ_GOAL = 5.0
_GROWTH_GOAL = 1.5
_ROUNDS, _EACH = 20, 100
_PACKED = pack_key(KEY)


def measure(effort: Effort) -> list[Case]:
    """Join one line's change into tables of two sizes, and read one field of them."""
    small, large = (1_000, 10_000) if effort is Effort.QUICK else (1_000, 100_000)
    tables = [_Table(small), _Table(large)]
    # In turns: a machine changes its speed from one second to the next.
    for _ in range(_ROUNDS):
        for table in tables:
            table.look()
    cases = [case for table in tables for case in table.cases()]
    for what, one in (("join", 0), ("take in", 1), ("read", 2)):
        growth = cases[one + 3].value / cases[one].value
        name = f"{what}: {large:,} lines against {small:,}"
        cases.append(Case(name, growth, growth <= _GROWTH_GOAL, unit="times"))
    return cases


class _Table:
    """A table of so many lines, and what was measured on it."""

    def __init__(self, agents: int) -> None:
        self._agents = agents
        self._store = filled(agents)
        self._joined, self._taken = Agent(agents // 2), Agent(agents // 3)
        self._joins: list[float] = []
        self._takes: list[float] = []
        self._reads: list[float] = []

    def look(self) -> None:
        """One round of each."""
        self._joins += _times(self._store.facts.join, self._joined)
        self._takes += _times(partial(self._store.merge, wall=WALL), self._taken)
        self._reads.append(microseconds(self._read, calls=200))

    def cases(self) -> list[Case]:
        """The join alone, the join with digest and rows for the disk, a read.

        The second has no goal of its own but not to grow.
        """
        join, take, read = map(median, (self._joins, self._takes, self._reads))
        lines = f"{self._agents:,} lines"
        return [
            Case(
                f"join, {lines}",
                join,
                join <= _JOIN_GOAL,
                p99=percentile_99(self._joins),
            ),
            Case(f"take in, {lines}", take, ok=True, p99=percentile_99(self._takes)),
            Case(f"read, {lines}", read, read <= _READ_GOAL),
        ]

    def _read(self) -> object:
        view = MapView(self._store.facts.branch(_PACKED))
        return view.map(self._joined.field).register(self._joined.node)


def _times(work: Callable[[Delta], object], agent: Agent) -> list[float]:
    times = []
    for delta in [agent.write() for _ in range(_EACH)]:
        began = time.perf_counter()
        work(delta)
        times.append((time.perf_counter() - began) * 1e6)
    return times


ROW = Row(
    name="join-time",
    what="a change of one overlay line joined, and one line read",
    unit="µs",
    goal="join ≤ 30, read ≤ 5; at 100,000 lines ≤ 1.5 times that at 1,000",
    peer="the original at 1,000 lines: 126,000 to join, 106,000 to read",
    measure=measure,
)
