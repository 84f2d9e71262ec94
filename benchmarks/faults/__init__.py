"""What can go wrong with an agent, each fault done and measured in a lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from benchmarks.faults import crowd, endpoint, families, neighbours
from benchmarks.faults.allocation import ALLOCATION
from benchmarks.faults.commands import COMMANDS
from benchmarks.faults.daemon import DAEMON
from benchmarks.faults.fault import PACE, Fault, Repair, in_step, strike
from navstar.lab.laboratory import Lab

__all__ = ["GROUPS", "PACE", "Fault", "Group", "Repair", "in_step", "strike"]


@dataclass(frozen=True, slots=True)
class Group:
    """Faults that happen in one lab, one after another.

    Attributes:
        name: One word.
        opened: Brings the lab up, and takes it down.
        faults: In the order in which they have to happen.
    """

    name: str
    opened: Callable[[str], AbstractContextManager[Lab]]
    faults: Iterable[Fault]


GROUPS = (
    Group("commands", in_step, COMMANDS),
    Group("daemon", in_step, DAEMON),
    Group("allocation", in_step, ALLOCATION),
    Group("neighbours", partial(in_step, size=3), neighbours.NEIGHBOURS),
    Group("crowd", crowd.crowded_pair, crowd.CROWDED),
    Group("endpoint", endpoint.fed_pair, endpoint.ENDPOINT),
    Group("moved", families.IPV6_FIRST, families.MOVED),
    Group("moved-lashup", families.UNPINNED, families.MOVED_WITH_LASHUP),
    Group("v4-only", families.IPV4_ONLY, families.OVERLAY_4),
    Group("v6-only", families.IPV6_ONLY, families.OVERLAY_6),
    Group("mixed-underlay", families.MIXED_BELOW, families.UNDERLAY_MIXED),
    Group("v6-underlay", families.IPV6_BELOW, families.UNDERLAY_6),
)
