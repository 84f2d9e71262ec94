"""The sums of a table's record hashes, and the answers to somebody's walk."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b

from lashup.errors import MalformedDatagram
from lashup.reconcile.ranges import (
    FIRSTS,
    LEAF_LEVEL,
    PLACE_BITS,
    RANGES,
    ROOT,
    children_of,
    level_of,
    places_of,
)
from lashup.wire.readers import (
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

MASK = (1 << 64) - 1

#: Ranges that one question may be about.
MOST_RANGES = 32
#: Bytes of one answer. Every range of the question has an equal share of them, and is
#: listed if its list has room there: with few differences that saves a round trip.
ANSWER_BYTES = 1_200
#: Bytes of a sum, and of a record's hash, as they travel.
SUM_BYTES, HASH_BYTES = 3, 4
#: Bytes of a record's hash as it is kept.
_WHOLE_HASH = 8

#: The lower levels' sums are made when asked for; these two are kept.
_KEPT = FIRSTS[LEAF_LEVEL]
#: Places of one bucket: a range of the level above the leaves.
_BUCKET_SHIFT = 4
_MIDDLE_SHIFT = 8


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


def shortened(value: int, salt: int, size: int) -> bytes:
    """A 64-bit hash or sum as it travels.

    Multiply-shift: two different values are the same in `size` bytes for one odd salt
    among 2**(8 * size - 1) at most (Dietzfelbinger et al. 1997). Zero stays zero.
    """
    return ((value * salt & MASK) >> (64 - 8 * size)).to_bytes(size, "big")


class Summary:
    """The sums of a table's record hashes, range by range, kept up to date.

    A record that comes or goes changes three sums and one list of records.

    Args:
        key_size: Bytes of every key.
        hash_key: Places the keys; the same on all members of a cluster.
    """

    def __init__(self, *, key_size: int, hash_key: bytes) -> None:
        self.key_size = key_size
        self._hash_key = hash_key
        #: Bytes of a record: its key, then its hash.
        self._size = key_size + _WHOLE_HASH
        self._count = 0
        #: Of the root, and of all ranges above the leaves.
        self._sums = array("Q", bytes(8 * _KEPT))
        #: The records of 16 neighbouring leaves in one string. A dict from key to hash
        #: would take 88 bytes more for each.
        self._buckets: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        """All keys, in an order that does not depend on how they came."""
        yield from self.records_in(ROOT)

    @property
    def root(self) -> int:
        """The sum of all record hashes."""
        return self._sums[ROOT]

    def get(self, key: bytes) -> int | None:
        """The record hash under a key, None where there is none."""
        records = self._buckets.get(self._place_of(key) >> _BUCKET_SHIFT, b"")
        at = self._find(records, key)
        return None if at < 0 else self._hash_at(records, at)

    def put(self, key: bytes, record_hash: int) -> None:
        """Set the record hash of a key, whether or not it was there."""
        place = self._place_of(key)
        bucket = place >> _BUCKET_SHIFT
        records = self._buckets.get(bucket, b"")
        at = self._find(records, key)
        record = key + record_hash.to_bytes(_WHOLE_HASH, "big")
        if at < 0:
            self._count += 1
            self._buckets[bucket] = records + record
            self._add(place, record_hash)
        else:
            self._buckets[bucket] = records[:at] + record + records[at + self._size :]
            self._add(place, record_hash - self._hash_at(records, at))

    def discard(self, key: bytes) -> None:
        """Take a key out; one that is not there is no error."""
        place = self._place_of(key)
        bucket = place >> _BUCKET_SHIFT
        records = self._buckets.get(bucket, b"")
        at = self._find(records, key)
        if at < 0:
            return
        left = records[:at] + records[at + self._size :]
        if left:
            self._buckets[bucket] = left
        else:
            del self._buckets[bucket]
        self._count -= 1
        self._add(place, -self._hash_at(records, at))

    def sum_of(self, position: int) -> int:
        """The sum of one range."""
        if position < _KEPT:
            return self._sums[position]
        return sum(self.records_in(position).values()) & MASK

    def sums_of_children(self, position: int) -> list[int]:
        """The sums of all ranges that a range is made of, in their order."""
        children = children_of(position)
        if children.stop <= _KEPT:
            return list(self._sums[children.start : children.stop])
        sums = [0] * len(children)
        [bucket] = _buckets_of(position)
        for key, value in self._records_in_bucket(bucket):
            sums[self._place_of(key) & (len(children) - 1)] += value
        return [total & MASK for total in sums]

    def count_in(self, position: int) -> int:
        """How many records a range has; of a leaf, its bucket's are counted."""
        if position == ROOT:
            return self._count
        sizes = (len(self._buckets.get(b, b"")) for b in _buckets_of(position))
        return sum(sizes) // self._size

    def records_in(self, position: int) -> dict[bytes, int]:
        """The records of one range, by key."""
        # Of a small table most buckets are empty.
        buckets = sorted(self._buckets) if position == ROOT else _buckets_of(position)
        records = (r for bucket in buckets for r in self._records_in_bucket(bucket))
        if level_of(position) < LEAF_LEVEL:
            return dict(records)
        places = places_of(position)
        return {k: value for k, value in records if self._place_of(k) in places}

    def answer_untrusted(self, ask: bytes, *, room: int = ANSWER_BYTES) -> bytes:
        """Answer one question of somebody's walk.

        Args:
            ask: The question.
            room: Bytes that the lists of the answer may take together. Leaves are
                listed, whatever their length.

        Raises:
            MalformedDatagram: Not a question.
        """
        number, salt, asked = fields_untrusted(unpack_untrusted(ask), 3)[:3]
        number, salt = natural_untrusted(number), natural_untrusted(salt)
        positions = fields_untrusted(asked, 1)
        if len(positions) > MOST_RANGES:
            raise MalformedDatagram(
                f"{len(positions)} ranges in one question, at most {MOST_RANGES}"
            )
        share = room // len(positions)
        listed, bodies = 0, []
        for index, value in enumerate(positions):
            position = natural_untrusted(value, below=RANGES)
            if self._lists(position, share):
                listed |= 1 << index
                bodies.append(self._listing(position, salt))
            else:
                bodies.append(self._sums_short(position, salt))
        return pack([number, listed, bodies])

    def _lists(self, position: int, share: int) -> bool:
        if level_of(position) == LEAF_LEVEL:
            return True
        return self.count_in(position) * (self.key_size + HASH_BYTES) <= share

    def _listing(self, position: int, salt: int) -> bytes:
        records = self.records_in(position)
        return b"".join(
            key + shortened(value, salt, HASH_BYTES) for key, value in records.items()
        )

    def _sums_short(self, position: int, salt: int) -> bytes:
        sums = self.sums_of_children(position)
        return b"".join(shortened(total, salt, SUM_BYTES) for total in sums)

    def _records_in_bucket(self, bucket: int) -> Iterator[tuple[bytes, int]]:
        records = self._buckets.get(bucket, b"")
        for at in range(0, len(records), self._size):
            yield records[at : at + self.key_size], self._hash_at(records, at)

    def _find(self, records: bytes, key: bytes) -> int:
        """Where in some records the one of a key begins, -1 where there is none."""
        at = records.find(key)
        while at > 0 and at % self._size:  # some bytes that look like it
            at = records.find(key, at + 1)
        return at

    def _hash_at(self, records: bytes, at: int) -> int:
        end = at + self._size
        return int.from_bytes(records[end - _WHOLE_HASH : end], "big")

    def _place_of(self, key: bytes) -> int:
        digest = blake2b(key, digest_size=PLACE_BITS // 8, key=self._hash_key).digest()
        return int.from_bytes(digest, "big")

    def _add(self, place: int, difference: int) -> None:
        sums = self._sums
        middle = FIRSTS[1] + (place >> _MIDDLE_SHIFT)
        bucket = FIRSTS[2] + (place >> _BUCKET_SHIFT)
        for position in (ROOT, middle, bucket):
            sums[position] = sums[position] + difference & MASK


def _buckets_of(position: int) -> range:
    """The buckets that hold the keys of a range, and more keys where it is a leaf."""
    places = places_of(position)
    return range(places.start >> _BUCKET_SHIFT, (places.stop - 1 >> _BUCKET_SHIFT) + 1)
