"""What a node says about itself: its self-record.

It is encoded once, by its author, and everybody forwards those very bytes, with
whatever a newer version of the protocol has appended to them. So two members hold
the same record exactly when they hold the same bytes, and a later version can let
a record carry its author's signature.

    [id, name, epoch, incarnation, [[host, port], ...], {tag: text}, [min, max]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from lashup.errors import ConfigError, LimitExceeded, MalformedDatagram, UsageError
from lashup.machine import Address, NodeId
from lashup.wire.readers import (
    NODE_ID_SIZE,
    address_untrusted,
    fields_untrusted,
    natural_untrusted,
    node_id_untrusted,
    pack,
    text_untrusted,
    unpack_untrusted,
)

#: Versions of this protocol that we speak, from and to.
PROTOCOL_VERSIONS = (1, 1)

#: Bytes of the packed tags, at most.
TAGS_LIMIT = 512
#: Bytes of a name in UTF-8, at most.
NAME_LIMIT = 128
#: Addresses of one node, at most: one of each family on two networks.
ADDRESSES_LIMIT = 4
#: Bytes of an encoded record, at most; leaves 150 for what a later version appends.
RECORD_LIMIT = 1000

#: Epochs and incarnations are below: nanoseconds since 1970 fit, for two centuries.
COUNTER_LIMIT = 1 << 63
#: No node begins an epoch from here on because of what somebody says: a liar could
#: use up all of them, and its data directory would have none left to start with.
OUTDO_LIMIT = 1 << 61


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node in its own words. Equal when encoded to the same bytes.

    Attributes:
        id: Who: identity is never the name and never the address.
        name: What people call it. Two lives should not share one.
        epoch: Rises with every start of the node.
        incarnation: Rises within an epoch, when the node refutes a rumour about
            itself or changes its record.
        addresses: Where it listens, the preferred first; one or more.
        tags: Free text for whoever uses the library, up to 512 bytes packed.
        versions: Least and greatest version of the protocol that it speaks.
        encoded: The author's bytes.

    Raises:
        LimitExceeded: Name, tags or addresses are beyond the limits above.
        UsageError: No address, or an id that is not 16 bytes.
    """

    id: NodeId = field(compare=False)
    name: str = field(compare=False)
    epoch: int = field(compare=False)
    incarnation: int = field(compare=False)
    addresses: tuple[Address, ...] = field(compare=False)
    tags: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    versions: tuple[int, int] = field(default=PROTOCOL_VERSIONS, compare=False)
    encoded: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.id) != NODE_ID_SIZE:
            raise UsageError(f"a node id is {NODE_ID_SIZE} bytes, not {len(self.id)}")
        if not self.addresses:
            raise UsageError("a node needs an address that others can send to")
        if len(self.addresses) > ADDRESSES_LIMIT:
            raise LimitExceeded(f"more than {ADDRESSES_LIMIT} addresses")
        if len(self.name.encode()) > NAME_LIMIT:
            raise LimitExceeded(f"a name of more than {NAME_LIMIT} bytes")
        tags = dict(sorted(self.tags.items()))
        if len(pack(tags)) > TAGS_LIMIT:
            raise LimitExceeded(f"tags of more than {TAGS_LIMIT} bytes packed")
        # Nobody changes a record in place: it may be in a packet already.
        object.__setattr__(self, "tags", MappingProxyType(tags))
        fields = [self.id, self.name, self.epoch, self.incarnation]
        encoded = pack([*fields, self.addresses, tags, self.versions])
        object.__setattr__(self, "encoded", encoded)


def check_tags(tags: object) -> None:
    """Make sure that tags are what `record_untrusted` reads: text by text.

    A record with other ones would be dropped by every member, and with it whatever
    its author says of itself from then on: its refutations, too.

    Raises:
        ConfigError: They are not.
    """
    if not isinstance(tags, Mapping):
        raise ConfigError("tags", f"{tags!r} must be a map of strings")
    for tag, text in tags.items():
        if not isinstance(tag, str) or not isinstance(text, str):
            raise ConfigError("tags", f"{tag!r}: {text!r} must both be strings")


# The same records come again and again: with pings, in walks, from many tellers.
@lru_cache(maxsize=4096)
def record_untrusted(encoded: bytes) -> NodeRecord:
    """Read a self-record; `encoded` is kept as it came.

    Raises:
        MalformedDatagram: Not a record within the limits.
    """
    if len(encoded) > RECORD_LIMIT:
        raise MalformedDatagram(f"a record of {len(encoded)} bytes")
    fields = fields_untrusted(unpack_untrusted(encoded), 7)
    lowest, highest = fields_untrusted(fields[6], 2)[:2]
    try:
        record = NodeRecord(
            id=node_id_untrusted(fields[0]),
            name=text_untrusted(fields[1]),
            epoch=natural_untrusted(fields[2], below=COUNTER_LIMIT),
            incarnation=natural_untrusted(fields[3], below=COUNTER_LIMIT),
            addresses=tuple(map(address_untrusted, fields_untrusted(fields[4], 1))),
            tags=_tags_untrusted(fields[5]),
            versions=(natural_untrusted(lowest), natural_untrusted(highest)),
        )
    except UsageError as error:  # a limit, or text that is not UTF-8
        raise MalformedDatagram(f"not a self-record: {error}") from error
    object.__setattr__(record, "encoded", encoded)
    return record


def _tags_untrusted(value: object) -> dict[str, str]:
    if type(value) is not dict:
        raise MalformedDatagram("tags are a map")
    return {
        text_untrusted(name, longest=TAGS_LIMIT): text_untrusted(
            text, longest=TAGS_LIMIT
        )
        for name, text in value.items()
    }
