"""Durable writes by one node on its own, one after the other and many at once."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from benchmarks.node_process import cluster
from benchmarks.row import Case, Effort, Row
from benchmarks.rows.visible import fill
from lashup import NodeConfig, RunningNode, open_node, register
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage

#: What issue and design ask of a node alone, per second.
_GOAL = 3_000.0
#: And of one among others, on one machine.
_CLUSTER_GOAL = 1_500.0
#: Writes that share an fsync, where so many wait.
_SHARED_GOAL = 16.0
_WRITERS = 64


def measure_writes(effort: Effort) -> list[Case]:
    """Write one register again and again, each time waiting for the disk."""
    writes = 1_000 if effort is Effort.QUICK else 10_000
    rate, _ = _per_second(writers=1, writes=writes)
    cases = [Case("one node alone", rate, rate >= _GOAL)]
    counts = (2,) if effort is Effort.QUICK else (2, 20)
    sizes = (0, 1_000) if effort is Effort.QUICK else (0, 100, 1_000)
    return cases + [_in_cluster(n, lines, writes) for n in counts for lines in sizes]


def _in_cluster(count: int, lines: int, writes: int) -> Case:
    with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
        places = [Path(directory, str(number)) for number in range(count)]
        with cluster(places) as nodes:
            fill(nodes, lines)
            _, began, *_, ended = nodes.ask(0, "write", count=writes, pause=0)
    rate = writes / ((ended - began) / 1e9)
    name = f"by one of {count} processes, {lines:,} lines"
    return Case(name, rate, rate >= _CLUSTER_GOAL)


def measure_group_commit(effort: Effort) -> list[Case]:
    """Write with many tasks, and beside it with SQLite, one row per transaction."""
    writes = 3_200 if effort is Effort.QUICK else 32_000
    rate, shared = _per_second(writers=_WRITERS, writes=writes)
    peer = _sqlite_per_second(writes=1_000 if effort is Effort.QUICK else 10_000)
    return [
        Case(f"{_WRITERS} writers", rate, rate > peer),
        Case("writes for each fsync", shared, shared >= _SHARED_GOAL, unit="writes"),
        Case("SQLite, one row per FULL transaction", peer, ok=True),
    ]


class _Counting(SqliteStorage):
    """The real storage, which counts its transactions."""

    transactions = 0

    def commit(self, batch: Sequence[Persist]) -> None:
        """One more."""
        self.transactions += 1
        super().commit(batch)


def _per_second(*, writers: int, writes: int) -> tuple[float, float]:
    """Writes per second, and per transaction."""

    async def write(node: RunningNode, number: int) -> None:
        for count in range(writes // writers):
            await node.kv.update((f"key {number}",), register("n").assign(count))

    async def main() -> tuple[float, float]:
        with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
            config = NodeConfig(name="one", data_dir=Path(directory))
            storage = _Counting(Path(directory), cluster=config.cluster)
            async with open_node(config, storage=storage) as node:
                storage.transactions = 0
                began = time.perf_counter()
                async with anyio.create_task_group() as tasks:
                    for number in range(writers):
                        tasks.start_soon(write, node, number)
                rate = writes / (time.perf_counter() - began)
                return rate, writes / storage.transactions

    return anyio.run(main, backend="trio")


def _sqlite_per_second(*, writes: int) -> float:
    with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
        rows = sqlite3.connect(Path(directory, "peer.sqlite3"), isolation_level=None)
        rows.execute("PRAGMA journal_mode = WAL")
        rows.execute("PRAGMA synchronous = FULL")
        rows.execute("CREATE TABLE fact (dot BLOB PRIMARY KEY, fact BLOB)")
        began = time.perf_counter()
        for number in range(writes):
            dot = number.to_bytes(16, "big")
            rows.execute("INSERT INTO fact VALUES (?, ?)", (dot, bytes(100)))
        rate = writes / (time.perf_counter() - began)
        rows.close()
        return rate


WRITES = Row(
    name="writes",
    what="durable writes one after the other, alone and among others",
    unit="writes/s",
    goal=f"alone ≥ {_GOAL:,.0f}, among others ≥ {_CLUSTER_GOAL:,.0f}",
    peer="the original with two nodes: 199, with 1,000 lines in the map 1.4",
    measure=measure_writes,
)

GROUP_COMMIT = Row(
    name="group-commit",
    what=f"durable writes by {_WRITERS} writers at once on one node",
    unit="writes/s",
    goal="≥ 16 for each fsync, and more than SQLite alone in the same run",
    peer="SQLite, WAL, synchronous=FULL, one row per transaction, in the same run",
    measure=measure_group_commit,
)
