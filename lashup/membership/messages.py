"""The membership messages on the wire: one msgpack list per payload.

    [kind, seq, sender id, epoch, incarnation, table hash, rider, [belief, ...], ...]

Every packet says who sends it and in which life, what the sender's member table
hashes to, and carries whatever gossip fits. What follows depends on the kind. A
belief travels as bytes, encoded once for all the packets it rides on.

A kind that we do not know comes out as None and fields appended by a newer
version are ignored: a cluster is upgraded node by node.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lashup.errors import MalformedDatagram
from lashup.machine import Address, NodeId
from lashup.membership.member import Belief, belief_untrusted
from lashup.membership.record import COUNTER_LIMIT, NodeRecord, record_untrusted
from lashup.wire.readers import (
    address_untrusted,
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    node_id_untrusted,
    pack,
    unpack_untrusted,
)

#: Bytes of a rider, at most.
RIDER_LIMIT = 128
_RIDER_SIZES = range(RIDER_LIMIT + 1)
#: What a list of up to 15 entries begins with in msgpack, less their number.
_SHORT_LIST = 0x90

#: Broken links that one list has room for.
LINKS_LIMIT = 32

#: Members that one is sent on to, at most.
REDIRECT_LIMIT = 16

#: Milliseconds that a helper may be asked to wait, at most.
_PATIENCE_LIMIT = 600_000


class Kind(enum.IntEnum):
    """The message kinds of protocol version 1."""

    PING = 1
    ACK = 2
    PING_REQUEST = 3
    NACK = 4
    GOSSIP = 5
    ASK = 6
    ANSWER = 7
    WANT = 8
    BELIEFS = 9
    OBITUARY = 10
    LINKS = 11
    REDIRECT = 12


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?

    Attributes:
        seq: Comes back in the ack.
        target: Who is meant; another node at this address must not answer. None:
            whoever is there, which is how a seed is asked.
        record: The sender's own record, where the target may not have it.
    """

    seq: int
    target: NodeId | None
    record: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """`target` is there, by its own word or by a helper's.

    Attributes:
        seq: Of the ping, or of the ping request.
        target: Who has answered.
        record: The sender's own record, where the asker introduced itself.
    """

    seq: int
    target: NodeId
    record: bytes | None = None


@dataclass(frozen=True, slots=True)
class PingRequest:
    """Please ping `target` for me.

    Attributes:
        seq: Comes back in the ack or nack.
        target: Whom to ping.
        address: Where, if the helper does not know better.
        patience: Seconds that the asker will still wait.
    """

    seq: int
    target: NodeId
    address: Address
    patience: float


@dataclass(frozen=True, slots=True)
class Nack:
    """The helper has heard nothing of the target yet; the asker is not deaf.

    Attributes:
        seq: Of the ping request.
        target: Who was asked for.
        silence: Seconds that the helper has pinged in vain, if that is long enough
            to testify, and the helper trusts itself; otherwise 0.
    """

    seq: int
    target: NodeId
    silence: float = 0.0


@dataclass(frozen=True, slots=True)
class Gossip:
    """Nothing but the beliefs that ride on every packet."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of a walk over the receiver's member table (reconcile.py)."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an `Ask`."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Redirect:
    """Instead of an answer: the sender is busy, and these have the same table.

    Attributes:
        nodes: Whom to ask, in any order. What is believed of them came before.
    """

    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Want:
    """Tell me what you believe of these."""

    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the sender's table says of some nodes. Not news: nobody is killed by it."""

    beliefs: tuple[Belief, ...]


@dataclass(frozen=True, slots=True)
class Obituary:
    """The sender has reaped this life of the node: it needs a new epoch to return."""

    node: NodeId
    epoch: int


@dataclass(frozen=True, slots=True)
class Links:
    """Live members that one member does not hear, though others do.

    Attributes:
        observer: Who does not hear them; not always the sender.
        epoch: Its life.
        number: Rises with each list of that life.
        targets: Whom it does not hear. None: all links are well again.
    """

    observer: NodeId
    epoch: int
    number: int
    targets: tuple[NodeId, ...]

    @property
    def rank(self) -> tuple[int, int]:
        """The greater one is the later word of its observer."""
        return (self.epoch, self.number)


Message: TypeAlias = (
    Ping
    | Ack
    | PingRequest
    | Nack
    | Gossip
    | Ask
    | Answer
    | Want
    | Beliefs
    | Obituary
    | Links
    | Redirect
)

#: The kinds as they are counted.
KIND_NAMES: dict[type[Message], str] = {
    Ping: "ping",
    Ack: "ack",
    PingRequest: "ping_request",
    Nack: "nack",
    Gossip: "gossip",
    Ask: "ask",
    Answer: "answer",
    Want: "want",
    Beliefs: "beliefs",
    Obituary: "obituary",
    Links: "links",
    Redirect: "redirect",
}
#: Of a later version.
UNKNOWN_KIND = "unknown_kind"

#: A message and where it is to go.
Letter: TypeAlias = tuple[Address, Message]


@dataclass(frozen=True, slots=True)
class Header:
    """Who sends a packet, in which life, holding which table."""

    sender: NodeId
    epoch: int
    incarnation: int
    table_hash: int
    rider: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One decoded payload.

    Attributes:
        header: Who sends it.
        gossip: The beliefs that ride on it, as bytes and decoded; without those
            that the receiver has dealt with before.
        riding: How many ride on it, with those.
        message: The message proper.
        record: The sender's own record, where the message brings it.
    """

    header: Header
    gossip: tuple[tuple[bytes, Belief], ...]
    riding: int
    message: Message
    record: NodeRecord | None


_NO_GOSSIP = pack(())


class Encoding:
    """One payload but for its gossip, which depends on the room that is left.

    Args:
        header: Who sends it.
        message: The message proper.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, header: Header, message: Message) -> None:
        kind, seq, body = _body(message)
        fields = (kind, seq, header.sender, header.epoch, header.incarnation)
        before = pack((*fields, header.table_hash, header.rider))
        # A short list is its length in one byte, and then its entries.
        count = len(fields) + 3 + len(body)
        self._before = bytes((_SHORT_LIST | count,)) + before[1:]
        self._after = pack(body)[1:] if body else b""

    def __len__(self) -> int:
        """The bytes of the payload without gossip."""
        return len(self._before) + 1 + len(self._after)

    def carrying(self, gossip: Sequence[bytes]) -> bytes:
        """The payload with some gossip."""
        told = pack(gossip) if gossip else _NO_GOSSIP
        return self._before + told + self._after


def encode_packet(header: Header, gossip: Sequence[bytes], message: Message) -> bytes:
    """One payload."""
    return Encoding(header, message).carrying(gossip)


def _body(message: Message) -> tuple[int, int, list[object]]:
    match message:
        case Ping(seq, target, record):
            return Kind.PING, seq, [target, record]
        case Ack(seq, target, record):
            return Kind.ACK, seq, [target, record]
        case PingRequest(seq, target, address, patience):
            milliseconds = min(_PATIENCE_LIMIT, max(1, round(patience * 1000)))
            return Kind.PING_REQUEST, seq, [target, address, milliseconds]
        case Nack(seq, target, silence):
            return Kind.NACK, seq, [target, math.ceil(silence * 1000)]
        case Gossip():
            return Kind.GOSSIP, 0, []
        case Ask(body):
            return Kind.ASK, 0, [body]
        case Answer(body):
            return Kind.ANSWER, 0, [body]
        case Want(nodes):
            return Kind.WANT, 0, [nodes]
        case Beliefs(beliefs):
            return Kind.BELIEFS, 0, [[belief.encode() for belief in beliefs]]
        case Obituary(node, epoch):
            return Kind.OBITUARY, 0, [node, epoch]
        case Links(observer, epoch, number, targets):
            return Kind.LINKS, 0, [observer, epoch, number, targets]
        case Redirect(nodes):
            return Kind.REDIRECT, 0, [nodes]


def packet_untrusted(payload: bytes, *, known: Container[bytes]) -> Packet | None:
    """Read one payload; None if it is of a kind that we do not know.

    Args:
        payload: From the network.
        known: Encoded beliefs that are passed over, for they were dealt with.

    Raises:
        MalformedDatagram: Not a membership message.
    """
    fields = fields_untrusted(unpack_untrusted(payload), 8)
    kind = natural_untrusted(fields[0])
    seq = natural_untrusted(fields[1])
    header = Header(
        sender=node_id_untrusted(fields[2]),
        epoch=natural_untrusted(fields[3]),
        incarnation=natural_untrusted(fields[4]),
        table_hash=natural_untrusted(fields[5]),
        rider=bytes_untrusted(fields[6], _RIDER_SIZES),
    )
    if not Kind.PING <= kind <= Kind.REDIRECT:
        return None
    message, encoded = _message_untrusted(Kind(kind), seq, fields[8:])
    record = None if encoded is None else record_untrusted(encoded)
    if record is not None and record.id != header.sender:
        raise MalformedDatagram("introduces somebody else than the sender")
    gossip: list[tuple[bytes, Belief]] = []
    riding = fields_untrusted(fields[7], 0)
    for each in riding:
        if type(each) is not bytes:
            raise MalformedDatagram(f"a belief of {type(each).__name__}")
        if each not in known:
            gossip.append((each, belief_untrusted(each)))
    return Packet(header, tuple(gossip), len(riding), message, record)


def _message_untrusted(
    kind: Kind, seq: int, body: list[object]
) -> tuple[Message, bytes | None]:
    """The message, and the encoded record of the sender where it brings one."""
    match kind, body:
        case Kind.PING, [target, record, *_]:
            meant = None if target is None else node_id_untrusted(target)
            return Ping(seq, meant), _optional_untrusted(record)
        case Kind.ACK, [target, record, *_]:
            return Ack(seq, node_id_untrusted(target)), _optional_untrusted(record)
        case Kind.PING_REQUEST, [target, address, patience, *_]:
            milliseconds = natural_untrusted(patience, below=_PATIENCE_LIMIT + 1)
            to = address_untrusted(address)
            whom = node_id_untrusted(target)
            return PingRequest(seq, whom, to, milliseconds / 1000), None
        case Kind.NACK, [target, silence, *_]:
            asked = natural_untrusted(silence, below=_PATIENCE_LIMIT + 1)
            return Nack(seq, node_id_untrusted(target), asked / 1000), None
        case Kind.NACK, [target]:  # of a version that does not testify
            return Nack(seq, node_id_untrusted(target)), None
        case Kind.GOSSIP, _:
            return Gossip(), None
        case Kind.ASK, [question, *_]:
            return Ask(bytes_untrusted(question, None)), None
        case Kind.ANSWER, [answer, *_]:
            return Answer(bytes_untrusted(answer, None)), None
        case Kind.WANT, [nodes, *_]:
            wanted = fields_untrusted(nodes, 1)
            return Want(tuple(map(node_id_untrusted, wanted))), None
        case Kind.BELIEFS, [beliefs, *_]:
            told = (bytes_untrusted(b, None) for b in fields_untrusted(beliefs, 1))
            return Beliefs(tuple(map(belief_untrusted, told))), None
        case Kind.OBITUARY, [node, epoch, *_]:
            life = natural_untrusted(epoch, below=COUNTER_LIMIT)
            return Obituary(node_id_untrusted(node), life), None
        case Kind.LINKS, [observer, epoch, number, targets, *_]:
            return _links_untrusted(observer, epoch, number, targets), None
        case Kind.REDIRECT, [nodes, *_]:
            named = fields_untrusted(nodes, 1)
            if len(named) > REDIRECT_LIMIT:
                raise MalformedDatagram(f"sent on to {len(named)} members")
            return Redirect(tuple(map(node_id_untrusted, named))), None
        case _:
            raise MalformedDatagram(f"a {kind.name} with {len(body)} fields")


def _links_untrusted(
    observer: object, epoch: object, number: object, targets: object
) -> Links:
    told = fields_untrusted(targets, 0)
    if len(told) > LINKS_LIMIT:
        raise MalformedDatagram(f"{len(told)} broken links in one list")
    return Links(
        node_id_untrusted(observer),
        natural_untrusted(epoch, below=COUNTER_LIMIT),
        natural_untrusted(number, below=COUNTER_LIMIT),
        tuple(map(node_id_untrusted, told)),
    )


def _optional_untrusted(value: object) -> bytes | None:
    return None if value is None else bytes_untrusted(value, None)
