"""What a line takes in memory, with everything that a node keeps about it."""

from __future__ import annotations

import gc
import tracemalloc

from benchmarks.overlay_table import WALL, Agent
from benchmarks.pulling import replica
from benchmarks.row import Case, Effort, Row
from lashup.kv.delta_codec import decode_delta_untrusted, encode_delta

_GOAL = 700.0


def measure(effort: Effort) -> list[Case]:
    """Take lines in as they come from the network, and weigh the table."""
    lines = 10_000 if effort is Effort.QUICK else 100_000
    # As many lines for each actor as the differences have; a line is a map of its own.
    return [_case(lines, each) for each in (10, 1)]


def _case(lines: int, each: int) -> Case:
    deltas = []
    for number in range(lines // each):
        agent = Agent(number)
        for line in range(each):
            agent.field = f"44.{line}.{number >> 8}.{number & 255}/12"
            deltas.append(encode_delta(agent.write()))
    gc.collect()
    tracemalloc.start()
    try:
        node = replica(0)
        for delta in deltas:
            node.merge(decode_delta_untrusted(delta), wall=WALL)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    value = taken / lines
    return Case(f"{lines:,} lines, {each} of each actor", value, value <= _GOAL)


ROW = Row(
    name="fact-memory",
    what="memory of a node's table for each overlay line, by tracemalloc",
    unit="bytes",
    goal="≤ 700 (100,000 lines ≤ 100 MB)",
    peer="a plain dict of dicts with the same lines: about 1,600",
    measure=measure,
)
