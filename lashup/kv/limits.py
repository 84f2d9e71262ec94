"""What a store takes: every limit is an error that names itself, and changes nothing.

The sizes follow from the datagram: a fact travels whole, in fragments of about 1.3 kB,
and one lost fragment costs the fact until it is asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta
from lashup.errors import ConfigError, LimitExceeded, Overloaded, UsageError
from lashup.kinds import check_kinds
from lashup.kv.delta_codec import DEEPEST_PATH, LARGEST_FACT

#: Bytes of an update on the wire, less than the longest message that is cut.
_LARGEST_UPDATE = 1_000_000
# What a fact or a dot, and a step of its path, take at most beside their own bytes.
_PER_FACT = 48
_PER_STEP = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one node writes. Sizes in bytes, packed.

    Attributes:
        key: One key.
        value: One fact's payload: one register's value.
        path: One fact's path, all steps together.
        depth: Steps of a path: maps in maps.
        facts: Facts that one update makes and removes.
        update: One update, all facts together.
        waiting: Updates that wait for the disk.
        store: Facts in the whole table, beyond which this node adds none. What others
            write is taken all the same: replicas must become equal.
        store_warning: Facts in the whole table, beyond which `StoreLarge` is told.
    """

    key: int = 512
    value: int = 16_384
    path: int = 1_024
    depth: int = 16
    facts: int = 1_000
    update: int = 49_152
    waiting: int = 1_024
    store: int = 1_000_000
    store_warning: int = 500_000

    def __post_init__(self) -> None:
        """Raises UsageError when somebody else would refuse what these permit."""
        check_kinds(self)
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ConfigError(each.name, "must be 1 or more")
        fact = self.key + self.path + self.value
        if fact > LARGEST_FACT:
            raise UsageError(f"limits: facts of {fact} bytes, at most {LARGEST_FACT}")
        if self.depth > DEEPEST_PATH:
            raise UsageError(f"limits: depth {self.depth}, at most {DEEPEST_PATH}")
        update = self.update + self.facts * (_PER_FACT + _PER_STEP * self.depth)
        if update > _LARGEST_UPDATE:
            raise UsageError(
                f"limits: {self.facts} facts in {self.update} bytes may take {update} "
                f"bytes on the wire, at most {_LARGEST_UPDATE}"
            )

    def check_waiting(self, waiting: int) -> None:
        """Raises Overloaded when so many updates wait that no more is taken."""
        if waiting >= self.waiting:
            raise Overloaded(
                f"{waiting} updates wait for the disk already; await earlier ones first"
            )

    def check_store(self, facts: int, *, growth: int) -> None:
        """Raises LimitExceeded when a table would grow too large; it may always shrink.

        Args:
            facts: In the table, those on their way to the disk included.
            growth: By how many an update makes them more.
        """
        if growth > 0:
            _check("store", facts + growth, self.store, "facts")

    def check_key(self, key: bytes) -> None:
        """Raises LimitExceeded when a packed key is too long."""
        _check("key", len(key), self.key, "bytes")

    def check_delta(self, delta: Delta) -> int:
        """How many dots an update makes and removes.

        Raises:
            LimitExceeded: It is too large.
        """
        dots = _touched(delta)
        several = "; make several updates of it"
        _check("update", dots, self.facts, "facts made and removed", several)
        size = sum(self._check_fact(fact) for fact in delta.facts.values())
        _check("update", size, self.update, "bytes", several)
        return dots

    def _check_fact(self, fact: Fact) -> int:
        path = sum(map(len, fact.path))
        _check("value", len(fact.payload), self.value, "bytes")
        _check("path", len(fact.path), self.depth, "steps")
        _check("path", path, self.path, "bytes")
        return len(fact.payload) + path


def _touched(delta: Delta) -> int:
    return sum(
        last - first + 1 for _, runs in delta.context.items() for first, last in runs
    )


def _check(what: str, size: int, limit: int, unit: str, way_out: str = "") -> None:
    if size > limit:
        raise LimitExceeded(f"{what}: {size} {unit}, the limit is {limit}{way_out}")
