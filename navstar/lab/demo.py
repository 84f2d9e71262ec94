"""`navstar lab run`: a cluster is brought up, broken in seven ways, and cleaned up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pyroute2.netlink.exceptions import NetlinkError

from navstar.errors import NavstarError
from navstar.lab.demolition import leftovers
from navstar.lab.errors import LabError
from navstar.lab.laboratory import AtEnd, open_lab
from navstar.lab.processes import Process
from navstar.lab.record import Record
from navstar.lab.report import Check, Report, failed
from navstar.lab.steps import foreign, joining, leaving, reachability, repair, restart
from navstar.lab.steps.stage import Stage
from navstar.lab.topology import Topology

_LEFTOVERS_NAME = "nothing of the lab is left"
_LEFTOVERS_GOAL = "no namespace, process, link, file"

Step: TypeAlias = Callable[[Stage], Check]

#: What a step may meet when something is broken; anything else is a bug of the lab.
_EXPECTED = (NavstarError, NetlinkError, OSError, LookupError, ValueError)


class Audience(Protocol):
    """Whoever looks on while it runs."""

    def doing(self, what: str) -> None:
        """Something has begun, in a few words."""

    def done(self, check: Check) -> None:
        """A claim has been checked."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A step with its name and goal, for the case that it cannot be carried through."""

    name: str
    goal: str
    step: Step


CLAIMS = (
    Claim(reachability.NAME, reachability.GOAL, reachability.everyone_reaches_everyone),
    Claim(joining.NAME, joining.GOAL, joining.an_agent_joins),
    Claim(restart.NAME, restart.GOAL, restart.a_navstar_is_killed_and_restarted),
    Claim(repair.VTEP_NAME_OF_CHECK, repair.VTEP_GOAL, repair.a_vtep_is_deleted),
    Claim(repair.ROWS_NAME, repair.ROWS_GOAL, repair.rows_are_deleted),
    Claim(leaving.NAME, leaving.GOAL, leaving.an_agent_leaves),
    Claim(foreign.NAME, foreign.GOAL, foreign.foreign_rows_are_there),
)


def run_demo(topology: Topology, audience: Audience, *, at_end: AtEnd) -> Report:
    """Bring a lab up, check every claim in it, and take it down or keep it.

    Raises:
        LabError: It could not be brought up. Nothing is left of it.
        Interrupted: A signal came. Nothing is left of it.
    """
    if topology.size < 2:
        raise LabError("agents is 1: a path between agents needs two of them")
    began_at = time.monotonic()
    checks: list[Check] = []
    started: set[Process] = set()
    with open_lab(topology, at_end) as lab:
        record = lab.record
        stage = Stage(lab, audience.doing)
        audience.doing("namespaces and links are made")
        lab.build()
        foreign.plant_before_start(stage)
        audience.doing(f"{topology.size} navstars start and find each other")
        lab.start_all()
        foreign.plant_on_vtep(stage)
        for claim in CLAIMS:
            check = _carried_through(claim, stage)
            started |= set(record.processes.values())
            checks.append(check)
            audience.done(check)
        audience.doing("the lab ends")
    if at_end is AtEnd.CLEAN:
        checks.append(_nothing_is_left(record, started))
        audience.done(checks[-1])
    return Report(
        prefix=topology.prefix,
        agents=topology.size,
        containers=topology.containers,
        checks=tuple(checks),
        elapsed_s=time.monotonic() - began_at,
    )


def _carried_through(claim: Claim, stage: Stage) -> Check:
    """Run a step. If it breaks off, its claim has not held, and the rest goes on."""
    stage.say(claim.name)
    try:
        return claim.step(stage)
    except _EXPECTED as error:
        return failed(claim.name, claim.goal, error)


def _nothing_is_left(record: Record, started: set[Process]) -> Check:
    found = leftovers(record, started)
    return Check(
        _LEFTOVERS_NAME,
        ok=not found,
        said=", ".join(found) or "nothing",
        goal=_LEFTOVERS_GOAL,
        figures={"leftovers": len(found), "names": ", ".join(found)},
    )
