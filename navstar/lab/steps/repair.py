"""What somebody deletes from a kernel, navstar puts back."""

from __future__ import annotations

import time

from navstar.lab import sabotage
from navstar.lab.pinger import PingStream
from navstar.lab.report import Check, seconds
from navstar.lab.steps.stage import Stage, both_ways
from navstar.lab.topology import VTEP_NAME

VTEP_NAME_OF_CHECK = "the VTEP of one agent is deleted: until pings pass again"
VTEP_GOAL = "below 1 s"
ROWS_NAME = "an FDB row, neighbour, route, rule deleted: until each is back"
ROWS_GOAL = "each below 1 s"

_MOST = 1.0
_PATIENCE = 15.0
#: Seconds that pings have to pass before the repair counts as lasting.
_AFTERWARDS = 0.5


def a_vtep_is_deleted(stage: Stage) -> Check:
    """Delete the second agent's VXLAN device under running pings.

    The call returns late, when the repair may be done already: so the time is that
    of the pings, from the first one that was lost to the next that passed.
    """
    victim = stage.second
    with PingStream(both_ways(stage.first, victim)) as stream:
        stage.say(f"the VTEP of {victim.name} is deleted")
        stream.wait_answered(0.0, within=_PATIENCE)
        gone_at = sabotage.delete_link(victim.namespace, VTEP_NAME)
        stream.wait_answered(gone_at, within=_PATIENCE)
        time.sleep(_AFTERWARDS)
        traces = stream.stop()
    outage = max(trace.longest_outage for trace in traces)
    outages = max(len(trace.outages) for trace in traces)
    sent, lost = sum(t.sent for t in traces), sum(t.lost for t in traces)
    again = f" in {outages} outages" if outages > 1 else ""
    return Check(
        VTEP_NAME_OF_CHECK,
        ok=outage < _MOST,
        said=f"{seconds(outage)}{again}, {lost} of {sent} pings lost",
        goal=VTEP_GOAL,
        figures={
            "outage_s": outage,
            "outages": outages,
            "pings_lost": lost,
            "pings_sent": sent,
        },
    )


def rows_are_deleted(stage: Stage) -> Check:
    """Delete one row of each kind that leads from the first agent to the second."""
    repairs = []
    for target in sabotage.targets(stage.second):
        stage.say(f"{target.name} of {stage.first.name} is deleted")
        namespace = stage.first.namespace
        repairs.append(sabotage.delete_row(namespace, target, within=_PATIENCE))
    times = {each.name: each.seconds for each in repairs}
    missing = [name for name, took in times.items() if took is None]
    slowest = max((took for took in times.values() if took is not None), default=None)
    slow = [name for name, took in times.items() if took is not None and took >= _MOST]
    said = f"{len(times) - len(missing)}/{len(times)} back, slowest {seconds(slowest)}"
    return Check(
        ROWS_NAME,
        ok=not missing and not slow,
        said=said + (f"; not back: {', '.join(missing)}" if missing else ""),
        goal=ROWS_GOAL,
        figures={"slowest_s": slowest, "deleted_to_back_s": times},
    )
