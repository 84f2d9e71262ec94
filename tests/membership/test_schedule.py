import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.membership import Swim
from lashup.membership.schedule import Schedule, phase
from tests.membership.strategies import node_ids
from tests.membership.vocabulary import LADDER, World, cluster, node_id

tables = st.lists(node_ids, min_size=2, max_size=40, unique=True).map(sorted)
hashes = st.integers(0, 2**64 - 1)
periods = st.integers(-(2**40), 2**40)


def schedule() -> Schedule:
    return Schedule(period=1.0, hash_key=b"k")


@given(live=tables, number=periods, table_hash=hashes)
def test_everybody_is_probed_exactly_once_a_period_and_nobody_by_itself(
    live, number, table_hash
):
    plan = schedule()

    targets = [
        plan.target(node, number, live=live, table_hash=table_hash) or node
        for node in live
    ]

    assert sorted(targets) == live
    assert all(node != target for node, target in zip(live, targets, strict=True))


@given(live=tables, number=periods, table_hash=hashes)
def test_whoever_is_probed_knows_by_whom(live, number, table_hash):
    plan = schedule()

    for node in live:
        target = plan.target(node, number, live=live, table_hash=table_hash)
        assert target is not None
        prober = plan.prober(target, number, live=live, table_hash=table_hash)
        assert prober == node


def test_another_period_and_another_table_are_another_plan():
    live = sorted(node_id(n) for n in range(100))
    plan = schedule()

    by_period = {plan.target(live[0], n, live=live, table_hash=1) for n in range(50)}
    by_table = {plan.target(live[0], 1, live=live, table_hash=h) for h in range(50)}

    assert len(by_period) > 25
    assert len(by_table) > 25


@given(node=node_ids, now=st.floats(0, 1e6), offset=st.floats(-1e9, 1e9))
def test_a_node_acts_once_a_period_at_its_own_phase(node, now, offset):
    plan = schedule()
    plan.wall_offset = offset

    first = plan.next_act(node, after=now)
    second = plan.next_act(node, after=first + 0.001)

    assert now <= first <= now + 1.0 + 1e-6
    assert second - first == pytest.approx(1.0, abs=1e-5)
    assert plan.number(node, now=second) == plan.number(node, now=first) + 1


@given(node=node_ids)
def test_a_phase_is_a_share_of_the_period(node):
    assert 0 <= phase(node) < 1


def test_nobody_probes_in_a_cluster_of_one_or_without_being_in_it():
    live = sorted(node_id(n) for n in range(5))
    plan = schedule()

    assert plan.target(live[0], 1, live=live[:1], table_hash=1) is None
    assert plan.target(node_id(99), 1, live=live, table_hash=1) is None
    assert plan.prober(node_id(99), 1, live=live, table_hash=1) is None


def pings_of_a_period(world: World, swims: list[Swim]) -> float:
    before = sum(swim.statistics()["sent_ping"] for swim in swims)
    world.run(10.0)
    return (sum(s.statistics()["sent_ping"] for s in swims) - before) / 10 / len(swims)


def test_members_that_are_in_time_are_not_pinged_on_top():
    world, swims = cluster(20, seed=1)

    pings = pings_of_a_period(world, swims)

    assert pings == pytest.approx(1.0, abs=0.05)
    extra = sum(swim.statistics()["probes_extra"] for swim in swims)
    world.run(10.0)
    assert sum(swim.statistics()["probes_extra"] for swim in swims) == extra


def test_a_node_whose_clock_is_wrong_costs_some_pings_and_accuses_nobody():
    world, swims = cluster(20, seed=1)
    swims[3].wall_offset += 0.37
    rng = random.Random(1)

    world.run(30.0)
    for swim in swims:
        swim.wall_offset = rng.uniform(-1e6, 1e6)
    world.run(10.0)

    assert pings_of_a_period(world, swims) < 1.6
    assert world.events == []


def test_a_clock_that_jumps_stops_no_probes():
    world, swims = cluster(10, seed=1)

    for jump in (1e9, -1e9, 0.5, -0.5):
        for swim in swims:
            swim.wall_offset += jump
        assert pings_of_a_period(world, swims) == pytest.approx(1.0, abs=0.2)

    assert world.events == []


def test_without_confirmation_nobody_is_awaited():
    world, swims = cluster(10, seed=1, config=LADDER)

    world.crash(swims[4])
    world.run(2.0)

    assert sum(swim.statistics()["probes_extra"] for swim in swims) == 0
