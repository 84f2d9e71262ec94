"""What a node believes about another, and which of two beliefs wins.

Beliefs about one node are totally ordered by `precedence`, so that gossip in any
order, repeated or not, leaves the same belief: the greatest one that was heard.
Everything else in this package only decides when to utter a belief.

Source: Das, Gupta, Motivala, "SWIM", DSN 2002, section 4.2. There, "confirm"
overrides even a later incarnation, for a node comes back under another identity.
Here it comes back as itself, by a later incarnation or epoch.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from lashup.errors import MalformedDatagram
from lashup.machine import Address, NodeId
from lashup.membership.reachability import Reachability
from lashup.membership.record import NodeRecord, record_untrusted
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    node_id_untrusted,
    pack,
    unpack_untrusted,
)

#: Beliefs of which the decoded form is kept, at most.
_DECODED = 4096


class Liveness(enum.IntEnum):
    """How a member is seen. Ordered: at one incarnation the greater wins."""

    ALIVE = 0
    #: Did not answer somebody. Still a full member until the suspicion times out.
    SUSPECT = 1
    #: Did not refute in time. Only the node itself can say otherwise.
    DOWN = 2
    #: Said goodbye, or its name came back under another identity.
    LEFT = 3

    @property
    def is_live(self) -> bool:
        """Whether the member counts: alive, or not proven otherwise."""
        return self <= Liveness.SUSPECT


Precedence: TypeAlias = tuple[int, int, Liveness, bytes]


def precedence(record: NodeRecord, liveness: Liveness) -> Precedence:
    """The key by which beliefs about one node are ordered; the greater wins.

    A later start outdoes everything said of an earlier life. Within a life the
    node's own later word outdoes every rumour about an earlier one. The bytes
    come last, for two records that claim the same rank: any order will do, as
    long as all have the same.
    """
    return (record.epoch, record.incarnation, liveness, record.encoded)


@dataclass(frozen=True, slots=True)
class Belief:
    """One statement about one node: the unit of gossip.

    Attributes:
        record: The node in its own words, at the incarnation that is meant.
        liveness: What is said of it.
        accuser: Who says so of its own experience, where it is SUSPECT: accusers
            that are independent confirm each other. May be None otherwise.
    """

    record: NodeRecord
    liveness: Liveness
    accuser: NodeId | None = None

    @property
    def precedence(self) -> Precedence:
        """Where this stands in the order of beliefs about its node."""
        return precedence(self.record, self.liveness)

    def encode(self) -> bytes:
        """The belief as it travels."""
        return pack([int(self.liveness), self.record.encoded, self.accuser])


@lru_cache(maxsize=_DECODED)
def belief_untrusted(encoded: bytes) -> Belief:
    """Read one belief. The same one comes from many members: it is read once.

    Raises:
        MalformedDatagram: Not a belief.
    """
    state, record, by = fields_untrusted(unpack_untrusted(encoded), 3)[:3]
    liveness = Liveness(natural_untrusted(state, below=len(Liveness)))
    accuser = None if by is None else node_id_untrusted(by)
    if liveness is Liveness.SUSPECT and accuser is None:
        raise MalformedDatagram("a suspicion by nobody")
    return Belief(record_untrusted(bytes_untrusted(record, None)), liveness, accuser)


@dataclass(frozen=True, slots=True)
class Member:
    """A node as this node sees it.

    Attributes:
        record: The node in its own words.
        liveness: How it is seen.
        since: When it came to be seen so, on the machine's clock.
        reachability: How this node reaches it: directly, through others or not at all,
            and its round trip; None where it has not been probed. Filled in by
            `members()` only.
    """

    record: NodeRecord
    liveness: Liveness
    since: float
    reachability: Reachability | None = field(default=None, compare=False)

    @property
    def id(self) -> NodeId:
        """Who: 16 random bytes, for good."""
        return self.record.id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    @property
    def epoch(self) -> int:
        """Which life of the node."""
        return self.record.epoch

    @property
    def incarnation(self) -> int:
        """Which statement of that life about itself."""
        return self.record.incarnation

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens."""
        return self.record.addresses

    @property
    def tags(self) -> Mapping[str, str]:
        """What it says of itself beside that."""
        return self.record.tags

    @property
    def precedence(self) -> Precedence:
        """Where this stands in the order of beliefs about the node."""
        return precedence(self.record, self.liveness)
