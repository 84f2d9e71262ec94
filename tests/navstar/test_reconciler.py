"""When the kernel is looked at, and what then happens, in virtual time."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from navstar.allocation import Allocation
from navstar.errors import NavstarError
from navstar.kernel_side import Inputs, KernelSide
from navstar.overlay_backend import LinkInTheWay
from navstar.reconciler import Mode
from navstar.schedule import Cause
from navstar.tables import Fdb, Link, kernel_key
from navstar.withdrawal import Brake, Knowledge, Release
from tests.navstar.allocations import ALLOCATION, with_vtep
from tests.navstar.reconciler_world import (
    AGENT_IP,
    CAUTION,
    KNOWING,
    ME,
    TIMING,
    Host,
    ThreadlessReconciler,
    World,
    lines,
    running,
)


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


@pytest.fixture
async def world(clock) -> AsyncIterator[World]:
    async with running(World()) as one:
        await one.until(lambda: one.agents() == 3)
        await one.until(lambda: len(one.reports) >= 2)
        yield one


async def test_at_the_start_the_kernel_is_brought_to_what_it_should_be(
    world, clock
) -> None:
    first = world.reports[0]

    assert first.cause is Cause.START
    assert world.reconciler.mode is Mode.RECONCILING
    assert world.reconciler.counters.writes == len(world.host.dump())
    assert world.host.watches[-1].followed == {"eth0", "vtep1024"}


async def test_numbers_may_change_as_often_as_they_like_without_a_struggle(
    world, clock
) -> None:
    for vni in (1030, 1024, 1030, 1024, 1031, 1024):
        allocation = Allocation(overlays=(with_vtep(vni=vni),))
        world.go_by(allocation=allocation)
        world.reconciler.trigger(Cause.ALLOCATION)
        await world.until(
            lambda allocation=allocation: world.reconciler.programmed is allocation
        )

        links = [row for row in world.host.dump() if isinstance(row, Link)]
        assert vni in {link.vni for link in links if not link.receives_only}
        assert not world.is_contested()
        assert world.agents() == 3


async def test_nothing_is_said_of_new_numbers_while_a_stranger_has_their_place(
    world, clock
) -> None:
    allocation = Allocation(overlays=(with_vtep(vni=1030),))
    world.host.in_the_way = (LinkInTheWay("vtep1024", "a stranger", by="flannel.1"),)
    world.go_by(allocation=allocation)
    world.reconciler.trigger(Cause.ALLOCATION)
    passes = len(world.reports)
    await world.until(lambda: len(world.reports) > passes)

    assert world.reports[-1].look.in_the_way
    assert world.reconciler.programmed is not allocation

    world.host.in_the_way = ()
    await world.until(lambda: world.reconciler.programmed is allocation)


async def test_nothing_is_said_of_new_numbers_while_the_kernel_refuses_the_link(
    world, clock
) -> None:
    allocation = Allocation(overlays=(with_vtep(vni=1030),))
    world.host.foreign_links.add("vtep1024")
    world.go_by(allocation=allocation)
    world.reconciler.trigger(Cause.ALLOCATION)
    await world.until(lambda: bool(world.reports[-1].refused))

    assert world.reconciler.programmed is not allocation

    world.host.foreign_links.clear()
    await world.until(lambda: world.reconciler.programmed is allocation)


async def test_as_long_as_nothing_is_known_nothing_is_done(clock) -> None:
    unknowing = World()
    unknowing.inputs = None
    async with running(unknowing) as world:
        await trio.sleep(100)

        assert world.reconciler.mode is Mode.WAITING
        assert world.reports == []
        with pytest.raises(NavstarError, match="not known"):
            await world.reconciler.plan()


async def test_what_others_said_of_an_overlay_counts_once_this_agent_is_in_it(
    clock,
) -> None:
    early = World()
    early.go_by(allocation=Allocation())
    async with running(early) as world:
        await world.until(lambda: bool(world.reports))
        assert not world.host.dump()

        world.go_by(allocation=ALLOCATION)
        world.reconciler.trigger(Cause.ALLOCATION)

        assert await world.until(lambda: world.has_agents(3)) < 0.5


async def test_a_burst_of_changes_is_one_pass(world: World, clock) -> None:
    passes = len(world.reports)

    for count in range(4, 9):
        world.go_by(lines=lines(count))
        world.reconciler.trigger(Cause.TABLE)
        await trio.sleep(0.001)
    took = await world.until(lambda: world.agents() == 8)

    assert took <= 0.03
    assert len(world.reports) == passes + 1


async def test_what_the_kernel_tells_of_is_repaired_soon(world: World, clock) -> None:
    world.host.lose(Fdb)
    took = await world.until(lambda: world.agents() == 3)

    assert took <= 0.5
    assert world.reports[-1].cause is Cause.KERNEL


async def test_what_the_kernel_does_not_tell_of_is_repaired_by_the_audit(
    world, clock
) -> None:
    kept = [row for row in world.host.dump() if not isinstance(row, Fdb)]
    world.host.reset(kept)

    took = await world.until(lambda: world.agents() == 3)

    assert took <= TIMING.audit_period
    assert world.reports[-1].cause is Cause.AUDIT


async def test_an_audit_of_right_rows_writes_nothing(world: World, clock) -> None:
    writes, passes = world.host.writes, len(world.reports)

    await trio.sleep(60)

    assert len(world.reports) >= passes + 5
    assert world.host.writes == writes


async def test_a_change_of_the_table_does_not_read_the_kernel(
    world: World, clock
) -> None:
    looks = world.host.looks

    for count in (5, 4, 8):
        world.go_by(lines=lines(count))
        world.reconciler.trigger(Cause.TABLE)
        await world.until(partial(world.has_agents, count))

    assert world.host.looks == looks
    assert world.reports[-1].look.is_glance


async def test_a_change_of_the_table_with_one_of_the_kernel_reads_it(
    world: World, clock
) -> None:
    world.go_by(lines=lines(4))
    world.reconciler.trigger(Cause.TABLE)
    await trio.sleep(0.015)
    world.host.reset(row for row in world.host.dump() if not isinstance(row, Fdb))
    world.reconciler.trigger(Cause.KERNEL)

    await world.until(lambda: world.agents() == 4)

    assert world.reports[-1].cause is Cause.TABLE
    assert not world.reports[-1].look.is_glance


async def test_changes_of_the_table_do_not_put_the_audit_off(
    world: World, clock
) -> None:
    kept = [row for row in world.host.dump() if not isinstance(row, Fdb)]
    world.host.reset(kept)

    for count in range(20):
        world.go_by(lines=lines(4 + count % 2))
        world.reconciler.trigger(Cause.TABLE)
        await trio.sleep(1)

    assert {4, 5} >= {world.agents()}
    assert Cause.AUDIT in {report.cause for report in world.reports}


async def test_a_glance_that_finds_itself_wrong_is_followed_by_a_look(
    world: World, clock
) -> None:
    gone = [row for row in world.host.dump() if isinstance(row, Fdb)]
    world.host.reset([])
    world.go_by(lines=lines(4))
    world.reconciler.trigger(Cause.TABLE)
    await world.until(lambda: world.reports[-1].refused != ())

    took = await world.until(lambda: world.agents() == 4)

    assert took <= 1.5
    assert set(gone) <= world.host.dump()


async def test_a_refused_row_stops_no_other_and_is_tried_again(
    world: World, clock
) -> None:
    route = next(row for row in world.host.dump() if "9.0.2.0/24" in str(row))
    world.host.reset(row for row in world.host.dump() if row != route)
    world.host.foreign_routes.add(kernel_key(route))
    world.go_by(lines=lines(4))
    world.reconciler.trigger(Cause.TABLE)
    await world.until(lambda: bool(world.reports[-1].refused))

    assert world.agents() == 4
    assert "9.0.2.0/24" in str(world.reports[-1].refused[0])
    assert world.reconciler.counters.refusals == 1
    world.host.foreign_routes.clear()
    assert await world.until(lambda: route in world.host.dump()) < 2
    assert world.reports[-1].cause is Cause.RETRY


async def test_somebody_who_keeps_undoing_a_row_is_answered_ever_more_slowly(
    world: World, clock
) -> None:
    began, before = trio.current_time(), world.host.writes
    for _ in range(3):
        world.host.lose(Fdb)
        await world.until(lambda: world.has_agents(3))
    world.host.lose(Fdb)
    await world.until(lambda: bool(world.reports[-1].look.contested))

    # The kernel is not as it should be, and nobody is told that it is.
    assert world.reports[-1].standing == world.host.dump()
    while trio.current_time() < began + 120:
        await world.until(lambda: world.has_agents(3))
        world.host.lose(Fdb)
    assert world.host.writes - before <= 3 * (3 + 4 + 13)
    await world.until(lambda: world.has_agents(3))
    await world.until(lambda: not world.reports[-1].look.contested)


async def test_a_change_of_the_table_reaches_the_kernel_amidst_a_fight(
    world: World, clock
) -> None:
    for _ in range(4):
        world.host.lose(Fdb)
        await world.until(lambda: not world.has_agents(0) or world.is_contested())
    world.go_by(lines=lines(4))
    world.reconciler.trigger(Cause.TABLE)

    assert await world.until(lambda: world.agents() >= 1) < 0.1
    assert "10.0.0.5" in "".join(map(str, world.host.dump()))


async def test_a_kernel_that_cannot_be_asked_is_opened_anew(
    world: World, clock
) -> None:
    world.host.fails = 2
    opened = world.host.opened
    world.reconciler.trigger(Cause.TABLE)
    await world.until(lambda: bool(world.reports[-1].fault))

    assert "socket buffer gone" in world.reports[-1].fault
    await world.until(lambda: not world.reports[-1].fault)
    assert world.host.opened > opened
    await world.until(lambda: len(world.host.watches) == 2)
    world.host.lose(Fdb)
    assert await world.until(lambda: world.agents() == 3) < 1


async def test_without_its_address_nothing_is_touched(world: World, clock) -> None:
    before = world.host.dump()
    world.host.addresses.clear()
    world.go_by(lines=())

    await trio.sleep(60)
    assert "not an address of this host" in world.reports[-1].fault
    assert world.host.dump() == before
    world.host.addresses.add(AGENT_IP)

    await world.until(lambda: world.agents() == 0)


async def test_down_takes_everything_out_and_nothing_brings_it_back(
    world, clock
) -> None:
    removed = await world.reconciler.go_down()
    world.reconciler.trigger(Cause.TABLE)
    await trio.sleep(60)

    assert removed.rows > 0
    assert world.host.dump() == frozenset()
    assert world.reconciler.mode is Mode.DOWN
    world.reconciler.come_up()
    assert await world.until(lambda: world.agents() == 3) < 0.1


async def test_what_is_in_the_way_is_followed_so_that_its_end_is_heard(clock) -> None:
    world = World()
    world.host.in_the_way = (LinkInTheWay("vtep1024", "a stranger", by="flannel.1"),)
    async with running(world):
        await world.until(lambda: len(world.reports) >= 2)

        assert world.host.watches[-1].followed == {"eth0", "vtep1024", "flannel.1"}
        assert world.agents() == 0

        world.host.in_the_way = ()
        world.host.watches[-1].theirs.send(b"!")
        took = await world.until(lambda: world.agents() == 3)

    assert took < 1.0


async def test_up_says_at_once_that_passes_take_place(world: World, clock) -> None:
    await world.reconciler.go_down()
    world.reconciler.come_up()

    assert world.reconciler.mode is Mode.RECONCILING


async def test_a_plan_changes_nothing(world: World, clock) -> None:
    world.go_by(lines=lines(2))
    before = world.host.dump()

    plan = await world.reconciler.plan()

    assert plan.deletes == len(before) - len(plan.desired.rows)
    assert world.host.dump() == before


async def test_many_agents_gone_are_held_until_the_second_look(
    world: World, clock
) -> None:
    world.go_by(lines=lines(20))
    world.reconciler.trigger(Cause.TABLE)
    await world.until(lambda: world.agents() == 20)
    world.go_by(lines=lines(1))
    world.reconciler.trigger(Cause.TABLE)

    took = await world.until(lambda: world.agents() == 1)

    assert CAUTION.brake_delay <= took <= CAUTION.brake_delay + 1


def test_a_plan_is_no_first_look_of_the_brake() -> None:
    host = Host()
    kernel = KernelSide(Brake(CAUTION), table=42, rule_priority=32000, opener=host.open)
    inputs = Inputs(ALLOCATION, lines(20), ME, AGENT_IP, KNOWING)
    kernel.apply(kernel.look(inputs, now=0.0).ops)
    gone = replace(inputs, lines=lines(1))

    planned = kernel.look_only(gone, now=100.0)
    later = kernel.look(gone, now=100.0 + CAUTION.brake_delay)

    assert planned.verdict.held
    assert later.verdict.held


async def test_the_operator_may_release_the_brake(clock) -> None:
    asking = World(replace(CAUTION, release=Release.BY_OPERATOR))
    asking.go_by(lines=lines(20))
    async with running(asking) as world:
        await world.until(lambda: world.agents() == 20)
        world.go_by(lines=lines(1))
        await trio.sleep(100)

        assert world.agents() == 20
        assert world.reconciler.confirm()
        assert await world.until(lambda: world.agents() == 1) < 0.1


async def test_a_lone_node_deletes_after_its_grace(clock) -> None:
    world = World()
    async with running(world):
        await world.until(lambda: world.agents() == 3)
    started = trio.current_time()
    again = World()
    again.host = world.host
    again.host.watches.clear()
    again.reconciler = ThreadlessReconciler(
        KernelSide(
            Brake(CAUTION), table=42, rule_priority=32000, opener=world.host.open
        ),
        TIMING,
        inputs=lambda: Inputs(
            ALLOCATION,
            (),
            ME,
            AGENT_IP,
            Knowledge(
                is_synchronised=False,
                is_informed=False,
                is_alone=True,
                running_for=trio.current_time() - started,
            ),
        ),
        on_pass=again.note,
        rng=random.Random(2),
    )

    async with running(again):
        await again.until(lambda: again.agents() == 0)
        took = trio.current_time() - started

    assert CAUTION.grace <= took <= CAUTION.grace + 1
