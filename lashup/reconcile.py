"""Agreement by hash, repair by difference: two tables, walked to where they differ.

Theory of operation
-------------------
Both the member table and the key-value store are tables of records under keys
of a fixed size. A `Summary` places every key in one of 16,384 buckets by a keyed
hash, and keeps the sum of the record hashes of every bucket, of every 128 buckets
together, and of all (the root). A record that comes or goes changes three sums.

Two nodes with equal roots hold equal tables. Where roots differ, the node that
noticed takes a `Walk`: it asks for the root's 128 sums, then for those that
differ, and comes to lists of (key, record hash) with at most three questions in a
row. The one who answers keeps no state. A lost question or answer is asked again.

A range of sums travels as 1,024 bytes, and a range with few records is listed at
once, so small tables need one question.

The record hash is the caller's: a 64-bit hash of all that must agree. Sums are
modulo 2**64; addition, not exclusive or, which linear algebra can steer.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from lashup.errors import MalformedDatagram
from lashup.machine import NEVER
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

#: Children of one range. 128 sums of 8 bytes fit one datagram beside its headers.
FANOUT = 128
_MASK = (1 << 64) - 1
_ROOT = 0
_FIRST_LEAF = 1 + FANOUT
_RANGES = _FIRST_LEAF + FANOUT * FANOUT

#: A range is listed, not summed up, when the list is no longer than the sums.
_LISTED_BYTES = FANOUT * 8

#: Questions of one walk on their way at a time: bounds the burst of answers.
WINDOW = 16
#: A question is asked this often, while nothing else is answered either, before the
#: walk gives up on the peer.
ATTEMPTS = 8
#: The pause before a question is repeated doubles so often.
_DOUBLINGS = 2


class Sought(enum.Enum):
    """Which of the keys that differ a walk looks for."""

    ALL = enum.auto()
    #: Those that the peer holds. For whoever only pulls, what it lacks is no news.
    THEIRS = enum.auto()


def keyed_hash(hash_key: bytes, *parts: bytes) -> int:
    """A 64-bit hash of some byte strings, their lengths included.

    Args:
        hash_key: At most 64 bytes, the same on all members of a cluster.
        parts: What must agree.
    """
    state = blake2b(digest_size=8, key=hash_key)
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return int.from_bytes(state.digest(), "big")


class Summary:
    """The sums of a table's record hashes, range by range, kept up to date.

    Args:
        key_size: Bytes of every key.
        hash_key: Places the keys; the same on all members of a cluster.
    """

    def __init__(self, *, key_size: int, hash_key: bytes) -> None:
        self.root = 0
        self._key_size = key_size
        self._hash_key = hash_key
        self._middle = [0] * FANOUT
        self._middle_count = [0] * FANOUT
        self._leaf_sums: dict[int, int] = {}
        self._leaves: dict[int, dict[bytes, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        for leaf in self._leaves.values():
            yield from leaf

    def get(self, key: bytes) -> int | None:
        """The record hash under a key, None where there is none."""
        return self._leaves.get(self._leaf_of(key), {}).get(key)

    def put(self, key: bytes, record_hash: int) -> None:
        """Set the record hash of a key, whether or not it was there."""
        leaf = self._leaf_of(key)
        records = self._leaves.setdefault(leaf, {})
        previous = records.get(key)
        if previous is None:
            self._resize(leaf, +1)
        records[key] = record_hash
        self._add(leaf, record_hash - (previous or 0))

    def discard(self, key: bytes) -> None:
        """Take a key out; one that is not there is no error."""
        leaf = self._leaf_of(key)
        records = self._leaves.get(leaf)
        if records is None or key not in records:
            return
        self._add(leaf, -records.pop(key))
        self._resize(leaf, -1)
        if not records:
            del self._leaves[leaf], self._leaf_sums[leaf]

    def sum_of(self, position: int) -> int:
        """The sum of one range: 0 is the root, then 128 ranges, then 16,384."""
        if position == _ROOT:
            return self.root
        if position < _FIRST_LEAF:
            return self._middle[position - 1]
        return self._leaf_sums.get(position - _FIRST_LEAF, 0)

    def records_in(self, position: int) -> dict[bytes, int]:
        """The records of one range, by key."""
        leaves = self._leaves if position == _ROOT else _leaves_of(position)
        found: dict[bytes, int] = {}
        for leaf in leaves:
            found.update(self._leaves.get(leaf, {}))
        return found

    def answer_untrusted(self, ask: bytes) -> bytes:
        """Answer one question of somebody's walk.

        Raises:
            MalformedDatagram: Not a question.
        """
        position = natural_untrusted(unpack_untrusted(ask), below=_RANGES)
        if self._lists(position):
            records = self.records_in(position)
            listing = b"".join(
                key + value.to_bytes(8, "big") for key, value in records.items()
            )
            return pack([position, listing, 1])
        sums = (self.sum_of(child) for child in _children_of(position))
        return pack([position, b"".join(s.to_bytes(8, "big") for s in sums), 0])

    def _lists(self, position: int) -> bool:
        if position >= _FIRST_LEAF:
            return True
        count = self._count if position == _ROOT else self._middle_count[position - 1]
        return count * (self._key_size + 8) <= _LISTED_BYTES

    def _leaf_of(self, key: bytes) -> int:
        digest = blake2b(key, digest_size=2, key=self._hash_key).digest()
        return int.from_bytes(digest, "big") >> 2

    def _add(self, leaf: int, difference: int) -> None:
        self.root = (self.root + difference) & _MASK
        middle = leaf // FANOUT
        self._middle[middle] = (self._middle[middle] + difference) & _MASK
        self._leaf_sums[leaf] = (self._leaf_sums.get(leaf, 0) + difference) & _MASK

    def _resize(self, leaf: int, by: int) -> None:
        self._count += by
        self._middle_count[leaf // FANOUT] += by


def _children_of(position: int) -> range:
    if position == _ROOT:
        return range(1, _FIRST_LEAF)
    first = _FIRST_LEAF + (position - 1) * FANOUT
    return range(first, first + FANOUT)


def _leaves_of(position: int) -> range:
    if position < _FIRST_LEAF:
        first = (position - 1) * FANOUT
        return range(first, first + FANOUT)
    return range(position - _FIRST_LEAF, position - _FIRST_LEAF + 1)


@dataclass(slots=True)
class _Question:
    """One range that was asked for."""

    repeat_at: float
    attempts: int


class Walk:
    """The asker's side: walks one peer's table to the keys that differ from ours.

    Ends with `done` (every range that differed has been seen) or with `failed`
    (the peer stopped answering).

    Args:
        summary: Ours. It may change during the walk.
        now: The time.
        retry_after: Seconds after which a question is repeated, doubled twice.
        sought: Which keys to look for.
    """

    def __init__(
        self,
        summary: Summary,
        *,
        now: float,
        retry_after: float,
        sought: Sought = Sought.ALL,
    ) -> None:
        self.failed = False
        #: Until the first answer nobody knows whether the peer is there.
        self.answered = False
        self._summary = summary
        self._retry_after = retry_after
        self._sought = sought
        self._waiting = [_ROOT]
        self._asked: dict[int, _Question] = {}
        self._started_at = now

    @property
    def done(self) -> bool:
        """Whether every range that differed has been answered."""
        return not self.failed and not self._waiting and not self._asked

    def next_wakeup(self) -> float:
        """When `asks` has something to say."""
        if self.failed:
            return NEVER
        if self._waiting and len(self._asked) < WINDOW:
            return self._started_at
        return min((q.repeat_at for q in self._asked.values()), default=NEVER)

    def asks(self, *, now: float) -> list[bytes]:
        """The questions to send now: new ones, and those that were not answered."""
        asks: list[bytes] = []
        for position, question in self._asked.items():
            if question.repeat_at > now:
                continue
            if question.attempts >= ATTEMPTS:
                self.failed = True
                return []
            doublings = min(question.attempts, _DOUBLINGS)
            question.repeat_at = now + self._retry_after * 2**doublings
            question.attempts += 1
            asks.append(pack(position))
        while self._waiting and len(self._asked) < WINDOW:
            position = self._waiting.pop()
            self._asked[position] = _Question(now + self._retry_after, 1)
            asks.append(pack(position))
        return asks

    def receive_untrusted(self, answer: bytes, *, now: float) -> list[bytes]:
        """Take in an answer; returns the keys it shows to differ.

        A key differs when its record hashes do, or when one side lacks it (where
        that is sought). An answer to no question of ours says nothing.

        Raises:
            MalformedDatagram: Not an answer. Nothing has changed.
        """
        fields = fields_untrusted(unpack_untrusted(answer), 3)
        position = natural_untrusted(fields[0], below=_RANGES)
        listed = natural_untrusted(fields[2], below=2) == 1
        body = bytes_untrusted(fields[1], None)
        if listed:
            theirs = self._listing_untrusted(body)
        elif len(body) != FANOUT * 8 or position >= _FIRST_LEAF:
            raise MalformedDatagram("a range has 128 sums, and a leaf has none")
        if self._asked.pop(position, None) is None:
            return []
        self.answered = True
        for question in self._asked.values():
            # The peer is there: what is missing was lost, and can be had soon.
            question.attempts = 1
            question.repeat_at = min(question.repeat_at, now + self._retry_after)
        if listed:
            return self._differing(position, theirs)
        for index, child in enumerate(_children_of(position)):
            their_sum = int.from_bytes(body[index * 8 : index * 8 + 8], "big")
            if their_sum != self._summary.sum_of(child) and self._is_sought(their_sum):
                self._waiting.append(child)
        return []

    def _is_sought(self, their_sum: int) -> bool:
        # A range without records has the sum 0.
        return their_sum != 0 or self._sought is Sought.ALL

    def _listing_untrusted(self, body: bytes) -> dict[bytes, int]:
        size = self._summary._key_size  # noqa: SLF001  # one thing, two sides
        if len(body) % (size + 8):
            raise MalformedDatagram("a listing is made of whole records")
        return {
            body[at : at + size]: int.from_bytes(body[at + size : at + size + 8], "big")
            for at in range(0, len(body), size + 8)
        }

    def _differing(self, position: int, theirs: dict[bytes, int]) -> list[bytes]:
        ours = self._summary.records_in(position)
        keys = ours.keys() | theirs.keys() if self._sought is Sought.ALL else theirs
        # Sorted, so that a run is the same in every process.
        return sorted(key for key in keys if ours.get(key) != theirs.get(key))
