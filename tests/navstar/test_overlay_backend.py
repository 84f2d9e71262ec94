"""The kernel's tables: the real one in a namespace, and the fake, by one standard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
)

import pytest
from hypothesis import given, settings

from navstar.diff import Delete, Put, Rename, diff
from navstar.moved_rows import renamed
from navstar.overlay_backend import Kernel
from navstar.tables import Addr, Fdb, Link, Neighbour, Route, Rule, kernel_key
from simulations.kernel import FakeKernel, set_link_down
from tests.kernel_namespace import in_namespace, ip
from tests.navstar.example_rows import (
    GROUND,
    LINK,
    VTEP,
    insertion_order,
    path_to,
    reach,
)
from tests.navstar.row_strategies import found_tables, wanted_tables


class RealWorld:
    """The real kernel, and what strangers do to it."""

    def __init__(self) -> None:
        self.kernel = Kernel()

    def add_foreign_link(self, name: str) -> None:
        ip(f"link add {name} type bridge")

    def add_foreign_route(self, route: Route) -> None:
        words = f"{route.subnet} dev lo metric {route.metric} table {route.table}"
        ip(f"route add {words}")

    def set_down(self, name: str) -> None:
        ip(f"link set {name} down")


class FakeWorld:
    def __init__(self) -> None:
        self.kernel = FakeKernel()

    def add_foreign_link(self, name: str) -> None:
        self.kernel.foreign_links.add(name)

    def add_foreign_route(self, route: Route) -> None:
        self.kernel.foreign_routes.add(kernel_key(route))

    def set_down(self, name: str) -> None:
        rows = set_link_down(self.kernel.dump(), name)
        link = next(r for r in rows if isinstance(r, Link) and r.name == name)
        rows = rows - {link} | {replace(link, up=False)}
        self.kernel.reset(insertion_order(rows))


def in_real(scenario: Callable[..., object]) -> None:
    def body() -> None:
        world = RealWorld()
        try:
            scenario(world)
        finally:
            world.kernel.close()

    in_namespace(body)


@pytest.fixture(
    params=[pytest.param("real", marks=pytest.mark.kernel), "fake"],
)
def behaves(request):
    """Run a scenario on the real kernel, and on the fake."""
    if request.param == "real":
        return in_real
    return lambda scenario: scenario(FakeWorld())


# What both kernels do.


def test_the_kernel_holds_exactly_what_the_difference_asked_for(behaves):
    @behaves
    def _(world):
        for desired in (
            GROUND | path_to(2) | path_to(3),
            GROUND | path_to(2, agent=9) | path_to(3),  # agent 2 moved
            GROUND | path_to(3),  # agent 2 left
            GROUND,
            frozenset(),
        ):
            reach(world.kernel, desired)


def test_applying_the_same_operations_twice_writes_the_same_rows(behaves):
    @behaves
    def _(world):
        desired = GROUND | path_to(2)
        ops = diff(desired, frozenset())

        world.kernel.apply(ops)
        again = world.kernel.apply(ops)

        assert again.refused == ()
        assert again.done == len(ops)
        assert world.kernel.dump() == desired


def test_deleting_what_is_gone_is_done_and_not_a_write(behaves):
    @behaves
    def _(world):
        ops = [Delete(row) for row in insertion_order(GROUND | path_to(2))]

        nothing_there = world.kernel.apply(ops)
        reach(world.kernel, GROUND)
        rows_gone = world.kernel.apply([Delete(row) for row in path_to(2)])

        for applied in (nothing_there, rows_gone):
            assert (applied.refused, applied.writes) == ((), 0)
        assert nothing_there.done == len(ops)


def test_one_refused_row_is_reported_and_stops_nothing(behaves):
    @behaves
    def _(world):
        wrong = Fdb(VTEP, "70:b3:d5:80:00:09", IPv6Address("fd00::9"))
        rows = insertion_order(GROUND | path_to(2) | path_to(3) | {wrong})

        applied = world.kernel.apply([Put(row) for row in rows])

        assert [refused.op for refused in applied.refused] == [Put(wrong)]
        assert applied.done == len(rows) - 1
        assert world.kernel.dump() == GROUND | path_to(2) | path_to(3)


def test_a_row_on_a_link_that_is_not_there_is_refused(behaves):
    @behaves
    def _(world):
        lost = Neighbour("vtk9", IPv4Address("44.128.0.9"), LINK.mac)

        applied = world.kernel.apply([Put(lost)])

        assert [refused.op for refused in applied.refused] == [Put(lost)]


def test_a_link_of_a_stranger_with_our_name_is_reported_and_kept(behaves):
    @behaves
    def _(world):
        world.add_foreign_link(VTEP)
        desired = GROUND | path_to(2)

        applied = world.kernel.apply(diff(desired, world.kernel.dump()))
        world.kernel.apply([Delete(row) for row in desired])

        on_link = {row for row in desired if not isinstance(row, Rule)}
        assert {refused.op.row for refused in applied.refused} == on_link
        assert world.kernel.dump() == frozenset()


def test_what_a_link_that_cannot_be_made_was_to_replace_stays(behaves):
    @behaves
    def _(world):
        desired = GROUND | path_to(2)
        reach(world.kernel, desired)
        world.add_foreign_link("vtk9")
        former = frozenset(renamed(desired, {VTEP: "v1024-64000"}))
        wanted = frozenset(renamed(desired - {LINK}, {VTEP: "vtk9"}))
        wanted |= {replace(LINK, name="vtk9", vni=1030)}

        applied = world.kernel.apply(
            (Rename(LINK, "v1024-64000"), *diff(wanted, former))
        )

        assert world.kernel.dump() == former
        # All but the rename and the rules, which are there.
        assert len(applied.refused) == len(diff(wanted, former))


def test_a_route_of_a_stranger_is_not_replaced(behaves):
    @behaves
    def _(world):
        (route,) = (
            row
            for row in path_to(2)
            if isinstance(row, Route) and row.table == 254 and row.via.version == 4
        )
        world.add_foreign_route(route)
        desired = GROUND | path_to(2)

        applied = world.kernel.apply(diff(desired, world.kernel.dump()))

        assert [refused.op for refused in applied.refused] == [Put(route)]
        assert world.kernel.dump() == desired - {route}


def test_a_route_of_ours_is_replaced_in_place(behaves):
    @behaves
    def _(world):
        desired = GROUND | path_to(2)
        reach(world.kernel, desired)

        turned = frozenset(
            replace(row, via=IPv4Address("44.128.0.7"))
            if isinstance(row, Route) and row.via.version == 4
            else row
            for row in desired
        )
        assert len(diff(turned, desired)) == 2
        reach(world.kernel, turned)


@pytest.mark.parametrize(
    "change",
    [
        {"mac": "70:b3:d5:80:00:99"},
        {"mtu": 1400},
        {"local": IPv4Address("10.0.0.7")},
        {"vni": 1025},
        {"port": 4789},
    ],
)
def test_a_changed_link_keeps_or_gets_back_all_its_rows(behaves, change):
    @behaves
    def _(world):
        reach(world.kernel, GROUND | path_to(2) | path_to(3))

        changed = GROUND - {LINK} | {replace(LINK, **change)}
        reach(world.kernel, changed | path_to(2) | path_to(3))


def test_a_link_may_move_to_the_other_underlay_family(behaves):
    @behaves
    def _(world):
        reach(world.kernel, GROUND | path_to(2))

        over6 = replace(LINK, local=IPv6Address("fd00::1"))
        rows = {r for r in path_to(2) if not isinstance(r, Fdb)}
        fdb = Fdb(VTEP, "70:b3:d5:80:00:02", IPv6Address("fd00::2"))
        reach(world.kernel, GROUND - {LINK} | {over6, fdb} | rows)


@pytest.mark.parametrize("address", ["44.128.0.9/20", "44.128.0.1/16", "45.0.0.1/20"])
def test_a_new_vtep_address_costs_no_row(behaves, address):
    @behaves
    def _(world):
        reach(world.kernel, GROUND | path_to(2) | path_to(3))

        old = Addr(VTEP, IPv4Interface("44.128.0.1/20"))
        new = Addr(VTEP, IPv4Interface(address))
        reach(world.kernel, GROUND - {old} | {new} | path_to(2) | path_to(3))


@pytest.mark.parametrize("address", ["fd01:a::9/64", "fd01:a::1/80"])
def test_a_new_ipv6_vtep_address_costs_no_row(behaves, address):
    @behaves
    def _(world):
        reach(world.kernel, GROUND | path_to(2))

        old = Addr(VTEP, IPv6Interface("fd01:a::1/64"))
        new = Addr(VTEP, IPv6Interface(address))
        reach(world.kernel, GROUND - {old} | {new} | path_to(2))


def test_a_link_that_was_set_down_comes_back_with_all_rows(behaves):
    @behaves
    def _(world):
        desired = GROUND | path_to(2) | path_to(3)
        reach(world.kernel, desired)

        world.set_down(VTEP)

        assert world.kernel.dump() != desired
        reach(world.kernel, desired)


def test_a_renamed_vtep_takes_over_its_vxlan(behaves):
    @behaves
    def _(world):
        reach(world.kernel, GROUND | path_to(2))

        def renamed(row):
            match row:
                case Link():
                    return replace(row, name="vtk2048")
                case Rule():
                    return row
                case _:
                    return replace(row, link="vtk2048")

        reach(world.kernel, frozenset(map(renamed, GROUND | path_to(2))))


# What only the real one can show.


@pytest.mark.kernel
def test_the_real_kernel_keeps_the_laws_of_the_difference():
    @in_namespace
    def _():
        with Kernel() as kernel:

            @settings(max_examples=60, database=None)
            @given(wanted_tables, found_tables)
            def law(desired, found):
                kernel.apply(diff(frozenset(), kernel.dump()))
                build(kernel, found)
                fake = FakeKernel(insertion_order(found))
                assert kernel.dump() == found

                ops = diff(desired, found)

                assert kernel.apply(ops).refused == fake.apply(ops).refused == ()
                assert kernel.dump() == fake.dump() == desired
                assert diff(desired, kernel.dump()) == ()

            law()


def build(kernel, found):
    """Bring the kernel into a state that somebody has disturbed."""
    links = [row for row in found if isinstance(row, Link)]
    kernel.apply(Put(replace(row, up=True)) for row in links)
    rest = [row for row in insertion_order(found) if not isinstance(row, Link)]
    kernel.apply(map(Put, rest))
    kernel.apply(Put(row) for row in links if not row.up or row.learning)
