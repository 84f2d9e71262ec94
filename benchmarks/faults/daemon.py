"""Faults of navstar itself, and of whoever else works on the same kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from benchmarks.faults.fault import (
    Fault,
    is_right,
    peer_of,
    run,
    status_of,
    until,
    victim_of,
)
from benchmarks.faults.undoing import undoing
from navstar.lab import agents, processes
from navstar.lab.errors import LabError
from navstar.lab.laboratory import Lab
from navstar.lab.topology import Agent

#: Route changes that overflow 8 MiB of notices some times over.
_STORM = 30_000
#: Where the lab's first agent, and so the route to it, gets another MAC.
_NEW_MAC = "70:b3:d5:80:00:a1"


def stop(lab: Lab, agent: Agent) -> None:
    """End an agent's navstar; its rows stay."""
    processes.end([lab.record.processes[agent.name]])
    lab.record.ended(agent.name)


def kill(lab: Lab, agent: Agent) -> None:
    """Kill an agent's navstar (-9)."""
    processes.kill(lab.record.processes[agent.name])


def start(lab: Lab, agent: Agent) -> float:
    """Start it again; when."""
    began = time.monotonic()
    agents.start(lab.record, agent)
    return began


def is_in_step(lab: Lab) -> bool:
    """Whether the struck agent knows all others, and its kernel is right."""
    status = status_of(lab, victim_of(lab))
    others = len(lab.agents) - 1
    return (
        status["kv_synchronised"]
        and status["members"]["alive"] > others
        and status["rows"]["agents"] >= others
        and is_right(lab)
    )


def _restart(lab: Lab) -> float:
    stop(lab, victim_of(lab))
    return start(lab, victim_of(lab))


def _kill_and_restart(lab: Lab) -> float:
    kill(lab, victim_of(lab))
    return start(lab, victim_of(lab))


def edit_allocation(lab: Lab, agent: Agent, old: str, new: str) -> None:
    """Change words in an agent's allocation.

    Raises:
        LabError: They are not in it.
    """
    path = agents.directory(lab.record, agent) / "allocation.toml"
    text = path.read_text()
    if old not in text:
        raise LabError(f"{path} has no {old}")
    fresh = path.with_suffix(".edited")
    fresh.write_text(text.replace(old, new))
    fresh.replace(path)


def give_back(lab: Lab) -> None:
    """Give every agent the allocation that it had at first."""
    for agent in lab.agents:
        agents.allocate(lab.record, agent)


def _replace_peer_meanwhile(lab: Lab) -> float:
    peer = peer_of(lab)
    stop(lab, victim_of(lab))
    edit_allocation(lab, peer, peer.overlay.vtep.mac, _NEW_MAC)
    until(lambda: status_of(lab, peer)["overlays"][0]["mac"] == _NEW_MAC)
    until(lambda: is_right(lab, peer))
    return start(lab, victim_of(lab))


def _has_new_mac(lab: Lab) -> bool:
    shown = run(victim_of(lab), "bridge fdb show dev vtep1024")
    return _NEW_MAC in shown and is_in_step(lab)


def _overflow(lab: Lab) -> float:
    """Let the kernel tell more than the daemon's socket holds, and then a fault."""
    victim = victim_of(lab)
    daemon = lab.record.processes[victim.name].pid
    before = _drops(victim)
    os.kill(daemon, signal.SIGSTOP)
    try:
        pairs = (
            f"route {verb} 10.200.{n >> 8 & 255}.{n & 255}/32 dev eth0 proto 78"
            for n in range(_STORM // 2)
            for verb in ("add", "del")
        )
        batch = agents.directory(lab.record, victim) / "storm"
        batch.write_text("\n".join(pairs))
        run(victim, f"ip -batch {batch}")
        run(victim, "ip route del 9.0.1.0/24 dev vtep1024")
        if _drops(victim) == before:
            raise LabError("the socket did not overflow")
    finally:
        os.kill(daemon, signal.SIGCONT)
    return time.monotonic()


def _drops(agent: Agent) -> int:
    lines = run(agent, "cat /proc/thread-self/net/netlink").splitlines()[1:]
    return sum(int(line.split()[8]) for line in lines)


class _Manager:
    """Another manager of routes, in the struck agent's namespace."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def begin(self, lab: Lab) -> None:
        inside = ["ip", "netns", "exec", victim_of(lab).namespace]
        process = subprocess.Popen(  # noqa: S603  # our own words
            [*inside, sys.executable, "-c", undoing("9.0.1.0/24")],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        if process.stdout is not None:
            process.stdout.readline()

    def is_named(self, lab: Lab) -> bool:
        """Whether the struck agent says who does it; and then it is over."""
        said = " ".join(status_of(lab, victim_of(lab))["contested"])
        if not any(f"(pid {each.pid})" in said for each in self._processes):
            return False
        self.end(lab)
        return True

    def end(self, _: Lab) -> None:
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.communicate()


def _a_manager() -> Fault:
    manager = _Manager()
    return Fault(
        "another manager keeps deleting a route",
        manager.begin,
        manager.is_named,
        until="named by its pid",
        mend=manager.end,
    )


def _behind(command: str, name: str) -> Fault:
    """A foreign device where ours should be; counted from when it goes."""
    device = command.split()[3]

    def plant(lab: Lab) -> float:
        victim = victim_of(lab)
        stop(lab, victim)
        run(victim, "ip link del vtep1024")
        run(victim, command)
        start(lab, victim)
        until(lambda: bool(status_of(lab, victim)["in_the_way"]))
        if device not in run(victim, "ip -br link"):
            raise LabError(f"{device} has been touched")
        run(victim, f"ip link del {device}")
        return time.monotonic()

    return Fault(f"{name}, reported and then removed", plant, is_in_step)


DAEMON = (
    Fault("navstar stopped and started", _restart, is_in_step,
          within=5.0, can_lose=False),
    Fault("navstar killed (-9) and started", _kill_and_restart, is_in_step,
          within=5.0, can_lose=False),
    Fault("peer replaced while navstar was down (new MAC)", _replace_peer_meanwhile,
          _has_new_mac, within=5.0, mend=give_back),
    Fault("event socket overflows, and a route goes with it", _overflow),
    _a_manager(),
    _behind("ip link add stranger type vxlan id 1024 dstport 64000 local 10.0.0.2",
            "foreign device with our VNI and port"),
    _behind("ip link add vtep1024 type vxlan id 99 dstport 4789 local 10.0.0.2",
            "foreign device with our name"),
)  # fmt: skip
