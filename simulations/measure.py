"""What a run measures: named numbers, curves of convergence, a map of membership."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """The names of what runs measure. Stable: they are in the results' schema.

    Times are virtual seconds. A scenario gives those that mean something in it.
    """

    #: From the first fault to the first node that takes the victim for down.
    DETECT_FIRST = "detect_first_s"
    #: From the fault until all healthy nodes do; the worst victim.
    DETECT_ALL = "detect_all_s"
    #: How often a healthy node took a node for down that ran and could be reached.
    FALSE_DOWNS = "false_downs"
    #: How often a healthy node suspected a node that ran and could be reached.
    FALSE_SUSPICIONS = "false_suspicions"
    #: From the event until half of the nodes agree, or have it.
    CONVERGE_50 = "converge_50_s"
    #: The same for 99 % of the nodes.
    CONVERGE_99 = "converge_99_s"
    #: The same for all of them.
    CONVERGE_ALL = "converge_all_s"
    #: From the end of a fault until all nodes have equal members and equal tables.
    HEAL = "heal_s"
    #: From the end of a fault until all nodes have equal members.
    HEAL_MEMBERS = "heal_members_s"
    #: From the end of a fault until all nodes have equal tables.
    HEAL_TABLE = "heal_table_s"
    #: UDP payload that a node sends, mean over nodes and the measured time.
    BYTES = "bytes_per_node_s"
    #: Datagrams that a node sends, mean over nodes and the measured time.
    DATAGRAMS = "datagrams_per_node_s"
    #: The same for the one node that sends most: the hot spot.
    BYTES_WORST = "bytes_worst_node_s"
    #: Payload copies that a node receives of one update, mean over nodes.
    COPIES = "copies_per_update"

    @property
    def summary(self) -> str:
        """What it says, in a few words."""
        return _SUMMARIES[self]


_SUMMARIES: Mapping[Metric, str] = {
    Metric.DETECT_FIRST: "fault until somebody takes the victim for down, s",
    Metric.DETECT_ALL: "fault until all healthy nodes take the victim for down, s",
    Metric.FALSE_DOWNS: "healthy, connected nodes taken for down, times",
    Metric.FALSE_SUSPICIONS: "healthy, connected nodes suspected, times",
    Metric.CONVERGE_50: "until half of the nodes have it, s",
    Metric.CONVERGE_99: "until 99 % of the nodes have it, s",
    Metric.CONVERGE_ALL: "until all nodes have it, s",
    Metric.HEAL: "end of the fault until members and tables are equal, s",
    Metric.HEAL_MEMBERS: "end of the fault until members are equal, s",
    Metric.HEAL_TABLE: "end of the fault until tables are equal, s",
    Metric.BYTES: "UDP payload sent, bytes per node and second",
    Metric.DATAGRAMS: "datagrams sent per node and second",
    Metric.BYTES_WORST: "the same for the node that sends most, bytes per second",
    Metric.COPIES: "payload copies received per node and update",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """How a share of the nodes grew.

    Attributes:
        name: What they came to have, e.g. "has the update".
        points: (seconds since the event, share from 0 to 1), both rising.
    """

    name: str
    points: tuple[tuple[float, float], ...]

    def time_of(self, share: float) -> float | None:
        """When the share was first reached; None if it never was."""
        return next((at for at, reached in self.points if reached >= share), None)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """How many members every node saw alive or suspect, sample by sample.

    Attributes:
        nodes: Names of the nodes, in the order of the rows: sides of a partition
            stand together.
        times: Virtual seconds of the samples, rising.
        live: For each time, for each node: members it takes for live, itself
            included; None while the node is not running.
        marks: (seconds, what the scenario did then), e.g. (60.0, "heal").
    """

    nodes: tuple[str, ...]
    times: tuple[float, ...]
    live: tuple[tuple[int | None, ...], ...]
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run has measured.

    Attributes:
        metrics: By name; those that do not apply are not there.
        curves: Convergence in the course of time.
        heat_map: Membership in the course of time, where it is of interest.
    """

    metrics: Mapping[Metric, float]
    curves: tuple[Curve, ...] = ()
    heat_map: HeatMap | None = None
