"""Who takes whom for down, when, and whether rightly."""

from __future__ import annotations

from dataclasses import dataclass, field

from lashup.machine import NodeId
from lashup.membership import Failed, MemberEvent, Suspected
from simulations.host import Host
from simulations.latency import SECOND
from simulations.measure import Curve, Metric
from simulations.world import World


@dataclass(slots=True)
class _Fault:
    """A victim, and who has noticed."""

    began_at: int
    noticed: dict[str, int] = field(default_factory=dict)


class Detection:
    """Watches the members' fates as the nodes see them.

    Args:
        world: Whose hosts.

    Attributes:
        false_downs: Times a healthy node took for down one that ran and could hear
            and be heard.
        false_suspicions: The same of suspicions.
        ailing: Names of hosts that the scenario has made ill: what they think, and
            what is thought of them, is not counted as false.
        excuses_faults: Whether a fault of the network between two nodes is an excuse.
            Not where others can reach both of them.
    """

    def __init__(self, world: World) -> None:
        self.false_downs = 0
        self.false_suspicions = 0
        self.ailing: set[str] = set()
        self.excuses_faults = True
        self._world = world
        self._hosts: dict[NodeId, Host] = {}
        self._faults: dict[str, _Fault] = {}
        #: Whether a host was wrong when it last came to suspect a member.
        self._wrongly: dict[tuple[str, NodeId], bool] = {}
        #: Whether who first gave a member up, at an epoch and incarnation, was wrong.
        self._decided_wrongly: dict[tuple[NodeId, int, int], bool] = {}

    def started(self, host: Host) -> None:
        """A host's node begins: from now on its id is this host."""
        self._hosts[host.running.id] = host

    def begin_fault(self, host: Host) -> None:
        """A host has failed now; to be called right after."""
        self._faults[host.name] = _Fault(self._world.now)

    def member_event(self, host: Host, event: MemberEvent) -> None:
        """A node tells of a member."""
        if not isinstance(event, Failed | Suspected):
            return
        victim = self._hosts.get(event.member.id)
        if victim is None:
            return
        fault = self._faults.get(victim.name)
        if fault is not None and isinstance(event, Failed):
            fault.noticed.setdefault(host.name, self._world.now)
        self._judge(host, victim, event)

    def is_complete(self) -> bool:
        """Whether all healthy hosts have noticed all faults."""
        watching = self._watching()
        return all(watching <= fault.noticed.keys() for fault in self._faults.values())

    def metrics(self) -> dict[Metric, float]:
        """How long it took, and how often it was wrong."""
        found: dict[Metric, float] = {
            Metric.FALSE_DOWNS: self.false_downs,
            Metric.FALSE_SUSPICIONS: self.false_suspicions,
        }
        firsts = [
            (min(fault.noticed.values()) - fault.began_at) / SECOND
            for fault in self._faults.values()
            if fault.noticed
        ]
        if firsts:
            found[Metric.DETECT_FIRST] = min(firsts)
        if self._faults and self.is_complete():
            watching = self._watching()
            found[Metric.DETECT_ALL] = max(
                (at - fault.began_at) / SECOND
                for fault in self._faults.values()
                for name, at in fault.noticed.items()
                if name in watching
            )
        return found

    def curve(self) -> Curve:
        """The share of (healthy host, victim) pairs noticed, in the course of time."""
        delays = sorted(
            (at - fault.began_at) / SECOND
            for fault in self._faults.values()
            for at in fault.noticed.values()
        )
        wanted = max(1, len(self._watching()) * len(self._faults))
        points = ((at, min(1.0, (i + 1) / wanted)) for i, at in enumerate(delays))
        return Curve("takes the victim for down", tuple(points))

    def _judge(self, host: Host, victim: Host, event: Suspected | Failed) -> None:
        """Is this wrong? What was right when it was decided may come late."""
        is_wrong = self._is_well(host, victim, event)
        pair = host.name, event.member.id
        if isinstance(event, Suspected):
            self._wrongly[pair] = is_wrong
            self.false_suspicions += is_wrong
            return
        is_wrong = is_wrong and self._wrongly.pop(pair, True)
        # Others only pass on what the first one has decided of this incarnation.
        said = event.member.id, event.member.epoch, event.member.incarnation
        was_wrong = self._decided_wrongly.setdefault(said, is_wrong)
        self.false_downs += is_wrong and was_wrong

    def _watching(self) -> set[str]:
        return {
            host.name
            for host in self._world.hosts.values()
            if host.is_running
            and host.name not in self.ailing
            and host.name not in self._faults
        }

    def _is_well(self, host: Host, victim: Host, event: Suspected | Failed) -> bool:
        """Whether nothing is wrong with two hosts and the network between them."""
        if not victim.is_running or victim.is_leaving or host is victim:
            return False
        if event.member.epoch < victim.running.membership.me.epoch:
            return False  # An earlier life, which is over indeed.
        if self.ailing and not self.ailing.isdisjoint((host.name, victim.name)):
            return False
        network = self._world.network
        return not (network.faults and self.excuses_faults) or (
            network.connects(host.name, victim.name)
            and network.connects(victim.name, host.name)
        )
