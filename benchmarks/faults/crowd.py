"""Faults among thousands of rows: a pair of agents, and lines of many more."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from benchmarks.faults.daemon import edit_allocation, give_back, kill, start, stop
from benchmarks.faults.fault import (
    Fault,
    is_right,
    peer_of,
    run,
    status_of,
    until,
    victim_of,
)
from benchmarks.faults.writer import Entry, Writer, writing
from navstar.lab import agents, namespaces, processes
from navstar.lab.errors import LabError
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.topology import OVERLAY_SUBNET, Topology
from navstar.peer_rows import metric_of
from navstar.tables import former_name

#: Agents beside the two: their numbers begin here.
FIRST = 1_000
CROWD = 3_000
BRAKE_DELAY = 3.0
_MOST_LOOKS = 1_000


def lines(count: int) -> list[Entry]:
    """The IPv4 lines of so many agents."""
    return [
        (
            str(OVERLAY_SUBNET),
            f"{_vtep(number)}/20",
            f"{number:032x}",
            {
                "mac": (0x70B3D5900000 + number).to_bytes(6, "big").hex(":"),
                "ip": str(IPv4Address("10.1.0.0") + number),
                "subnet": str(_block(number)),
                "vni": 1024,
                "port": 64000,
                "name": f"agent-{number}",
            },
        )
        for number in range(FIRST, FIRST + count)
    ]


def _vtep(number: int) -> IPv4Address:
    return IPv4Address("44.128.0.0") + number


def _block(number: int) -> IPv4Network:
    return IPv4Network((int(IPv4Address("9.1.0.0")) + number * 256, 24))


@dataclass(slots=True)
class _Crowd:
    """Who writes the lines; there is one lab with a crowd at a time."""

    writer: Writer | None = None

    def remove(self, count: int) -> None:
        if self.writer is None:
            raise LabError("there is no crowd")
        self.writer.remove([line[:3] for line in lines(count)])


_crowd = _Crowd()


@contextmanager
def crowded_pair(prefix: str) -> Iterator[Lab]:
    """Two agents, and lines of thousands that are only in the table."""
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()
        for agent in lab.agents:
            config = agents.directory(lab.record, agent) / "config.toml"
            text = config.read_text()
            marked = f"[reconcile]\nbrake_delay = {BRAKE_DELAY}\n"
            config.write_text(text.replace("[reconcile]\n", marked))
        lab.start_all()
        with writing(lab, peer_of(lab)) as _crowd.writer:
            _crowd.writer.put(lines(CROWD))
            until(lambda: _agents_of(lab) == CROWD + 1 and is_right(lab))
            yield lab
        _crowd.writer = None


def _agents_of(lab: Lab) -> int:
    return int(status_of(lab, victim_of(lab))["rows"]["agents"])


def _refuse_one(lab: Lab) -> float:
    """All our routes go, and one of thousands is a stranger's now."""
    victim, taken = victim_of(lab), FIRST + CROWD // 2
    stranger = (
        f"ip route add {_block(taken)} dev eth0 metric {metric_of(_vtep(taken))} "
        "proto 99"
    )
    run(victim, f"ip route flush table all proto 78; {stranger}")
    return time.monotonic()


def _all_but_one_are_there(lab: Lab) -> bool:
    status = status_of(lab, victim_of(lab))
    return len(status["refused"]) == 1 and status["rows"]["missing"] == 1


def _give_it_back(lab: Lab) -> None:
    run(victim_of(lab), "ip route flush proto 99")


def _kill_while_applying(lab: Lab) -> float:
    """Most routes are gone; navstar starts, and is killed when it has put some."""
    victim = victim_of(lab)
    stop(lab, victim)
    gone = agents.directory(lab.record, victim) / "gone"
    gone.write_text(
        "\n".join(
            command
            for number in range(FIRST, FIRST + CROWD)
            for command in (
                f"route del {_block(number)} dev vtep1024",
                f"route del {IPv4Address('10.1.0.0') + number} dev vtep1024 table 42",
                f"neigh del {_vtep(number)} dev vtep1024",
            )
        )
    )
    run(victim, f"ip -batch {gone}")
    start(lab, victim)
    # Routes are put in order of their blocks.
    _wait_for_route(lab, _block(FIRST + CROWD // 10))
    processes.kill(lab.record.processes[victim.name])
    there = run(victim, "ip route show proto 78").count("\n")
    if not 2 < there < CROWD:
        raise LabError(f"{there} of {CROWD} routes were put: not in the middle")
    return start(lab, victim)


def _kill_while_changing_vni(lab: Lab) -> float:
    """Every row moves to another link; navstar is killed when some have."""
    victim = victim_of(lab)
    edit_allocation(lab, victim, "vni = 1024", "vni = 1030")
    _wait_for_link(lab, former_name(1024, 64000, 4))
    moved = "ip neigh show dev vtep1024 nud permanent || true"
    for _ in range(_MOST_LOOKS):
        # Neighbours are put before any route is replaced, and go after all are.
        if run(victim, moved).count("\n") > CROWD // 10:
            break
    kill(lab, victim)
    left = run(victim, f"ip neigh show dev {former_name(1024, 64000, 4)} nud permanent")
    if not left:
        raise LabError("all rows have moved: not in the middle")
    return start(lab, victim)


def _has_crowd_on_another_vni(lab: Lab) -> bool:
    overlays = status_of(lab, victim_of(lab))["overlays"]
    return [one["vni"] for one in overlays] == [1030] and _has_crowd(lab)


def _give_back_vni(lab: Lab) -> None:
    give_back(lab)
    until(
        lambda: (
            _has_crowd(lab)
            and "id 1024 " in run(victim_of(lab), "ip -d link show vtep1024")
        )
    )


def _wait_for_link(lab: Lab, name: str) -> None:
    def ask() -> None:
        give_up_at = time.monotonic() + 30
        while True:
            try:
                socket.if_nametoindex(name)
                return
            except OSError:
                if time.monotonic() > give_up_at:
                    raise

    namespaces.inside(victim_of(lab).namespace, ask)


def _wait_for_route(lab: Lab, block: IPv4Network) -> None:
    def ask() -> None:
        give_up_at = time.monotonic() + 30
        while True:
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.connect((str(block[1]), 9))
                    return
            except OSError:
                if time.monotonic() > give_up_at:
                    raise

    namespaces.inside(victim_of(lab).namespace, ask)


def _has_crowd(lab: Lab) -> bool:
    return _agents_of(lab) == CROWD + 1 and is_right(lab)


def _withdraw_all(lab: Lab) -> float:
    _crowd.remove(CROWD)
    return time.monotonic()


def _is_held(lab: Lab) -> bool:
    """Whether most rows stay for now, and the operator is told why."""
    held = status_of(lab, victim_of(lab))["held"]
    return bool(held["reason"]) and held["rows"] > CROWD


def _is_alone_with_peer(lab: Lab) -> bool:
    return _agents_of(lab) == 1 and is_right(lab)


def _nothing(_: Lab) -> None:
    """What was done before goes on."""


CROWDED = (
    Fault(f"the kernel refuses 1 route of {CROWD:,}", _refuse_one,
          _all_but_one_are_there, until="all others are there", mend=_give_it_back),
    Fault(f"killed (-9) in the middle of putting {3 * CROWD:,} rows",
          _kill_while_applying, _has_crowd, within=10.0, can_lose=False),
    Fault(f"killed (-9) while {3 * CROWD:,} rows move to another VNI",
          _kill_while_changing_vni, _has_crowd_on_another_vni, within=10.0,
          can_lose=False, mend=_give_back_vni),
    Fault(f"{CROWD:,} of {CROWD + 1:,} agents withdrawn", _withdraw_all, _is_held,
          can_lose=False, until="held by the brake"),
    Fault(f"the same, after the second look ({BRAKE_DELAY:g} s)", _nothing,
          _is_alone_with_peer, within=BRAKE_DELAY + 1, can_lose=False),
)  # fmt: skip
