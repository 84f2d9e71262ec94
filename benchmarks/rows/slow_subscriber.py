"""A subscriber that never reads while others change a few keys very often."""

from __future__ import annotations

import random
import tracemalloc

from benchmarks.overlay_table import WALL
from benchmarks.pulling import replica
from benchmarks.row import Case, Effort, Row
from lashup.crdt import MapField
from lashup.kv.pattern import EVERYTHING
from lashup.kv.replica import Replica
from lashup.kv.store import Store

_KEYS = 100
#: Bytes for each key that a backlog of one change may take.
_GOAL = 4_096


def measure(effort: Effort) -> list[Case]:
    """Change keys, look at the memory on the way, and read everything at the end."""
    changes = 50_000 if effort is Effort.QUICK else 1_000_000
    node, writer = replica(0), Store(hash_key=b"benchmark", rng=random.Random(1))
    subscription = node.subscribe(EVERYTHING)
    _change(node, writer, range(_KEYS * 10))
    tracemalloc.start()
    try:
        _change(node, writer, range(changes // 10))
        early = tracemalloc.get_traced_memory()[0]
        _change(node, writer, range(changes // 10, changes))
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    taken = {}
    while (change := node.take(subscription)) is not None:
        taken[change.key] = change.new.register("n")
    newest = {(key,): changes - _KEYS + key for key in range(_KEYS)}
    grown = (late - early) / _KEYS
    return [
        Case(f"{changes:,} changes: growth for each key", grown, grown <= _GOAL),
        Case(
            "keys taken that are not the newest value",
            sum(taken.get(key) != value for key, value in newest.items()),
            taken == newest,
            unit="keys",
        ),
    ]


def _change(node: Replica, writer: Store, numbers: range) -> None:
    for number in numbers:
        operation = MapField().register("n").assign(number)
        write = writer.write((number % _KEYS,), [operation], wall=WALL)
        writer.commit(write)
        node.merge(write.delta, wall=WALL)


ROW = Row(
    name="slow-subscriber",
    what="a subscriber that never reads, 1,000,000 changes of 100 keys",
    unit="bytes",
    goal="memory does not grow with the changes, and it ends at the newest values",
    peer="the original: a message for each change in an unbounded mailbox",
    measure=measure,
)
