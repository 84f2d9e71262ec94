"""Members that hold a key and lie, and members of a version that lacks something."""

import random
from dataclasses import replace

import pytest

from lashup.machine import Send
from lashup.membership import LAN, Failed, Liveness, Swim
from lashup.membership.member import Belief
from lashup.membership.messages import (
    Gossip,
    Header,
    Kind,
    Nack,
    PingRequest,
    encode_packet,
    packet_untrusted,
)
from lashup.wire.readers import pack
from tests.membership.vocabulary import World, address, cluster, node_id, record, seen

LIMIT = 200


def invent(swim: Swim, numbers: range, *, liar: int, now: float) -> None:
    """A liar's packets, 20 invented members each."""
    for first in range(numbers.start, numbers.stop, 20):
        beliefs = [
            Belief(record(number), Liveness.ALIVE).encode()
            for number in range(first, min(first + 20, numbers.stop))
        ]
        header = Header(node_id(liar), 1, 0, 0, b"")
        swim.receive(encode_packet(header, beliefs, Gossip()), address(liar), now=now)


def test_20_000_invented_members_fill_a_bounded_table_and_harm_nobody():
    config = replace(LAN, members_limit=LIMIT)
    world, swims = cluster(4, seed=1, config=config)

    invent(swims[0], range(1_000, 21_000), liar=1, now=world.now)
    most = [0]

    def is_too_full() -> bool:
        most[0] = max(most[0], *(len(swim.members) for swim in swims))
        return most[0] > LIMIT

    world.run_until(is_too_full, within=5.0)
    real = {swim.me.id for swim in swims}

    assert most[0] == LIMIT
    assert swims[0].statistics()["members_crowded_out"] >= 19_000
    assert {e.member.id for _, e in world.heard(Failed)}.isdisjoint(real)
    for swim in swims:
        assert all(seen(swim, node) is Liveness.ALIVE for node in real)


@pytest.mark.parametrize("place", ["one_address", "many_addresses"])
def test_20_000_invented_members_of_one_name_are_told_one_by_one_and_not_in_pairs(
    place,
):
    me = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    events = 0

    for first in range(1, 20_001, 20):
        beliefs = [
            Belief(
                record(
                    number,
                    name="n0",
                    epoch=number,
                    at=address(1) if place == "one_address" else None,
                ),
                Liveness.ALIVE,
            ).encode()
            for number in range(first, first + 20)
        ]
        header = Header(node_id(1), 1, 0, 0, b"")
        packet = encode_packet(header, beliefs, Gossip())
        effects = me.receive(packet, address(1), now=0.0)
        events += sum(not isinstance(effect, Send) for effect in effects)

    assert len(me.members) <= LAN.members_limit
    # Joined, Conflict with the one that keeps the name, Left.
    assert events <= 3 * LAN.members_limit


def test_in_a_full_table_a_newcomer_takes_the_place_of_one_that_is_down():
    config = replace(LAN, members_limit=3)
    swim = Swim(record(0), config, rng=random.Random(0), now=0.0)
    invent(swim, range(1, 3), liar=1, now=0.0)
    invent(swim, range(3, 4), liar=1, now=0.0)
    assert swim.member(node_id(3)) is None

    down = Belief(record(2), Liveness.DOWN)
    swim._beliefs.believe(down, now=1.0)
    invent(swim, range(4, 5), liar=1, now=1.0)

    assert swim.member(node_id(2)) is None
    assert seen(swim, node_id(4)) is Liveness.ALIVE
    assert len(swim.members) == 3


def test_a_nack_of_a_version_that_does_not_testify_is_read_and_is_no_testimony():
    header = [int(Kind.NACK), 7, node_id(1), 1, 0, 0, b"", []]

    packet = packet_untrusted(pack([*header, node_id(2)]), known=())

    assert packet is not None
    assert packet.message == Nack(7, node_id(2), 0.0)


class MixedWorld(World):
    """Half of the nodes are of a version without a message kind."""

    lacks: Kind

    def _carry(self, source, to, payload):
        number = int(to[0].rsplit(".", 1)[1])
        packet = packet_untrusted(payload, known=())
        assert packet is not None
        kind = payload[1]  # the first field, a small natural
        if number % 2 and kind == self.lacks:
            return
        super()._carry(source, to, payload)


def test_a_cluster_half_of_which_lacks_a_message_kind_still_finds_its_dead():
    for lacks in (Kind.LINKS, Kind.NACK, Kind.PING_REQUEST):
        world = MixedWorld(seed=1)
        world.lacks = lacks
        swims = [world.start(number) for number in range(6)]
        world.converge(within=30.0)
        world.run(3.0)
        world.divide([swims[2]], [swims[4]])
        world.run(10.0)
        assert world.heard(Failed) == []

        world.crash(swims[3])
        world.run(40.0)

        assert world.all_see(Liveness.DOWN, swims[3].me.id)


def test_a_witness_with_too_little_time_leaves_the_decision_to_the_ladder():
    swim = Swim(record(0), LAN, rng=random.Random(0), now=0.0)
    request = PingRequest(7, node_id(2), address(2), patience=0.4)
    header = Header(node_id(1), 1, 0, 0, b"")

    swim.receive(encode_packet(header, (), request), address(1), now=0.0)
    nacks = []
    while (now := swim.next_wakeup()) < 0.39:
        for effect in swim.tick(now=now):
            packet = packet_untrusted(getattr(effect, "payload", b""), known=())
            if packet is not None and isinstance(packet.message, Nack):
                nacks.append(packet.message)

    assert [nack.silence for nack in nacks] == [0.0]
