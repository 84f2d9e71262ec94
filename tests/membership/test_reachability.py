from __future__ import annotations

from collections.abc import Iterator

import pytest

from lashup.membership import Failed, LinkBroken, LinkFault, LinkMended, Reach, Swim
from lashup.membership.link_faults import LinkFaults
from lashup.membership.messages import Links
from tests.membership.vocabulary import World, cluster


def faults_seen_by(world: World, swim: Swim) -> set[tuple[int, int]]:
    numbers = {s.me.id: n for n, s in enumerate(world.swims.values())}
    return {
        (numbers[fault.observer], numbers[fault.member])
        for fault in swim.link_faults(now=world.now)
    }


def test_members_that_answer_are_reached_directly():
    world, swims = cluster(5, seed=1)
    world.run(20.0)

    found = [swims[0].reachability(swim.me.id) for swim in swims[1:]]

    assert {each.reach for each in found if each} == {Reach.DIRECT}
    assert swims[0].reachability(swims[0].me.id) is None
    assert all(each.since < world.now - 10.0 for each in found if each)
    assert all(0 < (each.round_trip or 0) < 0.01 for each in found if each)


def test_two_that_cannot_hear_each_other_are_up_and_everybody_can_print_the_fault():
    world, swims = cluster(8, seed=1)
    a, b = swims[2], swims[5]

    world.divide([a], [b])
    world.run(60.0)

    assert world.heard(Failed) == []
    for swim in swims:
        assert faults_seen_by(world, swim) == {(2, 5), (5, 2)}
    found = a.reachability(b.me.id)
    assert found is not None
    assert found.reach is Reach.INDIRECT


def reaches(swims: list[Swim], of: Swim) -> set[Reach | None]:
    found = [swim.reachability(of.me.id) for swim in swims if swim is not of]
    return {None if each is None else each.reach for each in found}


def test_a_member_that_is_down_is_unreachable_for_all_whoever_has_probed_it():
    world, swims = cluster(20, seed=1)
    world.run(60.0)
    victim = swims[3]
    assert Reach.DIRECT in reaches(swims, victim)

    world.crash(victim)
    world.run(5.0)

    assert reaches(swims, victim) == {Reach.UNREACHABLE}


def test_who_is_back_is_unreachable_for_nobody():
    world, swims = cluster(20, seed=1)
    world.crash(swims[3])
    world.run(5.0)

    back = world.start(3, epoch=2)
    world.converge(within=2.0)

    assert Reach.UNREACHABLE not in reaches(list(world.swims.values()), back)


def test_how_a_member_that_has_left_was_reached_is_not_told():
    world, swims = cluster(20, seed=1)
    world.run(60.0)
    leaver = swims[3]

    world.do(leaver, leaver.leave(now=world.now))
    world.run(5.0)

    assert reaches(swims, leaver) == {None}


def test_a_link_that_is_mended_is_no_fault_any_more():
    world, swims = cluster(8, seed=1)
    world.divide([swims[2]], [swims[5]])
    world.run(60.0)

    world.heal()
    world.run(90.0)

    assert {s.link_faults(now=world.now) for s in swims} == {()}


def test_a_crashed_member_is_unreachable_and_no_fault_of_a_link():
    world, swims = cluster(8, seed=1)

    world.crash(swims[3])
    world.run(20.0)

    assert all(swim.link_faults(now=world.now) == () for swim in world.swims.values())


def test_packets_that_are_lost_now_and_then_are_no_fault_of_a_link():
    world, swims = cluster(12, seed=1, loss=0.03)

    world.run(60.0)

    assert all(swim.link_faults(now=world.now) == () for swim in swims)


def test_faults_of_members_that_are_gone_are_not_told_any_more():
    world, swims = cluster(8, seed=1)
    world.divide([swims[2]], [swims[5]])
    world.run(40.0)
    assert LinkFault(swims[2].me.id, swims[5].me.id) in swims[0].link_faults(
        now=world.now
    )

    world.crash(swims[2])
    world.run(20.0)

    assert swims[0].link_faults(now=world.now) == ()


def test_everybody_is_told_once_when_a_link_breaks_and_once_when_it_is_mended():
    world, swims = cluster(8, seed=1)
    world.divide([swims[2]], [swims[5]])
    world.run(60.0)
    faults = {
        LinkFault(swims[2].me.id, swims[5].me.id),
        LinkFault(swims[5].me.id, swims[2].me.id),
    }

    broken = world.heard(LinkBroken)
    assert {event.fault for _, event in broken} == faults
    assert len(broken) == 2 * len(swims)
    assert world.heard(LinkMended) == []
    world.heal()
    world.run(120.0)

    mended = world.heard(LinkMended)
    assert {event.fault for _, event in mended} == faults
    assert len(mended) == 2 * len(swims)
    assert len(world.heard(LinkBroken)) == len(broken)


def test_the_fault_of_a_link_to_a_member_that_dies_ends_by_itself():
    world, swims = cluster(8, seed=1)
    world.divide([swims[2]], [swims[5]])
    world.run(40.0)

    world.crash(swims[2])
    world.run(20.0)

    assert len(world.heard(LinkMended)) == 2 * 7


def test_a_fault_that_nobody_is_left_to_take_back_ends_by_itself():
    world, swims = cluster(8, seed=1)
    a, b, others = swims[2], swims[5], [*swims[:2], *swims[3:5], *swims[6:]]
    world.divide([a], [b])
    world.run(60.0)

    world.crash(a)
    world.crash(b)
    world.run(20.0)

    mended = [node for node, _ in world.heard(LinkMended)]
    assert sorted(mended) == sorted(2 * [swim.me.id for swim in others])


def test_where_many_links_are_bad_all_are_looked_through_once_a_period_at_most(
    monkeypatch: pytest.MonkeyPatch,
):
    looks = 0
    look = LinkFaults._faults

    def counted(self: LinkFaults, *, now: float) -> Iterator[LinkFault]:
        nonlocal looks
        looks += 1
        return look(self, now=now)

    monkeypatch.setattr(LinkFaults, "_faults", counted)
    world, (one, other, third) = cluster(3, seed=1)
    world.run(5.0)
    parts, told = one._link_faults, []
    for number in range(1, 101):
        now = world.now + number / 50
        parts.hear(Links(other.me.id, 0, number, (third.me.id,)), now=now)
        told += parts.news(now=now)

    fault = LinkFault(other.me.id, third.me.id)
    assert told == [LinkBroken(fault)]
    assert 2 <= looks <= 3  # 100 words within two periods
