"""Many agents for one kernel: their lines, and a namespace to program them into."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import TypeVar

from navstar.allocation import Allocation, Overlay, Vtep
from navstar.kernel_side import Inputs, KernelSide
from navstar.lab.namespaces import CLONE_NEWNET, unshare
from navstar.line import Line
from navstar.overlay import Underlay
from navstar.withdrawal import Brake, Caution, Knowledge, Release

ResultT = TypeVar("ResultT")

ME = "f" * 32
AGENT_IP = IPv4Address("10.0.0.1")
UNDERLAY = Underlay(AGENT_IP, 1500)
VTEP = Vtep(
    "vtep1024",
    1024,
    "70:b3:d5:80:00:01",
    address=IPv4Interface("44.128.0.1/12"),
    address6=IPv6Interface("fd01:a::1/64"),
)
SUBNET4, SUBNET6 = IPv4Network("9.0.0.0/8"), IPv6Network("fd01:b::/64")
ALLOCATION = Allocation(
    (
        Overlay(
            "dcos",
            VTEP,
            SUBNET4,
            IPv4Network("9.0.1.0/24"),
            SUBNET6,
            IPv6Network("fd01:b:0:0:1::/80"),
        ),
    )
)
_CAUTION = Caution(
    max_withdrawal=0.3, brake_delay=30.0, release=Release.BY_DELAY, grace=30.0
)
_KNOWING = Knowledge(
    is_synchronised=True, is_informed=True, is_alone=False, running_for=60.0
)


def mac(number: int) -> str:
    """Of agent `number`."""
    return (0x70B3D5000000 + number).to_bytes(6, "big").hex(":")


def line4(number: int, *, mac_number: int | None = None) -> Line:
    """What agent `number` says in the IPv4 overlay."""
    return Line(
        overlay=SUBNET4,
        vtep=IPv4Interface((int(IPv4Address("44.128.0.0")) + number, 12)),
        mac=mac(number if mac_number is None else mac_number),
        agent_ip=IPv4Address("10.0.0.0") + number,
        subnet=IPv4Network((int(IPv4Address("9.0.0.0")) + number * 256, 24)),
        vni=1024,
        port=64000,
        node=f"{number:032x}",
        name=f"agent-{number}",
        claimed_at=number,
    )


def line6(number: int) -> Line:
    """What agent `number` says in the IPv6 overlay."""
    four = line4(number)
    return Line(
        overlay=SUBNET6,
        vtep=IPv6Interface((int(IPv6Address("fd01:a::")) + number, 64)),
        mac=four.mac,
        agent_ip=four.agent_ip,
        subnet=IPv6Network((int(IPv6Address("fd01:b::")) + (number << 48), 80)),
        vni=1024,
        port=64000,
        node=four.node,
        name=four.name,
        claimed_at=number,
    )


def dual_stack(agents: int) -> tuple[Line, ...]:
    """The lines of so many other agents, two each."""
    numbers = range(2, agents + 2)
    return tuple(line for n in numbers for line in (line4(n), line6(n)))


def ipv4_only(agents: int) -> tuple[Line, ...]:
    """The lines of so many other agents, one each."""
    return tuple(line4(n) for n in range(2, agents + 2))


def inputs(lines: tuple[Line, ...]) -> Inputs:
    """What a pass goes by."""
    return Inputs(ALLOCATION, lines, ME, AGENT_IP, _KNOWING)


def kernel_side() -> KernelSide:
    """One agent's way to the kernel of the namespace it is made in."""
    return KernelSide(Brake(_CAUTION), table=42, rule_priority=32000)


def in_namespace(work: Callable[[], ResultT]) -> ResultT:
    """Do it in a network namespace of its own with the agent's underlay device.

    Raises:
        PermissionError: Root is needed.
    """
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            unshare(CLONE_NEWNET)
            ip("link set lo up")
            ip("link add under type veth peer name other")
            ip(f"addr add {AGENT_IP}/8 dev under")
            ip("link set other up")
            ip("link set under up")
            results.append(work())
        except BaseException as error:  # carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, name="benchmark")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def ip(command: str) -> None:
    """Run iproute2's `ip` where the caller is."""
    words = ["ip", *command.split()]
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603
