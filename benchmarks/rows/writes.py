"""Durable writes by one node on its own, one after the other and many at once."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

import anyio

from benchmarks.row import Case, Effort, Row
from lashup import NodeConfig, RunningNode, open_node, register

#: What issue and design ask of a node alone, per second.
_GOAL = 3_000.0
_WRITERS = 64


def measure_writes(effort: Effort) -> list[Case]:
    """Write one register again and again, each time waiting for the disk."""
    writes = 1_000 if effort is Effort.QUICK else 10_000
    rate = _per_second(writers=1, writes=writes)
    return [Case("one node alone, one writer", rate, rate >= _GOAL)]


def measure_group_commit(effort: Effort) -> list[Case]:
    """Write with many tasks, and beside it with SQLite, one row per transaction."""
    writes = 3_200 if effort is Effort.QUICK else 32_000
    rate = _per_second(writers=_WRITERS, writes=writes)
    peer = _sqlite_per_second(writes=1_000 if effort is Effort.QUICK else 10_000)
    return [
        Case(f"{_WRITERS} writers", rate, rate > peer),
        Case("SQLite, one row per FULL transaction", peer, ok=True),
    ]


def _per_second(*, writers: int, writes: int) -> float:
    async def write(node: RunningNode, number: int) -> None:
        for count in range(writes // writers):
            await node.kv.update((f"key {number}",), register("n").assign(count))

    async def main() -> float:
        with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
            config = NodeConfig(name="one", data_dir=Path(directory))
            async with open_node(config) as node:
                began = time.perf_counter()
                async with anyio.create_task_group() as tasks:
                    for number in range(writers):
                        tasks.start_soon(write, node, number)
                return writes / (time.perf_counter() - began)

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
    what="durable writes one after the other (so far: by a node alone)",
    unit="writes/s",
    goal=f"≥ {_GOAL:,.0f}",
    peer="the original with two nodes: 199, with 1,000 lines in the map 1.4",
    measure=measure_writes,
)

GROUP_COMMIT = Row(
    name="group-commit",
    what=f"durable writes by {_WRITERS} writers at once on one node",
    unit="writes/s",
    goal="more than SQLite's one-row FULL transactions in the same run",
    peer="SQLite, WAL, synchronous=FULL, one row per transaction, in the same run",
    measure=measure_group_commit,
)
