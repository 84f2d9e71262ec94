"""The last-writer-wins register: one value, the latest by hybrid timestamp.

    fact    [timestamp, value] at the register's place
    read    the greatest (timestamp, dot)
    assign  drop the facts seen, add one

Of two concurrent assignments one is kept by all replicas alike, the other is lost.
Equal timestamps are decided by the dot, which no two facts share.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.branch import Branch, Leaf
from lashup.crdt.fact import Path
from lashup.crdt.payload import pack_users
from lashup.crdt.writer import Remove, Writer
from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.readers import (
    SCALARS,
    fields_untrusted,
    natural_untrusted,
    unpack_untrusted,
)


@dataclass(frozen=True, slots=True)
class RegisterField:
    """A register's place in a key."""

    path: Path

    def assign(self, value: object) -> Assign:
        """The operation that sets the value.

        Args:
            value: None, bool, int, float, str, bytes, and lists and dicts of these.
        """
        return Assign(self.path, value)

    def remove(self) -> Remove:
        """The operation that removes the assignments seen here."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class Assign:
    """Set a register."""

    path: Path
    value: object

    def apply(self, writer: Writer) -> None:
        """Drop what was seen, add one fact.

        Raises:
            UsageError: The value is none that can be packed, and read again by all.
        """
        payload = pack_users("register", [writer.stamp(), self.value])
        if type(self.value) not in SCALARS:
            _require_readable(payload)
        writer.drop(self.path)
        writer.put(self.path, payload)


def _require_readable(payload: bytes) -> None:
    """There is more that can be packed than read: depth, odd dictionary keys."""
    try:
        read_payload_untrusted(payload)
    except MalformedDatagram as error:
        raise UsageError(f"register: a value nobody could read: {error}") from error


def stamped(branch: Branch | None) -> tuple[int, object] | None:
    """The timestamp and value of a register, None when nothing is assigned."""
    if branch is None:
        return None
    best: tuple[int, Leaf, object] | None = None
    for leaf in branch.leaves:
        try:
            timestamp, value = read_payload_untrusted(leaf.payload)
        except MalformedDatagram:
            continue  # A later version's, or a hostile one: not ours to read.
        if best is None or (timestamp, leaf.dot) > (best[0], best[1].dot):
            best = timestamp, leaf, value
    return None if best is None else (best[0], best[2])


def read_payload_untrusted(payload: bytes) -> tuple[int, object]:
    """The timestamp and value in a register's fact.

    Raises:
        MalformedDatagram: It is none.
    """
    timestamp, value = fields_untrusted(unpack_untrusted(payload), 2)[:2]
    return natural_untrusted(timestamp, below=1 << 64), value
