"""A new agent joins a running cluster: how soon can its containers be reached?

Its navstar is a member first and has no overlay. Then its allocation file names its
block, and the clock starts: navstar sees the file, makes its VTEP, publishes; the
others hear of it and program their kernels; the first ping passes.
"""

from __future__ import annotations

import time

from navstar.lab import agents
from navstar.lab.errors import AgentFailed
from navstar.lab.pinger import PingStream, reach
from navstar.lab.report import Check, seconds
from navstar.lab.steps.stage import Stage, both_ways

NAME = "a new agent is published: first ping through it"
GOAL = "below 1 s, then all paths"

_MOST = 1.0
#: Seconds for Python to start and the node to join.
_JOIN_PATIENCE = 30.0
_PATIENCE = 10.0


def an_agent_joins(stage: Stage) -> Check:
    """Add an agent to the cluster, and time from its publishing to pings."""
    lab, joiner = stage.lab, stage.joiner
    stage.say(f"{joiner.name} joins the cluster")
    lab.add(joiner)
    started_at = time.monotonic()
    agents.start(lab.record, joiner)
    agents.wait_status(
        lab.record,
        joiner,
        lambda status: bool(status["kv_synchronised"]),
        what="synchronising with the cluster",
        within=_JOIN_PATIENCE,
    )
    member_at = time.monotonic()
    with PingStream(both_ways(stage.first, joiner)) as stream:
        stage.say(f"{joiner.name} is given its block")
        published_at = time.monotonic()
        agents.allocate(lab.record, joiner)
        if any(trace.answered_at for trace in stream.traces()):
            raise AgentFailed(f"{joiner.name} answers before it was published")
        first_at = stream.wait_answered(published_at, within=_PATIENCE)
    firsts = [each.first_answer(published_at) for each in stream.traces()]
    took = min((each for each in firsts if each is not None), default=None)
    paths = [*lab.container_paths(), *lab.agent_paths()]
    reached = reach(paths, within=_PATIENCE)
    working = sum(each.after is not None for each in reached)
    to_ping = None if took is None else took - published_at
    to_all = None if first_at is None else first_at - published_at
    return Check(
        NAME,
        ok=to_all is not None and to_all < _MOST and working == len(paths),
        said=f"{seconds(to_ping)}, both ways v4 and v6 {seconds(to_all)}, "
        f"then {working}/{len(paths)} paths",
        goal=GOAL,
        figures={
            "publish_to_first_ping_s": to_ping,
            "publish_to_all_families_s": to_all,
            "start_to_synchronised_s": member_at - started_at,
            "paths": len(paths),
            "paths_ok": working,
        },
    )
