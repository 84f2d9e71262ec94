"""A fresh node that takes a large table from another process."""

from __future__ import annotations

import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.node_process import cluster
from benchmarks.overlay_table import WALL, Agent
from benchmarks.row import Case, Effort, Row
from lashup.crdt import CausalContext, Delta, Dot, Fact, FactSet
from lashup.kv.dump import encode_dump

_GOAL = 10.0
_LATE_GOAL = 100.0
#: Lines that one agent wrote: facts are spread over actors as in a large cluster.
_LINES_EACH = 10


def measure(effort: Effort) -> list[Case]:
    """Fill one node, start another beside it, and see when that has everything."""
    facts = 10_000 if effort is Effort.QUICK else 100_000
    with tempfile.TemporaryDirectory(prefix="lashup-benchmark-") as directory:
        dump = Path(directory, "dump")
        dump.write_bytes(_dump(facts))
        places = [Path(directory, "full"), Path(directory, "fresh")]
        with cluster(places) as nodes:
            # They know each other; the fresh one's table is empty until the digest
            # on a probe says that there is something.
            nodes.ask(1, "keep_time")
            nodes.tell(1, "facts", count=facts)
            nodes.ask(0, "load", file=str(dump))
            loaded = time.monotonic_ns()
            seconds = (nodes.answer(1) - loaded) / 1e9
            late = nodes.ask(1, "latest") * 1e3
    return [
        Case(f"{facts:,} facts", seconds, seconds <= _GOAL),
        Case("the fresh node's loop, late", late, late <= _LATE_GOAL, unit="ms"),
    ]


def _dump(count: int) -> bytes:
    facts: dict[Dot, Fact] = {}
    table = FactSet()
    for number in range(count // _LINES_EACH):
        agent = Agent(number)
        for line in range(_LINES_EACH):
            agent.field = f"44.{line}.{number >> 8}.{number & 255}/12"
            facts |= agent.write().facts
    table.join(Delta(dict(islice(facts.items(), count)), CausalContext(facts)))
    with table.cut() as state:
        state.take_all()
    return encode_dump(state, cluster="lashup", wall=WALL)


ROW = Row(
    name="bootstrap",
    what="a fresh node takes a table from another process, over loopback",
    unit="s",
    goal="100,000 facts ≤ 10 s, the loop never more than 100 ms late",
    peer="the original would take about 1,000 s by its pacing of 5-15 ms for each key",
    measure=measure,
)
