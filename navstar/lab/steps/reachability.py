"""Every container reaches every other one, and every agent, by its own address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from navstar.lab import namespaces
from navstar.lab.laboratory import Lab
from navstar.lab.pinger import Reached, reach
from navstar.lab.report import Check
from navstar.lab.steps.stage import Stage

NAME = "every container reaches every container and agent, v4 and v6"
GOAL = "every path, under strict rp_filter"

#: Seconds. Rows are in place before this step; the rest is ARP and IPv6's likes.
PATIENCE = 5.0

#: See `navstar.tables.former_name` and `second_name`.
_BESIDE_A_VTEP = re.compile(r"[uvw]\d+-\d+")


def everyone_reaches_everyone(stage: Stage) -> Check:
    """Ping all paths once."""
    return check_reachability(stage.lab)


def check_reachability(lab: Lab) -> Check:
    """Ping all paths of a lab once; `navstar lab check` is this alone."""
    containers, agents = lab.container_paths(), lab.agent_paths()
    reached = reach([*containers, *agents], within=PATIENCE)
    between, to_agents = reached[: len(containers)], reached[len(containers) :]
    lax = [each.name for each in lab.agents if not _is_strict(each.namespace)]
    silent = [each.path.name for each in reached if each.after is None]
    said = (
        f"{_count(between)} between containers, {_count(to_agents)} to agents"
        + (f"; silent: {_few(silent)}" if silent else "")
        + (f"; rp_filter is not strict on {_few(lax)}" if lax else "")
    )
    return Check(
        NAME,
        ok=not silent and not lax,
        said=said,
        goal=GOAL,
        figures={
            "container_paths": len(between),
            "container_paths_ok": _ok(between),
            "agent_paths": len(to_agents),
            "agent_paths_ok": _ok(to_agents),
            "agents_with_strict_rp_filter": len(lab.agents) - len(lax),
            "silent": ", ".join(silent),
        },
    )


def _is_strict(namespace: str) -> bool:
    """Whether no device of the namespace accepts a packet from the wrong side.

    The kernel takes the higher of `all` and the device's own; 2 is loose. What stands
    beside a VTEP is loose on purpose: the way back may be by the VTEP.
    """

    def look() -> bool:
        settings = Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter")
        values = {
            each.parent.name: int(each.read_text())
            for each in settings
            if not _BESIDE_A_VTEP.fullmatch(each.parent.name)
        }
        return values["all"] == 1 and all(each <= 1 for each in values.values())

    return namespaces.inside(namespace, look)


def _ok(reached: Sequence[Reached]) -> int:
    return sum(each.after is not None for each in reached)


def _count(reached: Sequence[Reached]) -> str:
    return f"{_ok(reached)}/{len(reached)}"


def _few(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
