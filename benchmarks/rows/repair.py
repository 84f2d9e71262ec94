"""Every fault of `benchmarks.faults`: until all is right again, what it cost."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from benchmarks.faults import GROUPS, PACE, Fault, Group, strike
from benchmarks.row import Case, Effort, Row


def measure(effort: Effort) -> list[Case]:
    """Let the faults happen, one after another, to one of two agents."""
    groups = GROUPS[:1] if effort is Effort.QUICK else GROUPS
    return [case for group in groups for case in _measured(group, effort)]


def _measured(group: Group, effort: Effort) -> Iterable[Case]:
    faults: list[Fault] = list(group.faults)
    with group.opened(f"bench{os.getpid()}") as lab:
        for fault in faults[::6] if effort is Effort.QUICK else faults:
            print(f"  {fault.name}", file=sys.stderr, flush=True)
            repair = strike(lab, fault)
            seconds, outage = repair.seconds * 1000, repair.outage * 1000
            yield Case(f"{fault.name}: until {fault.until}", seconds, repair.ok)
            yield Case(f"{fault.name}: outage", outage, ok=True)
            yield Case(f"{fault.name}: lost", repair.lost, ok=True, unit="pings")
            yield Case(f"{fault.name}: writes", repair.writes, ok=True, unit="messages")


ROW = Row(
    name="repair",
    what="what can go wrong with an agent, done and repaired (needs root)",
    unit="ms",
    goal="≤ 1 s for all that the kernel tells of, ≤ 10 s for the rest, and nothing "
    "lost that need not be",
    peer=f"the fault itself; pings both ways, one per {PACE * 1000:g} ms and path",
    measure=measure,
)
