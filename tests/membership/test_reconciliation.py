import pytest

from lashup.errors import MalformedDatagram
from lashup.membership import Joined, Liveness, Member, Suspected, Swim
from lashup.membership.member import Belief
from lashup.membership.messages import (
    Answer,
    Ask,
    Beliefs,
    Gossip,
    Header,
    encode_packet,
)
from tests.membership.vocabulary import (
    World,
    address,
    cluster,
    member_seen,
    node_id,
    record,
    seen,
)


def test_a_member_that_gossip_never_told_of_is_found_by_comparing_tables():
    world, swims = cluster(10, seed=1)
    secret = record(70)
    for swim in swims[:3]:
        put(swim, Member(secret, Liveness.ALIVE, world.now))

    world.run_until(
        lambda: all(s.member(secret.id) is not None for s in swims), within=5.0
    )

    assert all(s.member(secret.id) is not None for s in swims)


def test_a_goodbye_that_one_member_never_heard_is_found_by_comparing_tables():
    world, swims = cluster(10, seed=1)
    leaver, deaf, *_ = swims
    for swim in swims:
        world.block(swim, deaf)
    world.do(leaver, leaver.leave(now=world.now))
    world.run(4.0)
    world.crash(leaver)
    assert seen(deaf, leaver.me.id) is not Liveness.LEFT

    world.heal()
    world.run(10.0)

    assert seen(deaf, leaver.me.id) is Liveness.LEFT


def test_a_death_that_is_told_by_comparing_tables_is_but_a_suspicion():
    world, swims = cluster(5, seed=1)
    teller, hearer, victim, *_ = swims
    down = Belief(victim.me, Liveness.DOWN)

    told(world, hearer, Beliefs((down,)), teller.me.id)
    assert seen(hearer, victim.me.id) is Liveness.SUSPECT
    assert len(world.heard(Suspected)) == 1
    world.run(2.0)

    assert seen(hearer, victim.me.id) is Liveness.ALIVE
    assert member_seen(hearer, victim.me.id).incarnation == 1


def test_the_death_of_somebody_unknown_is_not_even_that():
    world, swims = cluster(3, seed=1)
    down = Belief(record(70), Liveness.DOWN)

    told(world, swims[0], Beliefs((down,)), swims[1].me.id)

    assert seen(swims[0], node_id(70)) is None
    assert world.heard(Joined) == []


def test_tables_of_a_thousand_are_made_equal_by_walking_to_the_difference():
    world, swims = cluster(2, seed=1)
    one, other = swims
    for number in range(1000, 2000):
        for swim in swims:
            put(swim, Member(record(number), Liveness.ALIVE, world.now))
    put(one, Member(record(5001), Liveness.ALIVE, world.now))
    put(other, Member(record(5002), Liveness.ALIVE, world.now))
    put(other, Member(record(1234, epoch=2), Liveness.ALIVE, world.now))
    before = world.sent_bytes

    begin_walk(world, one, other)
    world.run_until(lambda: one.table_hash == other.table_hash, within=4.0)

    assert one.table_hash == other.table_hash
    assert member_seen(one, node_id(1234)).epoch == 2
    assert {node_id(5001), node_id(5002)} <= set(other.alive())
    assert world.sent_bytes - before < 10_000


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_survives_loss(seed):
    world, swims = cluster(2, seed=seed)
    one, other = swims
    for number in range(1000, 1100):
        put(one, Member(record(number), Liveness.ALIVE, world.now))
    world.loss = 0.3

    def are_equal() -> bool:
        if other._reconciliation._visit is None:
            begin_walk(world, other, one)
        return one.table_hash == other.table_hash

    world.run_until(are_equal, within=6.0)

    assert one.table_hash == other.table_hash


@pytest.mark.parametrize("message", [Ask(b"\xc1"), Answer(b"\xc1"), Answer(b"")])
def test_a_walks_message_that_is_malformed_changes_nothing(message):
    world, swims = cluster(3, seed=1)
    hearer = swims[0]
    # A walk is under way, or answers would be of no interest.
    visited = swims[1].me
    begin_walk(world, hearer, swims[1])
    news = Belief(record(70), Liveness.ALIVE).encode()
    header = Header(visited.id, 1, 0, 0, b"")
    payload = encode_packet(header, [news], message)
    before = (hearer.members, hearer.table_hash, hearer.statistics())

    with pytest.raises(MalformedDatagram):
        hearer.receive(payload, visited.addresses[0], now=world.now)

    assert (hearer.members, hearer.table_hash, hearer.statistics()) == before


def test_a_walk_of_a_table_whose_holder_fell_silent_ends():
    world, swims = cluster(3, seed=1)
    hearer, silent = swims[0], swims[1]
    world.crash(silent)
    begin_walk(world, hearer, silent)

    world.run(4.0)

    assert hearer._reconciliation._visit is None


def test_tables_that_stay_different_are_walked_less_and_less_often():
    world, swims = cluster(2, seed=1)
    a, b = swims
    # A difference that no exchange can mend: a hash of a record that is not there.
    b._beliefs.members.summary.put(node_id(70), 1)

    world.run(3.0)
    early = b.statistics()["walks"] + a.statistics()["walks"]
    world.run(120.0)

    walks = b.statistics()["walks"] + a.statistics()["walks"]
    assert early >= 1
    assert walks <= 24


def test_packets_of_unknown_kinds_are_counted_and_passed_over():
    world, swims = cluster(2, seed=1)
    header = Header(swims[1].me.id, 1, 0, 0, b"")
    payload = bytearray(encode_packet(header, (), Gossip()))
    assert payload[1] == 5
    payload[1] = 99

    effects = swims[0].receive(bytes(payload), address(1), now=world.now)

    assert effects == []
    assert swims[0].statistics()["received_unknown_kind"] == 1


def told(world: World, hearer, message, teller) -> None:
    header = Header(teller, 1, 0, 0, b"")
    payload = encode_packet(header, (), message)
    world.do(hearer, hearer.receive(payload, address(1), now=world.now))


def put(swim: Swim, member: Member) -> None:
    """Into the table, and nobody is told."""
    swim._beliefs.members.put(member)


def begin_walk(world: World, walker: Swim, visited: Swim) -> None:
    peer = visited.me
    walker._reconciliation._begin(peer.id, peer.addresses[0], now=world.now)
    world.do(walker, walker.tick(now=world.now))


def test_a_newcomer_does_not_gossip_the_table_that_it_was_given():
    world, _ = cluster(30, seed=1)

    newcomer = world.start(30, seeds=[17])
    most = 0.0
    for _step in range(50):
        world.run(0.02)
        most = max(most, newcomer.statistics()["updates_waiting"])

    assert len(newcomer.alive()) == 31
    assert most <= 2


def test_a_node_that_pings_in_a_life_that_was_reaped_is_told_so():
    world, swims = cluster(3, seed=1)
    teller, told_so = swims[0], swims[1].me
    put(teller, Member(told_so, Liveness.DOWN, world.now))
    teller._beliefs.members.reap(told_so.id)

    world.converge(within=5.0)

    assert swims[1].me.epoch == told_so.epoch + 1
