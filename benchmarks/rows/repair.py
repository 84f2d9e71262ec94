"""Every fault of `benchmarks.faults`: until all is right again, what it cost."""

from __future__ import annotations

import os

from benchmarks.faults import FAULTS, PACE, strike, struck_pair
from benchmarks.row import Case, Effort, Row


def measure(effort: Effort) -> list[Case]:
    """Let the faults happen, one after another, to one of two agents."""
    faults = FAULTS[::6] if effort is Effort.QUICK else FAULTS
    cases = []
    with struck_pair(f"bench{os.getpid()}") as lab:
        for fault in faults:
            repair = strike(lab, fault)
            cases += [
                Case(f"{fault.name}: until right", repair.seconds * 1000, repair.ok),
                Case(f"{fault.name}: outage", repair.outage * 1000, ok=True),
                Case(f"{fault.name}: lost", repair.lost, ok=True, unit="pings"),
                Case(f"{fault.name}: writes", repair.writes, ok=True, unit="messages"),
            ]
    return cases


ROW = Row(
    name="repair",
    what="what somebody does to an agent's kernel, undone (needs root)",
    unit="ms",
    goal="≤ 1 s for all that the kernel tells of, and nothing lost that need not be",
    peer=f"the fault itself; pings on four paths, one per {PACE * 1000:g} ms each",
    measure=measure,
)
