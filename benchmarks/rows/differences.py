"""What it takes to find and mend the differences of two large tables."""

from __future__ import annotations

from benchmarks.overlay_table import WALL, Agent
from benchmarks.pulling import equalise, replica
from benchmarks.row import Case, Effort, Row
from lashup.crdt import CausalContext, Delta, Dot, Fact
from lashup.kv.delta_codec import encode_delta
from lashup.kv.replica import Replica

_LINES_EACH = 10
_KIB = 1_024


def measure_one(effort: Effort) -> list[Case]:
    """One line that the other has not."""
    one, two, agents = _equal_pair(effort)
    one.merge(agents[0].write(), wall=WALL)
    cost = equalise(one, two)
    return [
        Case("bytes, both ways", cost.bytes, cost.bytes <= 4 * _KIB),
        Case("round trips", cost.trips, cost.trips <= 4, unit="trips"),
    ]


def measure_hundred(effort: Effort) -> list[Case]:
    """A hundred lines of as many agents, half of them on each side."""
    one, two, agents = _equal_pair(effort)
    own = 0
    for number in range(100):
        delta = agents[number * len(agents) // 100].write()
        (one, two)[number % 2].merge(delta, wall=WALL)
        own += len(encode_delta(delta))
    cost = equalise(one, two)
    goal = 2 * own + 8 * _KIB
    return [
        Case("bytes, both ways", cost.bytes, cost.bytes <= goal),
        Case("bytes of the differences alone", own, ok=True),
        Case("the goal of this run", goal, ok=True),
        Case("round trips", cost.trips, ok=True, unit="trips"),
    ]


def _equal_pair(effort: Effort) -> tuple[Replica, Replica, list[Agent]]:
    """Two equal tables, and the agents whose lines they hold."""
    count = 1_000 if effort is Effort.QUICK else 10_000
    pair = replica(0), replica(1)
    agents = [Agent(number) for number in range(count)]
    for agent in agents:
        facts: dict[Dot, Fact] = {}
        for line in range(_LINES_EACH):
            agent.field = f"44.{line}.{agent.number >> 8}.{agent.number & 255}/12"
            facts |= agent.write().facts
        for one in pair:
            one.merge(Delta(facts, CausalContext(facts)), wall=WALL)
    return *pair, agents


ONE = Row(
    name="one-difference",
    what="1 difference in 100,000 facts of 10,000 actors: found and mended",
    unit="bytes",
    goal="≤ 4 KiB and ≤ 4 round trips",
    peer="the original: the keys of all maps, and then the whole map (12.7 MB)",
    measure=measure_one,
)

HUNDRED = Row(
    name="hundred-differences",
    what="100 differences in 100,000 facts of 10,000 actors: found and mended",
    unit="bytes",
    goal="≤ twice the differences' own bytes + 8 KiB",
    peer="the differences' own bytes, which must travel whatever is done",
    measure=measure_hundred,
)
