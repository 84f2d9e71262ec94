"""The multi-value register: of concurrent assignments all are kept.

    fact    [value] at the register's place
    read    all live values
    assign  drop the facts seen, add one

An assignment replaces what its writer has seen, so after it a reader finds one value
again. Nobody's clock decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.fact import Path
from lashup.crdt.payload import pack_users
from lashup.crdt.writer import Remove, Writer
from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.readers import fields_untrusted, unpack_untrusted


@dataclass(frozen=True, slots=True)
class MultiValueField:
    """A multi-value register's place in a key."""

    path: Path

    def assign(self, value: object) -> AssignMulti:
        """The operation that replaces all values its writer has seen by one.

        Args:
            value: None, bool, int, float, str, bytes, and lists and dicts of these.
        """
        return AssignMulti(self.path, value)

    def remove(self) -> Remove:
        """The operation that removes the assignments seen here."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class AssignMulti:
    """Set a multi-value register."""

    path: Path
    value: object

    def apply(self, writer: Writer) -> None:
        """Drop what was seen, add one fact.

        Raises:
            UsageError: The value is none that can be packed, and read again by all.
        """
        payload = pack_users("multi-value register", [self.value])
        try:
            read_value_untrusted(payload)
        except MalformedDatagram as error:
            raise UsageError(
                f"multi-value register: a value nobody could read: {error}"
            ) from error
        writer.drop(self.path)
        writer.put(self.path, payload)


def values(branch: Branch | None) -> tuple[object, ...]:
    """The values of a register, equal ones once, in the same order at all replicas."""
    if branch is None:
        return ()
    found = []
    for payload in sorted({payload for _, payload in branch.facts}):
        try:
            found.append(read_value_untrusted(payload))
        except MalformedDatagram:
            continue  # A later version's, or a hostile one: not ours to read.
    return tuple(found)


def read_value_untrusted(payload: bytes) -> object:
    """The value in a fact.

    Raises:
        MalformedDatagram: There is none.
    """
    return fields_untrusted(unpack_untrusted(payload), 1)[0]
