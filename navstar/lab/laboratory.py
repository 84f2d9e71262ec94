"""A whole lab: brought up, kept, and taken down without a trace.

The order is always the same: note what is about to be made, make it. So whatever
stops the lab half way, the record names all there is, and `demolition`, here or in
another process, needs nothing but the record.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from navstar.lab import agents, links, namespaces, processes
from navstar.lab.demolition import strangers, tear_down
from navstar.lab.errors import NameTaken, StaleLab
from navstar.lab.holder import hold
from navstar.lab.interrupts import uninterrupted
from navstar.lab.pinger import PingPath
from navstar.lab.record import Record, disown, find_record, open_record
from navstar.lab.topology import Agent, Topology, namespaces_of

#: Seconds for an agent to start, join the others and program its kernel, for the
#: first one, and for each more: all of them start at once and share the cores.
READY_PATIENCE = 20.0
READY_PATIENCE_EACH = 2.0


@dataclass(slots=True)
class Lab:
    """A lab that is being built or is up, and what can be done with it.

    Attributes:
        record: Its directory.
        agents: Those that exist now, in order of their numbers.
    """

    record: Record
    agents: list[Agent] = field(default_factory=list)

    @property
    def topology(self) -> Topology:
        """What was asked for."""
        return self.record.topology

    def build(self) -> None:
        """Make the fabric and the agents with their containers; start nothing.

        Raises:
            LabError: A namespace is in the way.
        """
        agents.make_key(self.record)
        self._make([self.topology.fabric])
        links.wire_fabric(self.topology)
        for agent in self.topology.agents:
            self.add(agent)

    def add(self, agent: Agent) -> None:
        """Make one more agent, plugged in, with its files; start nothing."""
        self._make(namespaces_of(agent))
        links.wire_agent(self.topology, agent)
        agents.configure(self.record, agent)
        self.agents.append(agent)

    def _make(self, names: Iterable[str]) -> None:
        for name in names:
            self.record.expect([name])
            try:
                namespaces.create(name)
            except NameTaken:
                # Somebody else's: not ours to clean up.
                self.record.forget([name])
                raise

    def remove(self, agent: Agent) -> None:
        """Take an agent's machine away: its process, cable and namespaces."""
        if process := self.record.processes.get(agent.name):
            processes.end([process])
            self.record.ended(agent.name)
        links.unplug_agent(self.topology, agent)
        for name in namespaces_of(agent):
            namespaces.remove(name)
        self.record.forget(namespaces_of(agent))
        self.agents.remove(agent)

    def start_all(self) -> None:
        """Start every agent's navstar and wait until each is in step.

        Raises:
            AgentFailed: One is not in step in time, or has ended.
        """
        for agent in self.agents:
            agents.allocate(self.record, agent)
            agents.start(self.record, agent)
        patience = READY_PATIENCE + READY_PATIENCE_EACH * len(self.agents)
        until = time.monotonic() + patience
        for agent in self.agents:
            left = max(1.0, until - time.monotonic())
            agents.wait_status(
                self.record,
                agent,
                lambda status: _is_in_step(status, len(self.agents)),
                what=f"joining {len(self.agents) - 1} others",
                within=left,
            )

    def container_paths(self, among: Iterable[Agent] | None = None) -> list[PingPath]:
        """From every container to every other one, v4 and v6."""
        agents_meant = self.agents if among is None else list(among)
        containers = [one for agent in agents_meant for one in agent.containers]
        return [
            PingPath(f"{a.name} to {b.name} (v{target.version})", a.namespace, target)
            for a in containers
            for b in containers
            if a is not b
            for target in (b.address.ip, b.address6.ip)
        ]

    def agent_paths(self) -> list[PingPath]:
        """From every container to every agent's own addresses."""
        return [
            PingPath(f"{one.name} to {to.name} at {target}", one.namespace, target)
            for agent in self.agents
            for one in agent.containers
            for to in self.agents
            for target in to.own_addresses
        ]


def _is_in_step(status: dict[str, object], size: int) -> bool:
    """Whether an agent knows all others and its kernel holds what it should."""
    match status:
        case {
            "members": {"alive": int(alive)},
            "rows": {"agents": int(reached), "desired": desired, "actual": actual},
        }:
            return alive >= size and reached >= size - 1 and desired == actual
        case _:
            return False


class AtEnd(Enum):
    """What becomes of a lab when the work in it has ended, however it ended."""

    CLEAN = "nothing is left"
    KEEP = "it stays up, for `lab check`, `lab down` and people"


@contextmanager
def open_lab(topology: Topology, at_end: AtEnd = AtEnd.CLEAN) -> Iterator[Lab]:
    """A lab to build and work in, and its end, whatever happens inside.

    Raises:
        StaleLab: Something of this prefix is there already. It is left alone.
    """
    record: Record | None = None
    try:
        with uninterrupted():
            record = claim(topology)
        yield Lab(record)
    finally:
        if record is not None:
            with uninterrupted():
                match at_end:
                    case AtEnd.CLEAN:
                        tear_down(record)
                    case AtEnd.KEEP:
                        leave(record)


def leave_lab(topology: Topology) -> Lab:
    """Bring a lab up and leave it so, for `lab check`, `lab down` and people.

    Raises:
        LabError: It could not be brought up; nothing is left of it.
    """
    record: Record | None = None
    try:
        with uninterrupted():
            record = claim(topology)
        lab = Lab(record)
        lab.build()
        lab.start_all()
        with uninterrupted():
            lab.record = leave(record)
    except BaseException:
        if record is not None:
            with uninterrupted():
                tear_down(record)
        raise
    return lab


def leave(record: Record) -> Record:
    """Let a lab stay when this process ends."""
    hold(record)
    return disown(record)


def find_lab(prefix: str) -> Lab:
    """The lab that was left up with this prefix.

    Raises:
        NoSuchLab: There is none.
    """
    record = find_record(prefix)
    there = namespaces.names()
    every = (record.topology.agent(n) for n in range(1, record.topology.size + 1))
    return Lab(record, [each for each in every if each.namespace in there])


def claim(topology: Topology) -> Record:
    """Take the prefix, if nothing of it is in the way.

    Raises:
        StaleLab: A lab of this prefix is recorded, or namespaces are called so.
    """
    record = open_record(topology)
    foreign = strangers(topology.prefix)
    if foreign:
        record.erase()
        raise StaleLab(
            f"network namespaces of the lab's names are there, but no lab "
            f"{topology.prefix} made them: {', '.join(foreign)}",
            f"ip netns del {foreign[0]}   removes one; "
            "another --prefix stands beside them",
        )
    return record
