"""What a fault is, and how one is done under pings and its repair measured.

Two agents with a container each on a real kernel, or more. The second one is struck,
under pings both ways, v4 and v6, one per 2 ms. Measured are the time until all is as
it should be, the probes lost, and how many messages the struck agent's navstar wrote
to its kernel.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from navstar.errors import ControlError
from navstar.lab import agents
from navstar.lab.errors import LabError
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.pinger import PingStream, reach
from navstar.lab.processes import Process
from navstar.lab.steps.stage import both_ways
from navstar.lab.topology import Agent, Topology

#: Seconds between probes on each path.
PACE = 0.002
#: Seconds until a fault counts as never repaired: longer than the audit period.
PATIENCE = 20.0
#: Seconds of pings after the repair, and pause of faults that undo themselves.
AFTERWARDS = 0.3
_LOOK_PERIOD = 0.005

BOTH = (4, 6)


def is_right(lab: Lab, agent: Agent | None = None) -> bool:
    """Whether an agent's kernel is as it should be; the struck one if none is named."""
    asked = victim_of(lab) if agent is None else agent
    last = status_of(lab, asked)["kernel"]["last_pass"]
    if last is None or last["fault"]:
        return False
    return not agents.ask(lab.record, asked, "diff")["rows"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: In words.
        strike: Does it. Returns when the repair counts from, monotonic seconds; None
            for when it returns.
        is_repaired: Whether all is as it should be again.
        within: Seconds in which it has to be.
        can_lose: Whether packets are lost by the fault itself, whoever repairs it.
        until: What `is_repaired` waits for, in words.
        mend: Brings the lab back to where it was, when all has been measured.
        families: On which pings run.
    """

    name: str
    strike: Callable[[Lab], float | None]
    is_repaired: Callable[[Lab], bool] = is_right
    within: float = 1.0
    can_lose: bool = True
    until: str = "right"
    mend: Callable[[Lab], None] | None = None
    families: tuple[int, ...] = BOTH


@dataclass(frozen=True, slots=True)
class Repair:
    """What came of one fault.

    Attributes:
        fault: Which.
        seconds: Until every row was right; infinite if that took too long.
        outage: The longest run of lost probes of a path, seconds.
        lost: Probes without answer, of all paths.
        sent: Probes in all.
        writes: Messages that the struck agent wrote to its kernel.
    """

    fault: Fault
    seconds: float
    outage: float
    lost: int
    sent: int
    writes: int

    @property
    def ok(self) -> bool:
        """Whether it was repaired in time, and nothing lost that need not be."""
        return self.seconds <= self.fault.within and (
            self.fault.can_lose or not self.lost
        )


def peer_of(lab: Lab) -> Agent:
    """Agent 1: at the other end of the pings."""
    return lab.agents[0]


def victim_of(lab: Lab) -> Agent:
    """Agent 2: the struck one."""
    return lab.agents[1]


@contextmanager
def in_step(prefix: str, *, size: int = 2) -> Iterator[Lab]:
    """Some agents in step, each with a container; gone at the end."""
    with open_lab(Topology(prefix, size=size, containers=1)) as lab:
        lab.build()
        lab.start_all()
        yield lab


def strike(lab: Lab, fault: Fault) -> Repair:
    """Let one fault happen to the second agent, and watch it be repaired.

    Raises:
        LabError: The lab was not in order before.
        CalledProcessError: The fault could not be done.
    """
    peer, victim = peer_of(lab), victim_of(lab)
    paths = [
        path
        for path in both_ways(peer, victim)
        if path.target.version in fault.families
    ]
    # The first packets between two containers wait for their bridges' neighbours.
    if any(one.after is None for one in reach(paths, within=PATIENCE)):
        raise LabError(f"no way between the containers before: {fault.name}")
    with PingStream(paths, PACE) as stream:
        stream.wait_answered(0.0, within=PATIENCE)
        process, before = _process(lab), _writes(lab)
        struck_at = fault.strike(lab) or time.monotonic()
        seconds = until(lambda: fault.is_repaired(lab)) - struck_at
        stream.wait_answered(time.monotonic(), within=PATIENCE)
        time.sleep(AFTERWARDS)
        traces = stream.stop()
    repair = Repair(
        fault,
        seconds=seconds,
        outage=max(trace.longest_outage for trace in traces),
        lost=sum(trace.lost for trace in traces),
        sent=sum(trace.sent for trace in traces),
        # A new process has written all that it counts.
        writes=_writes(lab) - (before if process == _process(lab) else 0),
    )
    if fault.mend is not None:
        fault.mend(lab)
        until(lambda: is_right(lab) and is_right(lab, peer))
    return repair


def _process(lab: Lab) -> Process | None:
    return lab.record.processes.get(victim_of(lab).name)


def _writes(lab: Lab) -> int:
    return int(status_of(lab, victim_of(lab))["kernel"]["writes"])


def status_of(lab: Lab, agent: Agent) -> dict[str, Any]:
    """What the agent's navstar says of itself."""
    return agents.ask(lab.record, agent, "status")


def until(holds: Callable[[], bool]) -> float:
    """When it held; infinite if it did not in time. No answer is no."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        try:
            if holds():
                return time.monotonic()
        except ControlError:
            pass  # It is being started.
        if time.monotonic() > give_up_at:
            return float("inf")
        time.sleep(_LOOK_PERIOD)


def run(agent: Agent, command: str) -> str:
    """Run a shell command where an agent is; what it prints."""
    return subprocess.run(  # noqa: S603  # commands are those of these files
        ["ip", "netns", "exec", agent.namespace, "sh", "-c", command],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout
