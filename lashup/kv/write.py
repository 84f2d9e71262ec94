"""A write on its way to the disk, and what it and others' deltas do to a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.facts import Delta
from lashup.kv.rows import Rows


@dataclass(frozen=True, slots=True)
class Write:
    """A local write on its way to the disk.

    Attributes:
        number: Names it in this store.
        key: Packed.
        first: The first counter that it minted, or would have.
        delta: What it says; without effect it is empty.
        growth: By how many facts the table grows with it; negative where it shrinks.
        rows: What must be on disk before it is committed.
    """

    number: int
    key: bytes
    first: int
    delta: Delta
    growth: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Committed:
    """What a write of ours did.

    Attributes:
        before: Keys whose value changed, as they were.
        delta: What others are to be told; without effect it is empty.
    """

    before: Mapping[bytes, Branch]
    delta: Delta


@dataclass(frozen=True, slots=True)
class Merged:
    """What a delta of somebody else did.

    Attributes:
        before: Keys whose value changed, as they were.
        rows: What to put on disk some time.
        skew: Seconds by which the worst timestamp exceeds the permitted skew.
    """

    before: Mapping[bytes, Branch]
    rows: Rows
    skew: float
