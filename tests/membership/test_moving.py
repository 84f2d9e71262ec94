"""A member that goes on at another address, in the same life."""

import pytest

from lashup.errors import NodeClosed, UsageError
from lashup.membership import Changed, Failed, Suspected
from tests.membership.vocabulary import World, address, cluster, member_seen


def move(world: World, swim, *, to: int) -> None:
    """The host has another address now, and the machine is told."""
    del world.swims[swim.me.addresses[0]]
    effects = swim.set_addresses((address(to),), now=world.now)
    world.swims[address(to)] = swim
    world.do(swim, effects)


def test_all_follow_a_member_that_moves_at_once_and_nobody_doubts_it():
    world, swims = cluster(20, seed=3)
    mover = swims[7]

    move(world, mover, to=107)
    seconds = world.run_until(world.all_agree, within=5.0)
    world.run(10.0)

    assert seconds < 0.1
    assert all(
        member_seen(swim, mover.me.id).addresses == (address(107),)
        for swim in world.swims.values()
    )
    assert world.heard(Failed) == []
    assert world.heard(Suspected) == []
    changed = [e for _, e in world.heard(Changed) if e.member.id == mover.me.id]
    assert len(changed) == 20


def test_nobody_is_expected_where_it_was_before():
    world, swims = cluster(5, seed=3)
    mover, other = swims[2], swims[0]

    move(world, mover, to=107)
    world.run(1.0)

    assert other.peer_at(address(107)) == mover.me.id
    assert other.peer_at(address(2)) is None
    assert not other.is_at(address(2))


def test_a_family_that_is_gained_is_used_from_then_on():
    world, swims = cluster(2, seed=3)
    one, other = swims
    six = ("fd00::7", 7946)
    other.set_addresses((six, address(1)), now=world.now)
    effects = other.set_addresses((six, address(1)), now=world.now)
    world.do(other, effects)
    world.run(1.0)
    before = one.address_of(other.me.id)

    one.set_addresses((address(0), ("fd00::8", 7946)), now=world.now)

    assert before == address(1)
    assert one.address_of(other.me.id) == six


@pytest.mark.parametrize("addresses", [(), tuple(address(n) for n in range(5))])
def test_none_and_too_many_addresses_change_nothing(addresses):
    world, swims = cluster(2, seed=3)
    before = swims[0].me

    with pytest.raises(UsageError):
        swims[0].set_addresses(addresses, now=world.now)

    assert swims[0].me is before


def test_who_has_left_moves_no_more():
    world, swims = cluster(2, seed=3)
    swims[0].leave(now=world.now)

    with pytest.raises(NodeClosed):
        swims[0].set_addresses((address(9),), now=world.now)
