"""Faults of other agents: gone, contradicting, hostile, late. Three agents."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from benchmarks.faults.daemon import edit_allocation, give_back, is_in_step, start, stop
from benchmarks.faults.fault import (
    Fault,
    is_right,
    peer_of,
    run,
    status_of,
    until,
    victim_of,
)
from benchmarks.faults.writer import Entry, writing
from navstar.errors import ControlError
from navstar.lab import agents
from navstar.lab.laboratory import Lab
from navstar.lab.pinger import reach
from navstar.lab.steps.stage import both_ways
from navstar.lab.topology import OVERLAY_SUBNET, OVERLAY_SUBNET6, Agent

#: Seconds for one look at whether all paths answer.
_PATIENCE = 0.5

_EVIL = "e" * 32


def _third(lab: Lab) -> Agent:
    return lab.agents[2]


def _leave_meanwhile(lab: Lab) -> float:
    """The third agent leaves for good while the struck one's navstar is down."""
    stop(lab, victim_of(lab))
    with suppress(ControlError):
        agents.ask(lab.record, _third(lab), "down", leave=True)
    until(lambda: status_of(lab, peer_of(lab))["rows"]["agents"] == 1)
    return start(lab, victim_of(lab))


def _third_is_gone(lab: Lab) -> bool:
    return "9.0.3.0/24" not in run(victim_of(lab), "ip route") and is_right(lab)


def _third_comes_back(lab: Lab) -> None:
    stop(lab, _third(lab))
    shutil.rmtree(agents.directory(lab.record, _third(lab)) / "data")
    start(lab, _third(lab))
    until(lambda: all(_knows_all(lab, agent) for agent in lab.agents))


def _knows_all(lab: Lab, agent: Agent) -> bool:
    return bool(status_of(lab, agent)["rows"]["agents"] == len(lab.agents) - 1)


def _claim(old: str, new: str) -> Callable[[Lab], float]:
    def strike(lab: Lab) -> float:
        began = time.monotonic()
        edit_allocation(lab, _third(lab), old, new)
        return began

    return strike


def _is_reported(lab: Lab) -> bool:
    """Whether all agents that are not to blame say that there is a conflict."""
    return all(
        status_of(lab, agent)["conflicts"] for agent in (peer_of(lab), victim_of(lab))
    ) and is_right(lab)


def _is_forgotten(lab: Lab) -> None:
    give_back(lab)
    until(lambda: not any(status_of(lab, agent)["conflicts"] for agent in lab.agents))
    until(lambda: all(_knows_all(lab, agent) for agent in lab.agents))


def _hostile_lines() -> list[Entry]:
    """What somebody with the key may write, each bad in another way."""
    good = {
        "mac": "70:b3:d5:80:00:77", "ip": "10.0.0.77", "subnet": "9.0.77.0/24",
        "vni": 1024, "port": 64000, "name": "evil",
    }  # fmt: skip
    bad: list[object] = [
        good | {"subnet": "0.0.0.0/0"},
        good | {"subnet": "9.0.0.0/8"},
        good | {"mac": "ff:ff:ff:ff:ff:ff"},
        good | {"mac": "../../etc/passwd"},
        good | {"ip": "127.0.0.1"},
        good | {"ip": "10.0.0.2"},
        good | {"ip": 7},
        good | {"vni": 2**31},
        good | {"port": -1},
        good | {"name": "\x1b[2J" * 40},
        {},
        [good] * 50,
        "\x00" * 1000,
        None,
    ]
    entries: list[Entry] = [
        (str(OVERLAY_SUBNET), f"44.128.9.{number}/20", f"{number:032x}", value)
        for number, value in enumerate(bad, 1)
    ]
    entries += [
        # The struck agent's own VTEP address, and one that is no address.
        (str(OVERLAY_SUBNET), "44.128.0.2/20", _EVIL, good),
        (str(OVERLAY_SUBNET), "no address", _EVIL, good),
        (str(OVERLAY_SUBNET6), "fd01:a::99/64", _EVIL, good),
        ("no network", "44.128.0.9/20", _EVIL, good),
        ("0.0.0.0/0", "44.128.0.9/20", _EVIL, good),
    ]
    return entries


def _write_hostile_lines(lab: Lab) -> float:
    with writing(lab, _third(lab)) as writer:
        began = time.monotonic()
        writer.put(_hostile_lines())
        until(lambda: _all_are_shown(lab))
    return began


def _all_are_shown(lab: Lab) -> bool:
    status = status_of(lab, victim_of(lab))
    shown = len(status["skipped"]) + len(status["conflicts"])
    return shown >= len(_hostile_lines()) - 1 and is_right(lab)


def _remove_hostile_lines(lab: Lab) -> None:
    with writing(lab, _third(lab)) as writer:
        writer.remove([entry[:3] for entry in _hostile_lines()])
    until(lambda: not status_of(lab, victim_of(lab))["skipped"])


def _start_with_nothing(lab: Lab) -> float:
    """All navstars end; the struck one starts alone, without what it knew."""
    for agent in lab.agents:
        stop(lab, agent)
    shutil.rmtree(agents.directory(lab.record, victim_of(lab)) / "data")
    start(lab, victim_of(lab))
    until(lambda: bool(status_of(lab, victim_of(lab))["held"]["reason"]))
    began = time.monotonic()
    for agent in (peer_of(lab), _third(lab)):
        start(lab, agent)
    return began


def _move_third(old: str, new: str) -> Callable[[Lab], float]:
    """Another agent's VTEP goes to the other underlay family."""

    def strike(lab: Lab) -> float:
        config = agents.directory(lab.record, _third(lab)) / "config.toml"
        config.write_text(config.read_text().replace(old, new))
        os.kill(lab.record.processes[_third(lab).name].pid, signal.SIGHUP)
        return time.monotonic()

    return strike


def _all_reach_each_other(lab: Lab) -> bool:
    """Whether the third agent is on IPv6, and the ways to it and back are open."""
    third = _third(lab)
    if status_of(lab, third)["agent_ip"] != str(third.underlay6.ip):
        return False
    if not all(_knows_all(lab, agent) and is_right(lab, agent) for agent in lab.agents):
        return False
    paths = [*both_ways(victim_of(lab), third), *both_ways(peer_of(lab), third)]
    return all(one.after is not None for one in reach(paths, within=_PATIENCE))


def _third_moves_back(lab: Lab) -> None:
    _move_third(*reversed(_MOVE))(lab)
    until(lambda: all(_knows_all(lab, agent) for agent in lab.agents))


_MOVE = 'agent_ip = "10.0.0.3"', 'agent_ip = "fd00::3"'

NEIGHBOURS = (
    Fault("two agents claim one VTEP address",
          _claim('"44.128.0.3/20"', '"44.128.0.1/20"'), _is_reported,
          can_lose=False, until="reported everywhere", mend=_is_forgotten),
    Fault("two agents claim one MAC",
          _claim("70:b3:d5:80:00:03", "70:b3:d5:80:00:01"), _is_reported,
          can_lose=False, until="reported everywhere", mend=_is_forgotten),
    Fault("two agents claim overlapping blocks",
          _claim("9.0.3.0/24", "9.0.0.0/22"), _is_reported,
          can_lose=False, until="reported everywhere", mend=_is_forgotten),
    Fault("malformed and hostile lines between good ones", _write_hostile_lines,
          _all_are_shown, can_lose=False, until="all are shown",
          mend=_remove_hostile_lines),
    Fault("mixed underlay: an agent's VTEP moves to IPv6", _move_third(*_MOVE),
          _all_reach_each_other, can_lose=False, until="all reach it, and it them",
          mend=_third_moves_back),
    Fault("started with an empty table, peers come late", _start_with_nothing,
          is_in_step, within=5.0, can_lose=False),
    Fault("peer gone while navstar was down", _leave_meanwhile, _third_is_gone,
          within=5.0, can_lose=False, mend=_third_comes_back),
)  # fmt: skip
