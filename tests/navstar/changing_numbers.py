"""An agent whose VTEP gets another VNI, port or name; what decides for it, in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from navstar.allocation import Allocation
from navstar.look import Host, Look, compare
from navstar.overlay import Desired, Underlay
from navstar.overlay_backend import Kernel, LinkInTheWay
from navstar.succession import Succession, links_of
from navstar.tables import Fdb, Link, Row, link_of
from navstar.withdrawal import Brake, Caution, Knowledge, Release
from simulations.kernel import FakeKernel
from tests.kernel_namespace import in_namespace
from tests.navstar.example_rows import GROUND, LINK, insertion_order, path_to

CAUTION = Caution(
    max_withdrawal=0.3, brake_delay=30.0, release=Release.BY_DELAY, grace=20.0
)
KNOWING = Knowledge(
    is_synchronised=True, is_informed=True, is_alone=False, running_for=99.0
)
IGNORANT = replace(KNOWING, is_synchronised=False)

#: All agents have the numbers that this one has.
BEFORE = GROUND | path_to(2) | path_to(3)
FORMER = "v1024-64000"


def on(rows: Iterable[Row], link: Link, *, sent: tuple[int, int]) -> frozenset[Row]:
    """The rows on another link in their place, where others take in `sent`."""
    vni = sent[0] if sent[0] != link.vni else None
    port = sent[1] if sent[1] != link.port else None

    def moved(row: Row) -> Row:
        match row:
            case Link():
                return link
            case Fdb(_, mac, agent):
                return Fdb(link.name, mac, agent, vni, port)
            case _ if link_of(row) is None:
                return row
            case _:
                return replace(row, link=link.name)  # type: ignore[arg-type]

    return frozenset(map(moved, rows))


OTHER_VNI = replace(LINK, vni=1030)
OTHERS = {
    "vni": OTHER_VNI,
    "port": replace(LINK, port=64001),
    "name": replace(LINK, name="vtk9"),
    "vni, name": replace(LINK, vni=1030, name="vtk9"),
    "vni, port, MAC": replace(LINK, vni=1030, port=4789, mac="70:b3:d5:80:00:f1"),
}
#: This one's are others now, and the other agents have not changed theirs yet.
AFTER = {name: on(BEFORE, link, sent=(1024, 64000)) for name, link in OTHERS.items()}


class Agent:
    """What decides for one agent, since one start."""

    def __init__(self, knowledge: Knowledge = KNOWING) -> None:
        self.brake, self.succession = Brake(CAUTION), Succession()
        self.knowledge = knowledge
        #: What a kernel that is not the real one has.
        self.in_the_way: tuple[LinkInTheWay, ...] = ()

    def look(
        self, desired: frozenset[Row], kernel: Kernel | FakeKernel, *, now: float = 0.0
    ) -> Look:
        underlay = Underlay(IPv4Address("10.0.0.1"))
        way = self.in_the_way
        if isinstance(kernel, Kernel):
            former, _ = self.succession.kept(
                desired,
                wanted=links_of(desired),
                there=links_of(kernel.dump()),
                now=now,
            )
            way = kernel.links_in_the_way(desired | former)
        host = Host(Allocation(()), underlay, "eth0", way, kernel.dump())
        return compare(
            Desired(rows=desired),
            host,
            self.brake,
            self.succession,
            knowledge=self.knowledge,
            now=now,
        )

    def follow(
        self, desired: frozenset[Row], kernel: Kernel | FakeKernel, *, now: float = 0.0
    ) -> Look:
        look = self.look(desired, kernel, now=now)
        applied = kernel.apply(look.ops)
        assert applied.refused == ()
        assert kernel.dump() == look.verdict.aim
        assert self.look(desired, kernel, now=now).ops == ()
        return look


def kernel_with(rows: Iterable[Row]) -> FakeKernel:
    return FakeKernel(insertion_order(rows))


def real(scenario: Callable[[Kernel], None]) -> Callable[[], None]:
    """Run it in a namespace of its own, where the rows of before are."""

    def test() -> None:
        @in_namespace
        def _() -> None:
            with Kernel() as kernel:
                Agent().follow(BEFORE, kernel)
                scenario(kernel)

    test.__name__ = scenario.__name__
    return pytest.mark.kernel(test)
