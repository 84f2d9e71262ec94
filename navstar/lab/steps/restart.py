"""navstar is killed and started again, and the traffic does not notice.

While it is dead the others declare it down; its containers live on, so its rows
stay. When it comes back it finds all rows right. That it changes nothing is asked
of three witnesses: its own count of kernel writes, the kernel's announcements, and a
look before and after. The lab listens to the kernels of all other agents too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from navstar.lab import agents, processes
from navstar.lab.kernel_view import snapshot
from navstar.lab.pinger import PingStream
from navstar.lab.report import Check
from navstar.lab.steps.stage import Stage, both_ways
from navstar.lab.witness import Witness

NAME = "kill -9 of a navstar, and its restart"
GOAL = "0 pings lost, 0 kernel writes"

#: Seconds for the others to declare it down, as they must before this shows much.
_DETECTION_PATIENCE = 30.0
_START_PATIENCE = 30.0
#: Seconds that are watched after it is in step again: late writes would come here.
_AFTERWARDS = 1.5
#: Seconds in which kernels that say nothing have nothing left to say of the building of
#: the lab: they put off what they tell of links, by a second at most (linkwatch).
_QUIET = 1.1
_QUIET_PATIENCE = 5.0


def a_navstar_is_killed_and_restarted(stage: Stage) -> Check:
    """Kill the second agent's navstar, wait until it is down, start it again."""
    record, victim = stage.lab.record, stage.second
    size = len(stage.lab.agents)
    with ExitStack() as stack:
        stream = stack.enter_context(PingStream(both_ways(stage.first, victim)))
        witnesses = [
            stack.enter_context(Witness(each.namespace)) for each in stage.lab.agents
        ]
        _await_quiet(witnesses)
        before = snapshot(victim.namespace)
        stage.say(f"navstar of {victim.name} is killed")
        killed_at = time.monotonic()
        processes.kill(record.processes[victim.name])
        agents.wait_status(
            record,
            stage.first,
            lambda status: bool(status["members"]["down"]),
            what=f"declaring {victim.name} down",
            within=_DETECTION_PATIENCE,
        )
        down_at = time.monotonic()
        stage.say(f"{victim.name} is down to the others; its navstar starts again")
        agents.start(record, victim)
        agents.wait_status(
            record,
            victim,
            lambda status: _is_back(status, size),
            what="being in step again",
            within=_START_PATIENCE,
        )
        back_at = time.monotonic()
        time.sleep(_AFTERWARDS)
        status = agents.ask(record, victim, "status")
        traces = stream.stop()
        heard = [line for each in witnesses for line in each.heard()]
        differences = before ^ snapshot(victim.namespace)
    writes = int(status["kernel"]["writes"])
    sent, lost = sum(t.sent for t in traces), sum(t.lost for t in traces)
    said = f"{lost} of {sent} pings lost, {writes} writes, {len(heard)} kernel events"
    return Check(
        NAME,
        ok=not (lost or writes or heard or differences),
        said=said + (f": {heard[0]}" if heard else ""),
        goal=GOAL,
        figures={
            "pings_sent": sent,
            "pings_lost": lost,
            "longest_outage_s": max(trace.longest_outage for trace in traces),
            "kernel_writes": writes,
            "kernel_events": len(heard),
            "kernel_differences": len(differences),
            "declared_down_s": down_at - killed_at,
            "restart_to_in_step_s": back_at - down_at,
            "events": "; ".join(heard[:20]),
        },
    )


def _await_quiet(witnesses: Iterable[Witness]) -> None:
    """Return when nothing has been heard for a while, or after the patience."""
    ends_at = time.monotonic() + _QUIET_PATIENCE
    quiet_since = time.monotonic()
    while (now := time.monotonic()) < min(quiet_since + _QUIET, ends_at):
        if any(each.heard() for each in witnesses):
            quiet_since = now
        time.sleep(0.05)


def _alive(status: dict[str, Any]) -> int:
    return int(status["members"]["alive"])


def _is_back(status: dict[str, Any], size: int) -> bool:
    return bool(
        status["kv_synchronised"]
        and status["kernel"]["passes"] > 0
        and _alive(status) >= size
    )
