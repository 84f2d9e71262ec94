"""One agent leaves for good: its rows go everywhere, nobody else's are touched."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping

from navstar.lab import agents, namespaces
from navstar.lab.errors import AgentFailed
from navstar.lab.kernel_view import Snapshot, about, snapshot
from navstar.lab.pinger import PingStream
from navstar.lab.record import Record
from navstar.lab.report import Check, seconds
from navstar.lab.steps.stage import Stage, both_ways
from navstar.lab.topology import VTEP_NAME, Agent
from navstar.tables import PROTOCOL

NAME = "one agent leaves for good: its rows gone everywhere"
GOAL = "within 5 s; all other rows untouched"

_MOST = 5.0
_PATIENCE = 15.0
_COMMAND_PATIENCE = 60.0
_LOOK_PERIOD = 0.02


def an_agent_leaves(stage: Stage) -> Check:
    """`navstar down --leave` on the agent that joined before."""
    leaver = stage.joiner
    before = stage.snapshots(without=leaver)
    known = sum(len(about(lines, leaver.traces)) for lines in before.values())
    with PingStream(both_ways(stage.first, stage.second)) as stream:
        stage.say(f"navstar down --leave on {leaver.name}")
        left_at = time.monotonic()
        take_navstar_down(stage.lab.record, leaver, "--leave")
        gone_at, after = _wait_gone(stage, leaver)
        traces = stream.stop()
    remaining = sum(len(about(lines, leaver.traces)) for lines in after.values())
    touched = _touched(before, after, leaver)
    own = own_rows(snapshot(leaver.namespace))
    stage.lab.remove(leaver)
    lost = sum(trace.lost for trace in traces)
    took = None if gone_at is None else gone_at - left_at
    ok = took is not None and took < _MOST
    said = (
        f"{seconds(took)} for {known} rows on {len(before)} agents; "
        f"{len(touched)} other rows touched, {len(own)} left on {leaver.name}"
    )
    return Check(
        NAME,
        ok=ok and known > 0 and not (remaining or touched or own or lost),
        said=said + (f": {touched[0]}" if touched else ""),
        goal=GOAL,
        figures={
            "leave_to_gone_s": took,
            "rows_of_it_before": known,
            "rows_of_it_after": remaining,
            "other_rows_touched": len(touched),
            "rows_left_on_itself": len(own),
            "pings_lost_between_others": lost,
        },
    )


def take_navstar_down(record: Record, agent: Agent, *options: str) -> None:
    """`navstar down` as an operator on that agent would call it.

    Raises:
        AgentFailed: The command failed.
    """
    config = agents.directory(record, agent) / "config.toml"
    command = agents.navstar_command("down", "--config", str(config), *options)

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command line
            command,
            env=agents.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_PATIENCE,
            check=False,
        )

    try:
        done = namespaces.inside(agent.namespace, call)
    except subprocess.TimeoutExpired:
        problem = f"{' '.join(command[2:])} did not end in {_COMMAND_PATIENCE:.0f} s"
        raise AgentFailed(problem, agents.log_tail(record, agent)) from None
    if done.returncode:
        raise AgentFailed(
            f"{' '.join(command[2:])} ended with {done.returncode}: "
            f"{done.stderr.strip() or done.stdout.strip()}",
            agents.log_tail(record, agent),
        )


def own_rows(lines: Snapshot) -> Snapshot:
    """Rows that bear navstar's mark, and those on its device."""
    marks = frozenset({VTEP_NAME, f"{PROTOCOL}"})
    return frozenset(
        line
        for line in about(lines, marks)
        if f"proto {PROTOCOL}" in line or VTEP_NAME in line.split()
    )


def _wait_gone(
    stage: Stage, leaver: Agent
) -> tuple[float | None, Mapping[str, Snapshot]]:
    """Wait until no other agent has a row of the leaver."""
    until = time.monotonic() + _PATIENCE
    while True:
        after = stage.snapshots(without=leaver)
        if not any(about(lines, leaver.traces) for lines in after.values()):
            return time.monotonic(), after
        if time.monotonic() > until:
            return None, after
        time.sleep(_LOOK_PERIOD)


def _touched(
    before: Mapping[str, Snapshot], after: Mapping[str, Snapshot], leaver: Agent
) -> list[str]:
    """Rows that changed and are not the leaver's."""
    return [
        f"{name}: {line}"
        for name in before
        for line in sorted(before[name] ^ after[name])
        if not about([line], leaver.traces)
    ]
