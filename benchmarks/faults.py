"""What can go wrong with an agent's kernel, each fault done and measured in a lab.

Two agents with a container each on a real kernel. The fault strikes the second one
by the commands an operator or another daemon would use, under pings both ways, v4 and
v6, one per 2 ms. Measured are the time until every row is right again, the probes
lost, and how many messages navstar wrote to the kernel.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from navstar.lab import agents
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.pinger import PingStream
from navstar.lab.steps.stage import both_ways
from navstar.lab.topology import Agent, Topology

#: Seconds between probes on each of the four paths.
PACE = 0.002
#: Seconds until a fault counts as never repaired: longer than the audit period.
PATIENCE = 15.0
#: Seconds of pings after the repair, and pause of faults that undo themselves.
AFTERWARDS = 0.3
_LOOK_PERIOD = 0.005


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: In words.
        commands: Shell commands in the struck agent's namespace, one after another.
        within: Seconds in which it has to be repaired.
        can_lose: Whether packets are lost by the fault itself, whoever repairs it.
    """

    name: str
    commands: tuple[str, ...]
    within: float = 1.0
    can_lose: bool = True


@dataclass(frozen=True, slots=True)
class Repair:
    """What came of one fault.

    Attributes:
        fault: Which.
        seconds: From the end of the last command until every row was right; infinite
            if that took too long.
        outage: The longest run of lost probes of a path, seconds.
        lost: Probes without answer, of all four paths.
        sent: Probes in all.
        writes: Messages that the struck agent wrote to its kernel.
    """

    fault: Fault
    seconds: float
    outage: float
    lost: int
    sent: int
    writes: int

    @property
    def ok(self) -> bool:
        """Whether it was repaired in time, and nothing lost that need not be."""
        return self.seconds <= self.fault.within and (
            self.fault.can_lose or not self.lost
        )


def _one(name: str, *commands: str, can_lose: bool = True) -> Fault:
    return Fault(name, commands, can_lose=can_lose)


#: The struck agent is number 2, and its peer number 1.
FAULTS = (
    _one(
        "FDB row deleted",
        "bridge fdb del 70:b3:d5:80:00:01 dev vtep1024 dst 10.0.0.1 self",
    ),
    _one("neighbour deleted, v4", "ip neigh del 44.128.0.1 dev vtep1024"),
    _one("neighbour deleted, v6", "ip neigh del fd01:a::1 dev vtep1024"),
    _one("route deleted, v4", "ip route del 9.0.1.0/24 dev vtep1024"),
    _one("route deleted, v6", "ip -6 route del fd01:b:0:0:1::/80 dev vtep1024"),
    _one("host route deleted, v4", "ip route del 10.0.0.1 table 42", can_lose=False),
    _one("host route deleted, v6", "ip -6 route del fd00::1 table 42", can_lose=False),
    _one("rule deleted, v4", "ip rule del from 9.0.0.0/8", can_lose=False),
    _one("rule deleted, v6", "ip -6 rule del from fd01:b::/64", can_lose=False),
    _one("VTEP address deleted, v4", "ip addr del 44.128.0.2/20 dev vtep1024"),
    _one("VTEP address deleted, v6", "ip -6 addr del fd01:a::2/64 dev vtep1024"),
    _one("VTEP set down", "ip link set vtep1024 down"),
    _one("VTEP set down and up", "ip link set vtep1024 down",
         "ip link set vtep1024 up"),
    _one("VTEP deleted", "ip link del vtep1024"),
    _one("VTEP MAC changed", "ip link set vtep1024 address 02:00:00:00:00:99"),
    _one("VTEP MTU changed", "ip link set vtep1024 mtu 1400", can_lose=False),
    _one(
        "VTEP learning switched on",
        "ip link set vtep1024 type vxlan learning",
        can_lose=False,
    ),
    _one(
        "IPv6 of the VTEP switched off",
        "echo 1 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
    ),
    _one(
        "IPv6 of the VTEP switched off and on",
        "echo 1 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
        "echo 0 > /proc/sys/net/ipv6/conf/vtep1024/disable_ipv6",
    ),
    _one("neighbour replaced by another MAC", "ip neigh replace 44.128.0.1 "
         "lladdr 02:00:00:00:00:77 dev vtep1024 nud permanent"),
    _one("FDB row led elsewhere", "bridge fdb replace 70:b3:d5:80:00:01 dev vtep1024 "
         "dst 10.0.0.77 self permanent"),
    _one("all routes of ours flushed", "ip route flush table all proto 78",
         "ip -6 route flush table all proto 78"),
    _one("all neighbours of the VTEP flushed", "ip neigh flush dev vtep1024 nud all"),
    _one("underlay link down and up", "ip link set eth0 down", "sleep 0.3",
         "ip link set eth0 up", "ip -6 addr add fd00::2/64 dev eth0 nodad"),
    Fault(
        "underlay address removed and back",
        ("ip addr del 10.0.0.2/24 dev eth0", "sleep 0.3",
         "ip addr add 10.0.0.2/24 dev eth0"),
        within=2.0,
    ),
)  # fmt: skip


@contextmanager
def struck_pair(prefix: str) -> Iterator[Lab]:
    """Two agents in step, each with a container; gone at the end."""
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()
        lab.start_all()
        yield lab


def strike(lab: Lab, fault: Fault) -> Repair:
    """Let one fault happen to the second agent, and watch it be repaired.

    Raises:
        LabError: The pair was not in order before.
        CalledProcessError: The fault could not be done.
    """
    peer, victim = lab.agents
    with PingStream(both_ways(peer, victim), PACE) as stream:
        stream.wait_answered(0.0, within=PATIENCE)
        before = _writes(lab, victim)
        for command in fault.commands:
            _run(victim.namespace, command)
        struck_at = time.monotonic()
        seconds = _until(lambda: _is_right(lab, victim)) - struck_at
        stream.wait_answered(time.monotonic(), within=PATIENCE)
        time.sleep(AFTERWARDS)
        traces = stream.stop()
    return Repair(
        fault,
        seconds=seconds,
        outage=max(trace.longest_outage for trace in traces),
        lost=sum(trace.lost for trace in traces),
        sent=sum(trace.sent for trace in traces),
        writes=_writes(lab, victim) - before,
    )


def _is_right(lab: Lab, agent: Agent) -> bool:
    status = agents.ask(lab.record, agent, "status")
    last = status["kernel"]["last_pass"]
    if last is None or last["fault"]:
        return False
    return not agents.ask(lab.record, agent, "diff")["rows"]


def _writes(lab: Lab, agent: Agent) -> int:
    return int(agents.ask(lab.record, agent, "status")["kernel"]["writes"])


def _until(holds: Callable[[], bool]) -> float:
    """When it held; infinite if it did not in time."""
    give_up_at = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > give_up_at:
            return float("inf")
        time.sleep(_LOOK_PERIOD)
    return time.monotonic()


def _run(namespace: str, command: str) -> None:
    subprocess.run(  # noqa: S603  # commands are those of this file
        ["ip", "netns", "exec", namespace, "sh", "-c", command],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
