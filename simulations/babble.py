"""What a broken member says: messages of the right form that mean nothing, and worse.

All of it is sealed with the cluster's key, so nothing but the machines' own checks
stands between it and their state. It forges no facts and no members: a holder of
the key could, and nobody could tell.
"""

from __future__ import annotations

from random import Random

from lashup.channels import Channel
from lashup.crdt.dot import ACTOR_SIZE, Actor
from lashup.kv import messages as kv
from lashup.kv.serving import Want as WantOfTable
from lashup.machine import NodeId
from lashup.membership.messages import (
    Ack,
    Answer,
    Ask,
    Gossip,
    Header,
    Message,
    Nack,
    Obituary,
    Ping,
    PingRequest,
    Want,
    encode_packet,
)
from lashup.wire.readers import NODE_ID_SIZE, pack

_CHANNELS = [*map(int, Channel), 0, 255]
_RANGES = 20_000  # a few more than a summary has


def babble(rng: Random) -> tuple[int, bytes]:
    """One frame: channel and payload."""
    match rng.randrange(4):
        case 0:
            return rng.choice(_CHANNELS), rng.randbytes(rng.randrange(200))
        case 1:
            fields = [_field(rng) for _ in range(rng.randrange(10))]
            return rng.choice(_CHANNELS), pack([rng.randrange(12), *fields])
        case 2:
            return Channel.KV, kv.encode(_of_table(rng))
        case _:
            header = Header(
                _node(rng), rng.getrandbits(31), 0, rng.getrandbits(64), b""
            )
            return Channel.MEMBERSHIP, encode_packet(header, (), _of_members(rng))


def _of_members(rng: Random) -> Message:
    seq, node = rng.getrandbits(32), _node(rng)
    return rng.choice(
        (
            Ping(seq, None),
            Ping(seq, node),
            Ack(seq, node),
            Nack(seq, node),
            Gossip(),
            PingRequest(seq, node, ("198.51.100.7", 7946), 1.0),
            Ask(pack(rng.randrange(_RANGES))),
            Answer(pack([rng.randrange(_RANGES), rng.randbytes(1024), 0])),
            Want(tuple(_node(rng) for _ in range(1 + rng.randrange(60)))),
            Obituary(node, rng.getrandbits(31)),
        )
    )


def _of_table(rng: Random) -> kv.Message:
    actors = (Actor(rng.randbytes(ACTOR_SIZE)) for _ in range(1 + rng.randrange(30)))
    wants = tuple(WantOfTable(actor, ((1, 5), (8, 9))) for actor in actors)
    return rng.choice(
        (
            kv.Ask(pack(rng.randrange(_RANGES))),
            kv.Answer(pack([rng.randrange(_RANGES), rng.randbytes(1024), 0])),
            kv.Request(rng.getrandbits(32), wants),
        )
    )


def _field(rng: Random) -> object:
    match rng.randrange(6):
        case 0:
            return None
        case 1:
            return rng.getrandbits(rng.choice([1, 8, 32, 63]))
        case 2:
            return rng.randbytes(NODE_ID_SIZE)
        case 3:
            return rng.randbytes(rng.randrange(100))
        case 4:
            return ["192.0.2.7", rng.randrange(1, 65_536)]
        case _:
            return [_field(rng) for _ in range(rng.randrange(3))]


def _node(rng: Random) -> NodeId:
    return NodeId(rng.randbytes(NODE_ID_SIZE))
