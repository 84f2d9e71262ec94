"""The blocking half of the reconciler: one look, one pass, in a worker thread.

Nothing here waits for anything but the kernel, and nobody else calls the kernel.
Only one call may be under way at a time; which thread it is in does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from navstar.allocation import Allocation, IpAddress
from navstar.diff import Op
from navstar.errors import NavstarError
from navstar.line import Line
from navstar.look import Host, Look, compare
from navstar.overlay import Desired, DesiredState, Underlay
from navstar.overlay_backend import (
    Applied,
    Kernel,
    KernelWatch,
    UnderlayDevice,
)
from navstar.succession import Succession, links_of
from navstar.tables import Row
from navstar.withdrawal import Brake, Knowledge

AnswerT = TypeVar("AnswerT")


class NoUnderlay(NavstarError):
    """This agent's address is not on this host now. Its rows stay as they are."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a pass goes by, as of one moment.

    Attributes:
        allocation: This agent's overlays.
        lines: Every line of the table. The same tuple as before means no change.
        me: This agent's node id, as lines carry it.
        agent_ip: Where its VXLAN packets leave from.
        knowledge: How far the table is to be trusted.
        second_ip: This agent's address of the other family, if it has one.
    """

    allocation: Allocation
    lines: tuple[Line, ...]
    me: str
    agent_ip: IpAddress
    knowledge: Knowledge
    second_ip: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class PathBelow:
    """How packets to another agent leave this host.

    Attributes:
        source: The address that they leave from.
        device: Name of the device that has it.
        mtu: Of the device, bytes.
    """

    source: IpAddress
    device: str
    mtu: int


class KernelSide:
    """One agent's way to the kernel.

    Args:
        brake: Asked in each pass what may go.
        table: For the routes to the agents' own addresses.
        rule_priority: Of the rules that lead there.
        opener: Opens the kernel, also after its socket has failed.
    """

    def __init__(
        self,
        brake: Brake,
        *,
        table: int,
        rule_priority: int,
        opener: Callable[[], Kernel] = Kernel,
    ) -> None:
        self.brake = brake
        self._succession = Succession()
        self._opener = opener
        self._table = table
        self._rule_priority = rule_priority
        self._kernel: Kernel | None = None
        self._host: Host | None = None
        self._desired: tuple[tuple[object, ...], DesiredState] | None = None

    def look(self, inputs: Inputs, *, now: float) -> Look:
        """See what a pass has to do.

        Raises:
            NoUnderlay: The agent's address is not on this host.
            OSError: The kernel cannot be asked; the next call starts anew.
        """
        return self._look(inputs, self.brake, self._succession, now=now)

    def glance(self, inputs: Inputs, *, now: float) -> Look:
        """As `look`, but take the kernel to be as the last pass left it.

        For when the table has changed and nobody has told of the kernel: it spares
        reading thousands of rows. Looks all the same when too little is known.

        Raises:
            NoUnderlay: As for `look`.
            OSError: As for `look`.
        """
        host = self._host
        if (
            host is None
            or host.allocation is not inputs.allocation
            or host.underlay.agent_ip != inputs.agent_ip
        ):
            return self.look(inputs, now=now)
        desired = self._desired_rows(inputs, host.underlay)
        look = compare(
            desired,
            host,
            self.brake,
            self._succession,
            knowledge=inputs.knowledge,
            now=now,
        )
        return replace(look, is_glance=True)

    def look_only(self, inputs: Inputs, *, now: float) -> Look:
        """As `look`, for `plan`: the brake does not take it for a first look."""
        brake, succession = copy.copy(self.brake), copy.copy(self._succession)
        return self._look(inputs, brake, succession, now=now)

    def carry_out(self, look: Look) -> Applied:
        """Do what a look has found to be done.

        Raises:
            OSError: As for `look`. Some of the operations may have been done.
        """
        host, self._host = self._host, None
        applied = self._asking(lambda kernel: kernel.apply(look.ops))
        if host is not None and not (applied.refused or look.waiting):
            self._host = replace(host, rows=look.verdict.aim)
        return applied

    def apply(self, ops: Iterable[Op]) -> Applied:
        """Carry operations out that no look has found.

        Raises:
            OSError: As for `look`. Some of the operations may have been done.
        """
        self._host = None
        return self._asking(lambda kernel: kernel.apply(ops))

    def dump(self) -> frozenset[Row]:
        """Every row in the kernel that bears our mark.

        Raises:
            OSError: As for `look`.
        """
        return self._asking(lambda kernel: kernel.dump())

    def path_below(self, agent: IpAddress) -> PathBelow | None:
        """How packets to another agent leave; None without a route.

        Raises:
            OSError: As for `look`.
        """

        def ask(kernel: Kernel) -> PathBelow | None:
            source = kernel.local_address(agent)
            device = kernel.underlay(source) if source is not None else None
            if source is None or device is None:
                return None
            return PathBelow(source, device.name, device.mtu)

        return self._asking(ask)

    def watch(self) -> KernelWatch:
        """Open a watch that knows our own writes; for as long as `look` succeeds.

        Raises:
            OSError: As for `look`.
        """
        return self._asking(lambda kernel: kernel.watch())

    def close(self) -> None:
        """Close the socket. What is in the kernel stays."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def _look(
        self, inputs: Inputs, brake: Brake, succession: Succession, *, now: float
    ) -> Look:
        def ask(kernel: Kernel) -> Look:
            device = _device(kernel, inputs.agent_ip)
            addresses = kernel.host_addresses()
            second = inputs.second_ip if inputs.second_ip in addresses else None
            underlay = Underlay(inputs.agent_ip, device.mtu, addresses, second)
            desired = self._desired_rows(inputs, underlay)
            rows = kernel.dump()
            wanted = links_of(desired.rows)
            former, _ = succession.kept(
                desired.rows, wanted=wanted, there=links_of(rows), now=now
            )
            in_the_way = kernel.links_in_the_way((*wanted.values(), *former))
            host = Host(inputs.allocation, underlay, device.name, in_the_way, rows)
            self._host = host
            return compare(
                desired,
                host,
                brake,
                succession,
                knowledge=inputs.knowledge,
                now=now,
            )

        self._host = None
        return self._asking(ask)

    def _desired_rows(self, inputs: Inputs, underlay: Underlay) -> Desired:
        """Worked out from what has changed since the last look."""
        about = inputs.allocation, underlay, inputs.me
        if self._desired is None or self._desired[0] != about:
            state = DesiredState(
                inputs.allocation,
                underlay=underlay,
                me=inputs.me,
                table=self._table,
                rule_priority=self._rule_priority,
            )
            self._desired = about, state
        return self._desired[1].follow(inputs.lines)

    def _asking(self, question: Callable[[Kernel], AnswerT]) -> AnswerT:
        """Ask the kernel; a socket that fails is not used again."""
        try:
            if self._kernel is None:
                self._kernel = self._opener()
            return question(self._kernel)
        except OSError:
            self.close()
            raise


def _device(kernel: Kernel, agent_ip: IpAddress) -> UnderlayDevice:
    device = kernel.underlay(agent_ip)
    if device is None:
        raise NoUnderlay(
            f"agent_ip: {agent_ip} is not an address of this host; "
            "give it back, or name another one in [overlay] agent_ip"
        )
    return device
