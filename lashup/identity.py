"""Who a node is across its starts: what of it is kept in the data directory."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from lashup.errors import MalformedDatagram
from lashup.kv.rows import META_TABLE
from lashup.machine import NodeId, Persist
from lashup.wire.readers import NODE_ID_SIZE

_ID = b"node id"
_EPOCH = b"epoch"


@dataclass(frozen=True, slots=True)
class Identity:
    """One start of one node.

    Attributes:
        id: The same as long as the data directory lives.
        epoch: Greater than that of every earlier start.
        boot_id: 16 bytes of this start alone.
    """

    id: NodeId
    epoch: int
    boot_id: bytes

    def save(self) -> Persist:
        """What must be on disk before anything is sent under this identity."""
        return Persist(
            0,
            (
                (META_TABLE, _ID, self.id),
                epoch_row(self.epoch),
            ),
        )


def epoch_row(epoch: int) -> tuple[str, bytes, bytes]:
    """The row that makes the next start's epoch greater than this."""
    return META_TABLE, _EPOCH, epoch.to_bytes(8, "big")


def next_start(
    tables: Mapping[str, Mapping[bytes, bytes]], *, rng: random.Random, wall: float
) -> Identity:
    """The identity of the start that comes after those which left `tables`.

    Args:
        tables: What is on disk; empty for a node that is new.
        rng: Unpredictable in production: nonces depend on the boot id.
        wall: Seconds since 1970. Lifts the epoch above that of a lost disk, or of a
            backup that was restored.

    Raises:
        MalformedDatagram: The rows are not what this version writes.
    """
    meta = tables.get(META_TABLE, {})
    node = meta.get(_ID) or rng.randbytes(NODE_ID_SIZE)
    last = int.from_bytes(meta.get(_EPOCH, b""), "big")
    if len(node) != NODE_ID_SIZE or last >= 1 << 62:
        raise MalformedDatagram("the node id or the epoch on disk is none")
    epoch = max(last + 1, int(wall))
    return Identity(NodeId(node), epoch, rng.randbytes(16))
