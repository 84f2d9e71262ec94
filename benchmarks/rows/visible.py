"""A write, durable first, until the last of all node processes has it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.node_process import Nodes, cluster
from benchmarks.row import Case, Effort, Row, percentile_99

#: p50 and p99 in milliseconds, by the number of nodes.
_GOALS = {2: (1.5, float("inf")), 20: (6.0, 20.0)}
#: Seconds between two writes: long enough for the one before to be everywhere.
_PAUSE = 0.05


def measure(effort: Effort) -> list[Case]:
    """Write one field again and again and see when each process was told."""
    writes, counts = (40, (2, 8)) if effort is Effort.QUICK else (300, (2, 20))
    sizes = (0, 1_000) if effort is Effort.QUICK else (0, 100, 1_000)
    return [_case(n, lines, writes) for n in counts for lines in sizes]


def _case(count: int, lines: int, writes: int) -> Case:
    with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
        directories = [Path(directory, str(number)) for number in range(count)]
        with cluster(directories) as nodes:
            fill(nodes, lines)
            # What a caller waits for, from the call to the last node's reader.
            first, *began, _ = nodes.ask(0, "write", count=writes, pause=_PAUSE)
            seen = nodes.all("seen", change=first + writes - 1)
    times = [
        (max(one[str(first + at)] for one in seen) - begin) / 1e6
        for at, begin in enumerate(began)
        if all(str(first + at) in one for one in seen)
    ]
    p50, p99 = median(times), percentile_99(times)
    goal50, goal99 = _GOALS.get(count, _GOALS[20])
    name = f"{count} nodes, {lines:,} lines"
    unseen = writes - len(times)
    if unseen:  # A later write came first: it took longer than the pause.
        name += f"; {unseen} of {writes} writes overtaken by the next"
    ok = p50 <= goal50 and p99 <= goal99 and not unseen
    return Case(name, p50, ok, p99=p99)


def fill(nodes: Nodes, lines: int) -> None:
    """Put so many overlay lines into the map, at all nodes."""
    nodes.ask(0, "fill", lines=lines)
    nodes.all("facts", count=lines)


ROW = Row(
    name="visible",
    what="a durable write until all node processes of one machine have it",
    unit="ms",
    goal="2 nodes: p50 ≤ 1.5; 20 nodes: p50 ≤ 6, p99 ≤ 20; whatever the map holds",
    peer="the original, 0/100/1,000 lines: 5.1/19/918 (2 nodes), 11/128/10,190 (20)",
    measure=measure,
)
