"""What the steps share: the lab, who plays which part, and what was planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from navstar.lab.kernel_view import Snapshot, snapshot
from navstar.lab.laboratory import Lab
from navstar.lab.pinger import PingPath
from navstar.lab.topology import Agent, Container


@dataclass(slots=True)
class Stage:
    """One run of the demo.

    Attributes:
        lab: Up, with all navstars in step.
        say: Tells the reader what is being done, a few words.
        planted: Foreign rows by agent name, as lines of a snapshot.
    """

    lab: Lab
    say: Callable[[str], None]
    planted: dict[str, Snapshot] = field(default_factory=dict)

    @property
    def first(self) -> Agent:
        """The agent that looks on, and whose rows are deleted."""
        return self.lab.agents[0]

    @property
    def second(self) -> Agent:
        """The agent that is killed and loses its VTEP."""
        return self.lab.agents[1]

    @property
    def joiner(self) -> Agent:
        """The agent that joins a running cluster, and leaves it for good."""
        return self.lab.topology.agent(self.lab.topology.size + 1)

    def snapshots(self, *, without: Agent) -> dict[str, Snapshot]:
        """What the kernels of all agents but one hold, by the agents' names."""
        return {
            each.name: snapshot(each.namespace)
            for each in self.lab.agents
            if each != without
        }


def both_ways(one: Agent, other: Agent) -> list[PingPath]:
    """Between the first containers of two agents: there and back, v4 and v6."""
    a, b = one.containers[0], other.containers[0]
    return [*_paths(a, b), *_paths(b, a)]


def _paths(source: Container, target: Container) -> list[PingPath]:
    return [
        PingPath(
            f"{source.name} to {target.name} (v{address.version})",
            source.namespace,
            address,
        )
        for address in (target.address.ip, target.address6.ip)
    ]
