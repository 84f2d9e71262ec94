"""What a packet's header says of its sender, and whether the receiver asks for more."""

import pytest

from lashup.membership import Liveness, Swim
from lashup.membership.member import Belief
from lashup.membership.messages import Gossip, Header, Want, encode_packet
from tests.membership.conversation import said
from tests.membership.vocabulary import address, cluster, node_id, record


def told(swim: Swim, *, riding: int, incarnation: int, now: float) -> list[Want]:
    header = Header(node_id(1), 1, incarnation, 0, b"")
    gossip = [
        Belief(record(100 + number), Liveness.ALIVE).encode()
        for number in range(riding)
    ]
    packet = encode_packet(header, gossip, Gossip())
    effects = swim.receive(packet, address(1), now=now)
    return [m for _, m in said(effects) if isinstance(m, Want)]


@pytest.mark.parametrize(
    ("riding", "asked"),
    [(0, [Want((node_id(1),))]), (3, [Want((node_id(1),))]), (9, [])],
)
def test_who_knows_more_of_itself_is_asked_unless_it_has_a_lot_to_tell(riding, asked):
    world, swims = cluster(5, seed=1)

    found = told(swims[0], riding=riding, incarnation=7, now=world.now)

    assert found == asked


def test_who_says_what_is_known_is_not_asked():
    world, swims = cluster(5, seed=1)

    assert told(swims[0], riding=0, incarnation=0, now=world.now) == []


def test_what_was_heard_before_counts_as_told_again():
    world, swims = cluster(5, seed=1)

    told(swims[0], riding=9, incarnation=0, now=world.now)

    assert told(swims[0], riding=9, incarnation=7, now=world.now) == []
