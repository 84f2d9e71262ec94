"""One message to every member, best effort, at once.

Theory of operation
-------------------
From the sorted list of members and a message's origin every member computes the
same two trees (tree.py). The origin sends to its children in both. Whoever hears a
message first, by either tree, delivers it and sends it on at once to its own
children in both; who hears it again does nothing. So each member gets about two
copies, by two paths whose inner nodes are different.

That the first copy is forwarded in both trees is what makes it robust: a subtree
that one tree has lost is fed again by every one of its nodes that the other tree
has reached. Where the views of members differ, some members may get no copy; what
matters must be repaired by other means, as the key-value store does by digests.

    [kind, origin, epoch, number, topic, payload]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lashup.errors import ConfigError, LimitExceeded
from lashup.kinds import check_kinds
from lashup.machine import Address, NodeId, Send
from lashup.multicast.delivery_window import DeliveryWindows
from lashup.multicast.tree import Trees
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    node_id_untrusted,
    pack,
    text_untrusted,
    unpack_untrusted,
)

#: The one kind of message so far.
_MESSAGE = 1

#: Characters of a topic, at most.
TOPIC_LIMIT = 64


class View(Protocol):
    """What multicast needs to know of the membership."""

    @property
    def order(self) -> Sequence[NodeId]:
        """The live members' ids, this node's included, sorted."""
        ...

    def address_of(self, node: NodeId) -> Address | None:
        """Where a member listens."""
        ...


@dataclass(frozen=True, slots=True)
class MulticastConfig:
    """What an operator may tune.

    Attributes:
        arity: Children of a node in each tree: the same on all members. More makes
            the trees flatter and the inner nodes busier. With 16, a thousand
            members are reached in three hops.
        window: Messages of one origin that may overtake each other and are still
            told from duplicates.
        origins: Lives of origins of which duplicates are recognised, at most; each
            costs some 300 bytes.
    """

    arity: int = 16
    window: int = 1024
    origins: int = 16_384

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("arity", "window", "origins"):
            if getattr(self, name) < 1:
                raise ConfigError(name, f"{getattr(self, name)} must be 1 or more")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of another member came for the first time."""

    topic: str
    origin: NodeId
    payload: bytes


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a member is in an origin's trees.

    Attributes:
        via: The member that hands it the message first, when nothing is lost.
        distance: Hops from the origin.
    """

    via: NodeId | None
    distance: int


Effect: TypeAlias = Send | Delivered


class Multicast:
    """One node's part in everybody's trees.

    Args:
        me: This node.
        epoch: Rises with every start, so that the numbers may begin anew.
        config: The same on all members.
    """

    def __init__(self, me: NodeId, *, epoch: int, config: MulticastConfig) -> None:
        self._me = me
        self._epoch = epoch
        self._config = config
        self._number = 0
        self._seen = DeliveryWindows(width=config.window, lives=config.origins)
        self._statistics = dict.fromkeys(
            ("sent", "sent_bytes", "forwarded", "forwarded_bytes", "received",
             "received_bytes", "delivered", "duplicates"), 0
        )  # fmt: skip

    def send(self, topic: str, payload: bytes, *, view: View, now: float) -> list[Send]:
        """Send to all other live members. Nothing is delivered to this node.

        Args:
            topic: Up to 64 characters, for whoever listens.
            payload: Any bytes; the node fragments what is larger than a datagram.
            view: The membership.
            now: The time. What comes of a message does not depend on it.

        Raises:
            LimitExceeded: The topic is too long. Nothing was sent.
        """
        del now
        if len(topic) > TOPIC_LIMIT:
            raise LimitExceeded(f"a topic of more than {TOPIC_LIMIT} characters")
        self._number += 1
        message = [_MESSAGE, self._me, self._epoch, self._number, topic, payload]
        sends = self._pass_on(pack(message), self._me, view)
        self._count("sent", sends)
        return sends

    def receive(self, payload: bytes, *, view: View, now: float) -> list[Effect]:
        """Take in one message: deliver it and send it on, if it is the first copy.

        Raises:
            MalformedDatagram: Not a multicast message. Nothing has changed.
        """
        del now
        fields = fields_untrusted(unpack_untrusted(payload), 1)
        if natural_untrusted(fields[0]) != _MESSAGE:
            return []  # Of a later version.
        fields = fields_untrusted(fields, 6)
        origin = node_id_untrusted(fields[1])
        epoch = natural_untrusted(fields[2])
        number = natural_untrusted(fields[3])
        topic = text_untrusted(fields[4], longest=TOPIC_LIMIT)
        body = bytes_untrusted(fields[5], None)
        self._statistics["received"] += 1
        self._statistics["received_bytes"] += len(payload)
        if origin == self._me or not self._seen.is_first((origin, epoch), number):
            self._statistics["duplicates"] += 1
            return []
        self._statistics["delivered"] += 1
        sends = self._pass_on(payload, origin, view)
        self._count("forwarded", sends)
        return [*sends, Delivered(topic, origin, body)]

    def tree(self, origin: NodeId, *, view: View) -> dict[NodeId, Branch]:
        """How a message of `origin` reaches every member when nothing is lost."""
        trees = Trees(view.order, origin, arity=self._config.arity)
        return {
            node: Branch(trees.parent(node), distance)
            for node, distance in trees.hops().items()
        }

    def statistics(self) -> dict[str, int | float]:
        """Copies sent, copies forwarded, messages delivered, duplicates dropped."""
        return {**self._statistics}

    def _count(self, way: str, sends: list[Send]) -> None:
        self._statistics[way] += len(sends)
        self._statistics[f"{way}_bytes"] += sum(len(send.payload) for send in sends)

    def _pass_on(self, message: bytes, origin: NodeId, view: View) -> list[Send]:
        trees = Trees(view.order, origin, arity=self._config.arity)
        sends: list[Send] = []
        for child in trees.children(self._me):
            address = view.address_of(child)
            if address is not None and child != origin:
                sends.append(Send(address, message))
        return sends
