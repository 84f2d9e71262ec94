"""The same faults where there is one family only, above or below; and a move below."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from benchmarks.faults.commands import by_commands
from benchmarks.faults.daemon import start, stop
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
from navstar.lab.errors import LabError
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.topology import Agent, Topology

_OF_4 = r"(subnet|block|address) = .*\n"
_OF_6 = r"(subnet6|block6|address6) = .*\n"
#: Where the struck agent is after it has moved.
_NEW_ADDRESS, _LAST_ADDRESS = "10.0.0.102", "10.0.0.103"

Opener: TypeAlias = Callable[[str], AbstractContextManager[Lab]]


def _as_it_is(_: Agent, config: str) -> str:
    return config


def _not_pinned(_: Agent, config: str) -> str:
    """The address is found out from the way to the seeds."""
    return re.sub(r"agent_ip = .*\n", "", config)


def _reached_by_ipv6_first(agent: Agent, config: str) -> str:
    """Lashup's packets need not follow when the IPv4 address changes."""
    bind = re.sub(r"bind = \[(.*), (.*)\]", r"bind = [\2, \1]", config)
    return _not_pinned(agent, bind)


def _on_ipv6(agent: Agent, config: str) -> str:
    words = f'agent_ip = "{agent.underlay6.ip}"\n'
    return re.sub(r"agent_ip = .*\n", words, config)


def _one_on_ipv4_alone(agent: Agent, config: str) -> str:
    """The first agent knows of no IPv6 below; the others are on IPv6 first."""
    if agent.number > 1:
        return _on_ipv6(agent, config)
    return re.sub(r"bind = \[(.*), (.*)\]", r"bind = [\1]", config)


def _pair(
    *, without: str = "", adapt: Callable[[Agent, str], str] = _as_it_is
) -> Opener:
    """Two agents with other words in their files.

    Args:
        without: What to take out of their allocations.
        adapt: Changes their configurations.
    """

    @contextmanager
    def opened(prefix: str) -> Iterator[Lab]:
        with open_lab(Topology(prefix, size=2, containers=1)) as lab:
            lab.build()
            for agent in lab.agents:
                config = agents.directory(lab.record, agent) / "config.toml"
                config.write_text(adapt(agent, config.read_text()))
            lab.start_all()
            for agent in lab.agents if without else ():
                _leave_out(lab, agent, without)
            yield lab

    return opened


def _leave_out(lab: Lab, agent: Agent, without: str) -> None:
    path = agents.directory(lab.record, agent) / "allocation.toml"
    fresh = path.with_suffix(".other")
    fresh.write_text(re.sub(without, "", path.read_text()))
    fresh.replace(path)
    field = "subnet" if without == _OF_4 else "subnet6"
    until(lambda: status_of(lab, agent)["overlays"][0][field] is None)
    if until(lambda: is_right(lab, agent)) == float("inf"):
        raise LabError(f"{agent.name} is not right without {field}")


def _move(lab: Lab) -> float:
    victim = victim_of(lab)
    run(victim, f"ip addr del {victim.underlay} dev eth0")
    run(victim, f"ip addr add {_NEW_ADDRESS}/24 dev eth0")
    return time.monotonic()


def _restart_at_another(lab: Lab) -> float:
    """The host has moved, and navstar starts with a configuration that says so."""
    victim = victim_of(lab)
    stop(lab, victim)
    run(victim, f"ip addr flush dev eth0 scope global; "
                f"ip addr add {_LAST_ADDRESS}/24 dev eth0; "
                f"ip addr add {victim.underlay6} dev eth0 nodad")  # fmt: skip
    config = agents.directory(lab.record, victim) / "config.toml"
    address = str(victim.underlay.ip)
    config.write_text(config.read_text().replace(f'"{address}:', f'"{_LAST_ADDRESS}:'))
    return start(lab, victim)


def _is_at(address: str) -> Callable[[Lab], bool]:
    def is_followed(lab: Lab) -> bool:
        return (
            f"dst {address}" in run(peer_of(lab), "bridge fdb show dev vtep1024")
            and f"local {address}" in run(victim_of(lab), "ip -d link show vtep1024")
            and is_right(lab)
            and is_right(lab, peer_of(lab))
        )

    return is_followed


def _only(
    where: str, families: tuple[int, ...], *faults: tuple[str, str]
) -> list[Fault]:
    return [
        Fault(f"{where}: {name}", by_commands(command), families=families)
        for name, command in faults
    ]


_FDB = ("FDB row deleted", "bridge fdb del 70:b3:d5:80:00:01 dev vtep1024 dst 10.0.0.1")
_LINK = ("VTEP deleted", "ip link del vtep1024")
_ROUTE_4 = ("route deleted", "ip route del 9.0.1.0/24 dev vtep1024")
_ROUTE_6 = ("route deleted", "ip -6 route del fd01:b:0:0:1::/80 dev vtep1024")

IPV4_ONLY = _pair(without=_OF_6)
IPV6_ONLY = _pair(without=_OF_4)
MIXED_BELOW = _pair(adapt=_one_on_ipv4_alone)
IPV6_BELOW = _pair(adapt=_on_ipv6)
UNPINNED = _pair(adapt=_not_pinned)
IPV6_FIRST = _pair(adapt=_reached_by_ipv6_first)

OVERLAY_4 = _only("IPv4 only", (4,), _FDB, _ROUTE_4, _LINK)
OVERLAY_6 = _only(
    "IPv6 only", (6,), _FDB, _ROUTE_6, _LINK,
    ("VTEP address deleted", "ip -6 addr del fd01:a::2/64 dev vtep1024"),
)  # fmt: skip
UNDERLAY_6 = _only(
    "IPv6 underlay", (4, 6),
    ("FDB row deleted",
     "bridge fdb del 70:b3:d5:80:00:01 dev vtep1024 dst fd00::1"),
    _ROUTE_4, _LINK,
)  # fmt: skip
#: `w1024-64000` is the struck agent's VTEP on IPv4, and the only way to the first one.
UNDERLAY_MIXED = _only(
    "mixed underlay", (4, 6),
    ("FDB row deleted",
     "bridge fdb del 70:b3:d5:80:00:01 dev w1024-64000 dst 10.0.0.1"),
    ("route deleted", "ip -6 route del fd01:b:0:0:1::/80 dev w1024-64000"),
    ("second VTEP link deleted", "ip link del w1024-64000"),
    ("first VTEP link deleted", "ip link del vtep1024"),
)  # fmt: skip
MOVED = [
    *_only(
        "address not pinned",
        (4, 6),
        (
            "underlay address removed and back",
            "ip addr del 10.0.0.2/24 dev eth0; sleep 0.3; "
            "ip addr add 10.0.0.2/24 dev eth0",
        ),
    ),
    Fault(
        "underlay address changed for good",
        _move,
        _is_at(_NEW_ADDRESS),
        until="both ends have followed",
    ),
]
#: Then lashup has to move first.
MOVED_WITH_LASHUP = [
    Fault(
        "underlay address changed for good, and lashup was on it",
        _move,
        _is_at(_NEW_ADDRESS),
        until="both ends have followed",
    ),
    Fault(
        "underlay address changed for good, and navstar started anew",
        _restart_at_another,
        _is_at(_LAST_ADDRESS),
        within=5.0,
        until="both ends have followed",
    ),
]
