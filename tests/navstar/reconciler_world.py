"""A reconciler with a fake kernel, virtual time and no threads."""

import random
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import TypeVar, cast

import trio

from navstar.allocation import IpAddress
from navstar.changed import Changed
from navstar.kernel_side import Inputs, KernelSide
from navstar.line import Line
from navstar.overlay_backend import Kernel, LinkInTheWay, UnderlayDevice
from navstar.pass_report import PassReport
from navstar.reconciler import Reconciler
from navstar.schedule import Timing
from navstar.tables import Fdb, Row
from navstar.withdrawal import Brake, Caution, Knowledge, Release
from simulations.kernel import FakeKernel
from tests.navstar.allocations import ALLOCATION

AnswerT = TypeVar("AnswerT")

ME = "aa" * 16
AGENT_IP = ip_address("10.0.0.1")
TIMING = Timing(coalesce=0.02, kernel_coalesce=0.05, audit_period=10.0)
CAUTION = Caution(
    max_withdrawal=0.3, brake_delay=30.0, release=Release.BY_DELAY, grace=20.0
)
KNOWING = Knowledge(
    is_synchronised=True, is_informed=True, is_alone=False, running_for=0.0
)


class Watch:
    """Notices of a kernel: readable when there is one."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.followed: set[str] = set()
        self.ports: dict[Changed, int] = {}

    def fileno(self) -> int:
        return self._ours.fileno()

    def drain(self) -> bytes:
        return self._ours.recv(1000)

    def follow(self, names: Iterable[str]) -> None:
        self.followed = set(names)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self.theirs.close()


class Host(FakeKernel):
    """A kernel that can be asked all that a pass asks; its socket may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses = {AGENT_IP}
        self.opened = 0
        self.fails = 0
        self.looks = 0
        self.watches: list[Watch] = []
        self.in_the_way: tuple[LinkInTheWay, ...] = ()
        self.on_watch: Callable[[], None] = lambda: None

    def open(self) -> Kernel:
        self.opened += 1
        return cast("Kernel", self)

    def close(self) -> None:
        pass

    def host_addresses(self) -> frozenset[IpAddress]:
        self.looks += 1
        return frozenset(self.addresses)

    def dump(self) -> frozenset[Row]:
        if self.fails:
            self.fails -= 1
            raise OSError("socket buffer gone")
        return super().dump()

    def watch(self) -> Watch:
        self.watches.append(Watch())
        self.on_watch()
        return self.watches[-1]

    def underlay(self, agent_ip: IpAddress) -> UnderlayDevice | None:
        return UnderlayDevice("eth0", 1500) if agent_ip in self.addresses else None

    def links_in_the_way(self, desired: Iterable[Row]) -> tuple[LinkInTheWay, ...]:
        return self.in_the_way

    def lose(self, kind: type[Row]) -> None:
        """Somebody deletes rows, and the kernel tells."""
        self.reset(row for row in self.dump() if not isinstance(row, kind))
        self.watches[-1].theirs.send(b"!")


def line(number: int) -> Line:
    return Line(
        overlay=ip_network("9.0.0.0/8"),
        vtep=ip_interface(f"44.128.0.{number}/20"),
        mac=f"70:b3:d5:80:00:{number:02x}",
        agent_ip=ip_address(f"10.0.0.{number}"),
        subnet=ip_network(f"9.0.{number}.0/24"),
        vni=1024,
        port=64000,
        node=f"{number:032x}",
        name=f"a{number}",
        claimed_at=number,
    )


def lines(count: int) -> tuple[Line, ...]:
    return tuple(line(number) for number in range(2, 2 + count))


class World:
    """A reconciler, the kernel it works on, and what it goes by."""

    def __init__(self, caution: Caution = CAUTION) -> None:
        self.host = Host()
        self.reports: list[PassReport] = []
        self.inputs: Inputs | None = Inputs(ALLOCATION, lines(3), ME, AGENT_IP, KNOWING)
        self.reconciler = ThreadlessReconciler(
            KernelSide(
                Brake(caution), table=42, rule_priority=32000, opener=self.host.open
            ),
            TIMING,
            inputs=lambda: self.inputs,
            on_pass=self.note,
            rng=random.Random(1),
        )
        self._happened = trio.Event()
        self.host.on_watch = lambda: self._happened.set()

    def note(self, report: PassReport) -> None:
        self.reports.append(report)
        self._happened.set()

    def go_by(self, **changed: object) -> None:
        assert self.inputs is not None
        self.inputs = replace(self.inputs, **changed)  # type: ignore[arg-type]

    def agents(self) -> int:
        return len([row for row in self.host.dump() if isinstance(row, Fdb)])

    def is_contested(self) -> bool:
        return bool(self.reports[-1].look.contested)

    def has_agents(self, count: int) -> bool:
        return self.agents() == count

    async def until(self, holds: Callable[[], bool]) -> float:
        """Wait until something holds; the virtual seconds that took."""
        start = trio.current_time()
        with trio.fail_after(1000):
            while not holds():
                self._happened = trio.Event()
                await self._happened.wait()
        return trio.current_time() - start


class ThreadlessReconciler(Reconciler):
    """Asks the kernel on the spot: virtual time does not wait for threads."""

    async def _in_thread(self, call: Callable[[], AnswerT]) -> AnswerT:
        await trio.lowlevel.checkpoint()
        return call()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.reconciler.run)
        await world.until(lambda: bool(world.host.watches))
        yield world
        nursery.cancel_scope.cancel()
