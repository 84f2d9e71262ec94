"""Changes of the allocation, on both agents, while traffic flows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.faults.daemon import edit_allocation, give_back
from benchmarks.faults.fault import (
    Fault,
    is_right,
    peer_of,
    run,
    status_of,
    until,
    victim_of,
)
from navstar.lab import agents
from navstar.lab.laboratory import Lab
from navstar.lab.topology import Agent

_MORE = """
[[overlay]]
name = "more"
subnet = "10.9.0.0/16"
block = "10.9.{number}.0/24"

[overlay.vtep]
name = "vtep1099"
vni = 1099
mac = "70:b3:d5:80:99:0{number}"
address = "44.199.0.{number}/20"
"""


def _on_both(*edits: tuple[str, str]) -> Callable[[Lab], float]:
    """The same edits on all agents, one after another."""

    def strike(lab: Lab) -> float:
        began = time.monotonic()
        for agent in lab.agents:
            for old, new in edits:
                edit_allocation(lab, agent, old, new)
        return began

    return strike


def _apart(seconds: float, *edits: tuple[str, str]) -> Callable[[Lab], float]:
    """The same edits on all agents, with time between them."""

    def strike(lab: Lab) -> float:
        began = time.monotonic()
        for number, agent in enumerate(lab.agents):
            if number:
                time.sleep(seconds)
                began = time.monotonic()
            for old, new in edits:
                edit_allocation(lab, agent, old, new)
        return began

    return strike


#: Seconds that a stranger stands in the way of a change.
_STANDS = 1.0


def _behind_a_stranger(*edits: tuple[str, str]) -> Callable[[Lab], float]:
    """The edits on all agents; the struck one can follow when a stranger has gone."""

    def strike(lab: Lab) -> float:
        victim = victim_of(lab)
        run(victim, "ip link add stranger type vxlan id 1033 dstport 64000 "
                    f"local {victim.underlay.ip}")  # fmt: skip
        _on_both(*edits)(lab)
        until(lambda: bool(status_of(lab, victim)["in_the_way"]))
        time.sleep(_STANDS)
        run(victim, "ip link del stranger")
        return time.monotonic()

    return strike


def _behind_a_process(*edits: tuple[str, str]) -> Callable[[Lab], float]:
    """The edits on all agents; the struck one can follow when its port is free."""
    bind = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); "
    bind += "s.bind(('', 64003)); print('bound', flush=True); time.sleep(99)"

    def strike(lab: Lab) -> float:
        victim = victim_of(lab)
        inside = ["ip", "netns", "exec", victim.namespace]
        with subprocess.Popen(  # noqa: S603  # our own words
            [*inside, sys.executable, "-c", bind], stdout=subprocess.PIPE
        ) as process:
            if process.stdout is not None:
                process.stdout.readline()
            _on_both(*edits)(lab)
            until(lambda: bool(status_of(lab, victim)["refused"]))
            time.sleep(_STANDS)
            process.kill()
        return time.monotonic()

    return strike


def _all(holds: Callable[[Lab, Agent], bool]) -> Callable[[Lab], bool]:
    """Whether it holds of all agents, and each leads to the other."""

    def is_so(lab: Lab) -> bool:
        return all(
            holds(lab, agent)
            and status_of(lab, agent)["rows"]["agents"] == len(lab.agents) - 1
            and is_right(lab, agent)
            for agent in lab.agents
        )

    return is_so


def _says(field: str, value: object) -> Callable[[Lab], bool]:
    def of(lab: Lab, agent: Agent) -> bool:
        overlays = status_of(lab, agent)["overlays"]
        return bool(overlays) and overlays[0][field] == value

    return _all(of)


def _add_overlay(lab: Lab) -> float:
    began = time.monotonic()
    for agent in lab.agents:
        edit_allocation(
            lab, agent, "[[overlay]]", _MORE.format(number=agent.number) + "[[overlay]]"
        )
    return began


def _has_more(lab: Lab) -> bool:
    return all(
        "10.9.1.0/24" in run(victim_of(lab), "ip route")
        and "10.9.2.0/24" in run(peer_of(lab), "ip route")
        and is_right(lab, agent)
        for agent in lab.agents
    )


def _remove_overlay(lab: Lab) -> float:
    began = time.monotonic()
    give_back(lab)
    return began


def _has_no_more(lab: Lab) -> bool:
    return all(
        "vtep1099" not in run(agent, "ip -br link") and is_right(lab, agent)
        for agent in lab.agents
    )


def _on_the_struck(*edits: tuple[str, str]) -> Callable[[Lab], float]:
    """The edits on the struck agent alone."""

    def strike(lab: Lab) -> float:
        began = time.monotonic()
        for old, new in edits:
            edit_allocation(lab, victim_of(lab), old, new)
        return began

    return strike


def _peer_leads_to(*words: str) -> Callable[[Lab], bool]:
    """Whether the other agent's routes say so, and both are right."""

    def is_so(lab: Lab) -> bool:
        shown = run(peer_of(lab), "ip route; ip -6 route")
        return all(word in shown for word in words) and all(
            is_right(lab, agent) for agent in lab.agents
        )

    return is_so


def _lower_underlay_mtu(lab: Lab) -> float:
    """With an allocation that leaves the VTEP's MTU to navstar."""
    victim = victim_of(lab)
    edit_allocation(lab, victim, "mtu = 1450\n", "")
    until(lambda: status_of(lab, victim)["overlays"][0]["mtu"] is None)
    until(lambda: is_right(lab))
    run(victim, "ip link set eth0 mtu 1400")
    return time.monotonic()


def _follows_underlay(lab: Lab) -> bool:
    return "mtu 1350 " in run(victim_of(lab), "ip link show vtep1024") and is_right(lab)


def _raise_underlay_mtu(lab: Lab) -> None:
    run(victim_of(lab), "ip link set eth0 mtu 1500")
    agents.allocate(lab.record, victim_of(lab))


ALLOCATION = (
    Fault("underlay MTU lowered", _lower_underlay_mtu, _follows_underlay,
          can_lose=False, until="the VTEP's MTU has followed",
          mend=_raise_underlay_mtu),
    Fault("MTU changed in the allocation", _on_both(("mtu = 1450", "mtu = 1400")),
          _says("mtu", 1400), can_lose=False, mend=give_back),
    Fault("VTEP addresses changed in the allocation",
          _on_the_struck(("44.128.0.2/20", "44.128.0.22/20"),
                         ("fd01:a::2/64", "fd01:a::22/64")),
          _peer_leads_to("9.0.2.0/24 via 44.128.0.22", "via fd01:a::22"),
          until="both ends have followed", mend=give_back),
    Fault("block made larger in the allocation",
          _on_the_struck(("9.0.2.0/24", "9.0.2.0/23")),
          _peer_leads_to("9.0.2.0/23 via"), can_lose=False,
          until="both ends have followed", mend=give_back),
    Fault("overlay added", _add_overlay, _has_more, can_lose=False),
    Fault("overlay removed", _remove_overlay, _has_no_more, can_lose=False),
    Fault("VNI changed on both agents", _on_both(("vni = 1024", "vni = 1030")),
          _says("vni", 1030), can_lose=False, mend=give_back),
    Fault("UDP port changed on both agents",
          _on_both(("port = 64000", "port = 64001")),
          _says("port", 64001), can_lose=False, mend=give_back),
    Fault("VNI and name of the VTEP changed on both agents",
          _on_both(("vni = 1024", "vni = 1030"), ("vtep1024", "vtep1030")),
          _says("vtep", "vtep1030"), can_lose=False, mend=give_back),
    Fault("name of the VTEP changed on both agents",
          _on_both(("vtep1024", "overlay0")),
          _says("vtep", "overlay0"), can_lose=False, mend=give_back),
    Fault("VNI and UDP port changed, on the second agent 5 s later",
          _apart(5.0, ("vni = 1024", "vni = 1031"), ("port = 64000", "port = 64002")),
          _says("vni", 1031), can_lose=False, mend=give_back),
    Fault("VNI changed, on the second agent 1 s later",
          _apart(1.0, ("vni = 1024", "vni = 1032")),
          _says("vni", 1032), can_lose=False, mend=give_back),
    Fault("VNI changed on both agents, a foreign device has it and is then removed",
          _behind_a_stranger(("vni = 1024", "vni = 1033")),
          _says("vni", 1033), can_lose=False, mend=give_back),
    Fault("UDP port changed on both agents, a process has it and then ends",
          _behind_a_process(("port = 64000", "port = 64003")),
          _says("port", 64003), within=10.0, can_lose=False, mend=give_back),
)  # fmt: skip
